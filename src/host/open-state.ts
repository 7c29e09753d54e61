import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import type { StateBackend } from '../state/backend.js';
import type { StateStore, StoreOptions } from '../state/types.js';
import { schemaGuard } from './schema-guard.js';

export interface OpenStateOptions {
  readOnly: boolean;
  /** How long to wait for a process that holds the state. */
  lockTimeoutSeconds: number;
  /** Waiting ends when this says no. */
  isWanted(): boolean;
}

/** Loads the modules that `openState` will need, those of Node that it comes to later among them, and opens nothing. */
export async function loadState({ runtime }: Config): Promise<void> {
  await import('../state/store.js');
  if (runtime.state_persistence.backend_type === 'memory') await import('../state/backends/memory.js');
  else await Promise.all([import('../share/shared-store.js'), import('../state/backends/level.js')]);
  process.getBuiltinModule('node:crypto');
}

const MEMORY_HISTORY_BYTES = 64 << 20;

/**
 * Opens the state that a configuration describes; with one that is kept, over all processes that have it open. Throws `STATE_DISABLED` and the
 * `STATE_…` errors of opening.
 */
export async function openState(config: Config, options: OpenStateOptions): Promise<StateStore> {
  const settings = config.runtime.state_persistence;
  if (!settings.enabled) throw new LlmspellError('STATE_DISABLED', 'This configuration has no state.');
  const storeOptions = await storeOptionsOf(config);
  if (settings.backend_type === 'memory') {
    const { createMemoryBackend } = await import('../state/backends/memory.js');
    return await open(createMemoryBackend(), { ...storeOptions, readOnly: options.readOnly });
  }
  const { openShared } = await import('../share/shared-store.js');
  return await openShared({
    directory: settings.path,
    // Others may change the state through this process, whatever this process itself may.
    openStore: async () => await open(await levelBackend(settings.path), storeOptions),
    durability: settings.durability,
    maxValueBytes: settings.max_state_size_bytes,
    readOnly: options.readOnly,
    timeoutMs: options.lockTimeoutSeconds * 1000,
    isWanted: () => options.isWanted(),
  });
}

async function storeOptionsOf(config: Config): Promise<StoreOptions> {
  const settings = config.runtime.state_persistence;
  const { history } = settings;
  // In memory the kept changes take what scripts need.
  const maxBytes =
    settings.backend_type === 'memory' ? Math.min(history.max_bytes, MEMORY_HISTORY_BYTES) : history.max_bytes;
  return {
    durability: settings.durability,
    flushIntervalMs: settings.flush_interval_ms,
    maxValueBytes: settings.max_state_size_bytes,
    history: { enabled: history.enabled, maxAgeSeconds: history.max_age, maxBytes },
    ...(settings.migration_enabled && { assertSchema: await schemaGuard(settings.schema_dir) }),
  };
}

async function open(backend: StateBackend, options: StoreOptions): Promise<StateStore> {
  const { openStore } = await import('../state/store.js');
  return await openStore(backend, options);
}

/** Loaded only where this process is the one to open it. */
async function levelBackend(directory: string): Promise<StateBackend> {
  const { createLevelBackend } = await import('../state/backends/level.js');
  return createLevelBackend({ directory });
}
