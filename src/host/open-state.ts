import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import type { StateBackend } from '../state/backend.js';
import type { StateStore } from '../state/types.js';

/** Opens the state that a configuration describes. Throws `STATE_DISABLED` and the `STATE_…` errors of opening. */
export async function openState(config: Config, readOnly: boolean): Promise<StateStore> {
  const settings = config.runtime.state_persistence;
  if (!settings.enabled) throw new LlmspellError('STATE_DISABLED', 'This configuration has no state.');
  const { history } = settings;
  const [{ openStore }, backend] = await Promise.all([import('../state/store.js'), createBackend(config)]);
  return await openStore(backend, {
    durability: settings.durability,
    flushIntervalMs: settings.flush_interval_ms,
    maxValueBytes: settings.max_state_size_bytes,
    history: { enabled: history.enabled, maxAgeSeconds: history.max_age, maxBytes: history.max_bytes },
    readOnly,
  });
}

async function createBackend(config: Config): Promise<StateBackend> {
  const { backend_type: type, path } = config.runtime.state_persistence;
  if (type === 'memory') return (await import('../state/backends/memory.js')).createMemoryBackend();
  return (await import('../state/backends/level.js')).createLevelBackend({ directory: path });
}
