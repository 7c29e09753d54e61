/** The embedding API: open a host, run scripts, reach state and backups. */
export type { BackupManager } from './backup/manager.js';
export type {
  BackupRecord,
  CleanupResult,
  CompactResult,
  CreateOptions,
  CreateResult,
  EncryptionKey,
  ExportOptions,
  ExportResult,
  ImportOptions,
  ImportResult,
  ListFilter,
  LostRange,
  OperationOptions,
  Progress,
  RekeyOptions,
  RekeyResult,
  RetentionDecision,
  ScopeUsage,
  StateDiff,
  StorageUsage,
  ValidationResult,
} from './backup/types.js';
export type { Completions, LineInput } from './channel/console.js';
export type { TestEvent, TestOutcome } from './channel/tests.js';
export type { Config } from './config/schema.js';
export { type ErrorCode, LlmspellError } from './errors.js';
export type { LineTerminal, SessionOptions } from './host/console-service.js';
export { Host, type HostOptions, type RunOptions } from './host/host.js';
export type { Overrides } from './host/machine-settings.js';
export { type OpenOptions, openHost } from './host/open-host.js';
export type { OutputSink } from './host/output-pump.js';
export type { ScriptResult } from './host/script-host.js';
export type { HistoryEntry, ListRange, Name, StateAccess } from './host/state-access.js';
export type { TestOptions } from './host/test-service.js';
export type { RecoveryOrchestrator } from './recovery/orchestrator.js';
export type { RescuedArchive, RescueOptions, RescueResult } from './recovery/rescue.js';
export type {
  DrillResult,
  Reach,
  RecoveryPlan,
  RecoveryTarget,
  RestoreOptions,
  RestoreResult,
} from './recovery/types.js';
export type { LuaValue } from './state/codec.js';
export type { StateStore } from './state/types.js';
