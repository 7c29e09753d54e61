import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import { Host } from '../host/host.js';
import { type Context, readConfig } from './context.js';

export interface NeedsOfHost {
  /** State is only looked at. */
  readOnly?: boolean;
  /** What is to be done makes sense only on a state that outlives the process; told in the error otherwise. */
  persistent?: boolean;
}

/** Opens the host that the configuration describes for one command, and closes it whatever happens. */
export async function withHost<T>(context: Context, needs: NeedsOfHost, use: (host: Host) => Promise<T>): Promise<T> {
  const { config } = await readConfig(context);
  if (needs.persistent) assertPersistent(config);
  await using host = new Host({
    config,
    readOnly: needs.readOnly ?? false,
    lockTimeoutSeconds: context.options.lockTimeoutSeconds,
    signal: context.signal,
  });
  return await use(host);
}

export function assertPersistent(config: Config): void {
  if (config.runtime.state_persistence.backend_type === 'memory')
    throw new LlmspellError('STATE_MEMORY', 'The state is in memory only: there is none outside of a running script.');
}
