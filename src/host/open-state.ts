import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import type { StateBackend } from '../state/backend.js';
import type { StateStore } from '../state/types.js';

/** How often to look whether another process has let go, in milliseconds. */
const LOOK_MS = 50;

export interface OpenStateOptions {
  readOnly: boolean;
  /** How long to wait for a process that holds the state. */
  lockTimeoutSeconds: number;
  /** Waiting ends when this says no. */
  isWanted(): boolean;
}

const MEMORY_HISTORY_BYTES = 64 << 20;

/** Opens the state that a configuration describes. Throws `STATE_DISABLED` and the `STATE_…` errors of opening. */
export async function openState(config: Config, options: OpenStateOptions): Promise<StateStore> {
  const deadlineMs = Date.now() + options.lockTimeoutSeconds * 1000;
  for (;;) {
    try {
      return await openOnce(config, options.readOnly);
    } catch (error) {
      const isHeld = error instanceof LlmspellError && error.code === 'STATE_LOCKED';
      if (!isHeld || Date.now() >= deadlineMs || !options.isWanted()) throw error;
      await setTimeout(LOOK_MS);
    }
  }
}

async function openOnce(config: Config, readOnly: boolean): Promise<StateStore> {
  const settings = config.runtime.state_persistence;
  if (!settings.enabled) throw new LlmspellError('STATE_DISABLED', 'This configuration has no state.');
  const { history } = settings;
  // In memory the kept changes take what scripts need.
  const maxBytes =
    settings.backend_type === 'memory' ? Math.min(history.max_bytes, MEMORY_HISTORY_BYTES) : history.max_bytes;
  const [{ openStore }, backend] = await Promise.all([import('../state/store.js'), createBackend(config)]);
  return await openStore(backend, {
    durability: settings.durability,
    flushIntervalMs: settings.flush_interval_ms,
    maxValueBytes: settings.max_state_size_bytes,
    history: { enabled: history.enabled, maxAgeSeconds: history.max_age, maxBytes },
    readOnly,
  });
}

async function createBackend(config: Config): Promise<StateBackend> {
  const { backend_type: type, path } = config.runtime.state_persistence;
  if (type === 'memory') return (await import('../state/backends/memory.js')).createMemoryBackend();
  return (await import('../state/backends/level.js')).createLevelBackend({ directory: path });
}
