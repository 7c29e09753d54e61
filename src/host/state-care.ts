import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config/schema.js';
import { LlmspellError } from '../errors.js';
import { createLevelBackend } from '../state/backends/level.js';
import { checkState, type StateCheck } from '../state/check.js';
import { repairState, type StateRepair } from '../state/repair.js';

/** How often to look whether another process has let go, in milliseconds. */
const LOOK_MS = 50;

/** The state is read and mended where nobody uses it: what another process serves through its socket may change at any moment. */
export interface LockWait {
  /** How long to wait for a process that holds the state. */
  lockTimeoutSeconds: number;
  /** Waiting ends when this says no. */
  isWanted(): boolean;
}

/** Where a rescued state is put, and what became of the damaged one. */
export interface StateRescue extends StateRepair {
  /** Where the rescued state is now. */
  path: string;
  /** Where the damaged state is now; its old place where it was not replaced. */
  damagedPath: string;
}

/**
 * Reads the whole of the state that a configuration describes, which nobody may have open, and tells what is wrong with it. That there is none
 * is sound. Throws `STATE_DISABLED`, `STATE_LOCKED`.
 */
export async function checkStoredState(config: Config, wait: LockWait): Promise<StateCheck> {
  if (!isThere(pathOf(config))) return { isSound: true, entries: 0, segments: 0, problemCount: 0, problems: [] };
  return await whenFree(async () => checkState(createLevelBackend({ directory: pathOf(config) })), wait);
}

/**
 * Rescues what can be read of the state that a configuration describes into a new one at `to`, or beside it. With `replace` the new one then
 * takes its place; the damaged one is never removed. Throws `STATE_DISABLED`, `STATE_LOCKED`, `NOT_FOUND`, and `USAGE` where the new
 * place is taken.
 */
export async function repairStoredState(
  config: Config,
  { to, replace, ...wait }: LockWait & { to?: string; replace: boolean },
): Promise<StateRescue> {
  const path = pathOf(config);
  if (!isThere(path)) throw new LlmspellError('NOT_FOUND', `There is no state in ${path}.`, { subject: path });
  const target = to ?? `${path}.rescued`;
  const repair = await whenFree(() => repairState(path, target), wait);
  if (!replace) return { ...repair, path: target, damagedPath: path };
  const damagedPath = `${path}.damaged-${new Date().toISOString().replace(/[-:]|\..*/g, '')}`;
  await rename(path, damagedPath);
  await rename(target, path);
  return { ...repair, path, damagedPath };
}

function pathOf(config: Config): string {
  const { enabled, path } = config.runtime.state_persistence;
  if (!enabled) throw new LlmspellError('STATE_DISABLED', 'This configuration has no state.');
  return path;
}

/** Tries again while another process holds the state. */
async function whenFree<T>(work: () => Promise<T>, { lockTimeoutSeconds, isWanted }: LockWait): Promise<T> {
  const deadlineMs = Date.now() + lockTimeoutSeconds * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isHeld = error instanceof LlmspellError && error.code === 'STATE_LOCKED';
      if (!isHeld || Date.now() >= deadlineMs || !isWanted()) throw error;
      await setTimeout(LOOK_MS);
    }
  }
}

const isThere = (path: string): boolean => existsSync(join(path, 'db'));
