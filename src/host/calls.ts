import { creationOf } from '../backup/chain.js';
import type { BackupRecord, CreateOptions, Progress } from '../backup/types.js';
import { sentenceOf, toLlmspellError } from '../errors.js';
import type { RecoveryTarget, RestoreOptions, RestoreResult } from '../recovery/types.js';
import { badArgument, momentArgument, optionsOf, stringArgument } from './arguments.js';
import type { HostParts } from './host.js';
import type { NamedCall, NamedCallContext } from './state-service.js';

/** The backup functions of `State`: arguments in, tables out, as scripts see them. */
export function backupCalls(parts: HostParts): Record<string, NamedCall> {
  return {
    create_backup: async ([given], context) => {
      const options = createOptions(given);
      return operation(async () => {
        const { backup, durationMs, warnings } = await (await parts.backups()).create({
          ...options,
          ...watching(context),
        });
        return {
          ...asTable(backup),
          id: undefined,
          backup_id: backup.id,
          uncompressed_bytes: backup.uncompressedBytes,
          duration_ms: durationMs,
          warnings,
        };
      });
    },
    list_backups: async ([given]) => {
      const { tag, since, limit } = optionsOf('list_backups', 1, given, {
        tag: 'string',
        since: 'number',
        limit: 'count',
      });
      const filter = { ...(tag !== undefined && { tag }), ...(limit !== undefined && { limit }) };
      const backups = await (await parts.backups()).list({
        ...filter,
        ...(since !== undefined && { sinceMs: since * 1000 }),
      });
      return backups.map(asTable);
    },
    restore_backup: async ([id, given], context) => {
      const backupId = stringArgument('restore_backup', 1, id);
      const options = restoreOptions('restore_backup', given);
      return restore(parts, { backupId }, options, context);
    },
    restore_to: async ([when, given], context) => {
      const moment = momentArgument('restore_to', 1, when);
      const options = restoreOptions('restore_to', given);
      return restore(parts, moment, options, context, true);
    },
    validate_backup: async ([id, given], context) => {
      const backupId = stringArgument('validate_backup', 1, id);
      optionsOf('validate_backup', 2, given, {});
      const result = await (await parts.backups()).validate(backupId, watching(context));
      return {
        backup_id: result.backupId,
        is_valid: result.isValid,
        checksum_valid: result.checksumValid,
        integrity_valid: result.integrityValid,
        chain_valid: result.chainValid,
        errors: result.errors,
        warnings: result.warnings,
        validated_at: seconds(result.validatedAtMs),
        duration_ms: result.durationMs,
      };
    },
    delete_backup: async ([id], { signal }) => {
      const backupId = stringArgument('delete_backup', 1, id);
      return operation(async () => {
        await (await parts.backups()).delete(backupId, { signal });
        return {};
      });
    },
    cleanup_backups: async ([given], { signal }) => {
      if (given !== undefined && given !== null && typeof given !== 'boolean') {
        throw badArgument('cleanup_backups', 1, 'boolean expected');
      }
      return operation(async () => {
        const result = await (await parts.backups()).cleanup({ dryRun: given === true, signal });
        const those = (kept: boolean) =>
          result.decisions.filter(({ keep }) => keep === kept).map(({ id, reason }) => ({ id, reason }));
        return {
          dry_run: result.dryRun,
          deleted_count: result.deletedCount,
          retained_count: result.retainedCount,
          space_freed: result.spaceFreedBytes,
          deleted: those(false),
          kept: those(true),
        };
      });
    },
    get_storage_usage: async () => {
      const usage = await (await parts.backups()).usage();
      return {
        total_backups: usage.totalBackups,
        total_size: usage.totalBytes,
        full_backups: usage.fullBackups,
        incremental_backups: usage.incrementalBackups,
        oldest_backup: usage.oldest?.id,
        newest_backup: usage.newest?.id,
      };
    },
    diff_backups: async ([a, b]) => {
      const [from, to] = [stringArgument('diff_backups', 1, a), stringArgument('diff_backups', 2, b)];
      return (await parts.backups()).diff(from, to);
    },
  };
}

function createOptions(given: unknown): CreateOptions {
  if (typeof given === 'boolean') return { incremental: given };
  return optionsOf('create_backup', 1, given, {
    incremental: 'boolean',
    description: 'string',
    tags: 'strings',
    pin: 'boolean',
  });
}

function restoreOptions(fn: string, given: unknown): RestoreOptions {
  const options = optionsOf(fn, 2, given, {
    dry_run: 'boolean',
    scopes: 'byteStrings',
    preserve_untracked: 'boolean',
    backup_current: 'boolean',
    verify: 'boolean',
  });
  return {
    ...(options.dry_run !== undefined && { dryRun: options.dry_run }),
    ...(options.scopes && { scopes: options.scopes }),
    ...(options.preserve_untracked !== undefined && { preserveUntracked: options.preserve_untracked }),
    ...(options.backup_current !== undefined && { backupCurrent: options.backup_current }),
    ...(options.verify !== undefined && { verify: options.verify }),
  };
}

async function restore(
  parts: HostParts,
  target: RecoveryTarget,
  options: RestoreOptions,
  context: NamedCallContext,
  isMoment = false,
) {
  return operation(async () => {
    const result = await (await parts.recovery()).restore(target, { ...options, ...watching(context) });
    return { ...restoreTable(result), restored_to: isMoment ? result.restoredToMs / 1000 : undefined };
  });
}

const restoreTable = (result: RestoreResult) => ({
  backup_id: result.backupId,
  dry_run: result.dryRun,
  entries_restored: result.entriesRestored,
  entries_deleted: result.entriesDeleted,
  rollback_id: result.rollbackId,
  chain: result.chain,
  duration_ms: result.durationMs,
  warnings: result.warnings,
});

/** A failure of the operation itself is an answer to the script, not an error; a wrong call stays an error. */
export async function operation(
  run: () => Promise<Record<string, unknown>>,
  more: (error: unknown) => Record<string, unknown> = () => ({}),
): Promise<Record<string, unknown>> {
  try {
    return { success: true, ...(await run()) };
  } catch (cause) {
    const error = toLlmspellError(cause);
    if (error.code === 'ABORTED') throw error;
    const sentence = sentenceOf(error);
    return { success: false, error: sentence, errors: [sentence], ...more(cause) };
  }
}

export const watching = ({ emit, signal }: NamedCallContext) => ({
  signal,
  onProgress: (progress: Progress) =>
    emit({
      operation: progress.operation,
      phase: progress.phase,
      backup_id: progress.backupId,
      done: progress.done,
      total: progress.total,
      percent: progress.percent,
      message: progress.message,
    }),
});

const seconds = (timeMs: number) => Math.floor(timeMs / 1000);

/** What an encrypted or damaged backup does not tell is nil. */
function asTable(backup: BackupRecord) {
  const createdAtMs = creationOf(backup);
  const told = <T>(value: T): T | undefined => (backup.sealed ? undefined : value);
  return {
    id: backup.id,
    created_at: createdAtMs === undefined ? undefined : seconds(createdAtMs),
    created_at_ms: createdAtMs,
    size_bytes: backup.sizeBytes,
    is_incremental: backup.isIncremental,
    parent_id: backup.parentId,
    entry_count: told(backup.entryCount),
    compression: backup.compression.type,
    description: backup.description,
    tags: backup.tags,
    schema_version: backup.schemaVersion,
    pinned: backup.pinned,
    damage: backup.damage,
  };
}
