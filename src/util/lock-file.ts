import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../errors.js';
import { randomHex } from './hash.js';
import { isRunning, type ProcessIdentity, thisProcess } from './process-identity.js';

/** A holder refreshes its file this often; on another machine, where nobody can look, it counts as gone after `GONE_AFTER_MS`. */
const REFRESH_MS = 5_000;
const GONE_AFTER_MS = 60_000;
/** A file without a readable holder is being written just now, or its writer died in that moment. */
const UNREADABLE_AFTER_MS = 5_000;
const POLL_MS = 25;

interface Holder extends ProcessIdentity {
  token: string;
}

/** The turn did not come in time. */
export class LockTimeout extends Error {
  constructor(path: string, holder: ProcessIdentity | undefined) {
    super(`${path} is held by ${holder ? `process ${holder.pid} on ${holder.host}` : 'another process'}`);
  }
}

/**
 * Holds the lock file at `path` while `work` runs: one holder among all processes. The file of a process that died is taken
 * over at once. Throws {@link LockTimeout}, or what `signal` was aborted with.
 */
export async function withLockFile<T>(
  path: string,
  work: () => Promise<T>,
  options: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<T> {
  const token = await acquire(path, options);
  const refresh = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), REFRESH_MS);
  refresh.unref();
  try {
    return await work();
  } finally {
    clearInterval(refresh);
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  }
}

async function acquire(path: string, options: { timeoutMs: number; signal?: AbortSignal | undefined }) {
  const deadlineMs = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const token = await tryCreate(path);
    if (token) return token;
    if (await takeAway(path)) continue;
    if (Date.now() >= deadlineMs) throw new LockTimeout(path, await readHolder(path));
    await delay(POLL_MS);
  }
}

async function tryCreate(path: string): Promise<string | undefined> {
  const holder: Holder = { ...thisProcess(), token: randomHex(8) };
  try {
    await writeFile(path, JSON.stringify(holder), { flag: 'wx', mode: 0o600 });
    return holder.token;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/**
 * Removes the file of a holder that is gone. It is renamed first, which only one process can do, and looked at again: where a
 * new holder had come in between, it is put back.
 */
async function takeAway(path: string): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === undefined) return true;
  if (!(await isGone(path))) return false;
  const aside = `${path}.gone-${randomHex(4)}`;
  try {
    await rename(path, aside);
  } catch {
    return true;
  }
  if ((await readFile(aside, 'utf8')) !== before) await rename(aside, path);
  else await rm(aside, { force: true });
  return true;
}

async function isGone(path: string): Promise<boolean> {
  const modifiedMs = (await stat(path).catch(() => undefined))?.mtimeMs;
  if (modifiedMs === undefined) return false;
  const holder = await readHolder(path);
  const ageMs = Date.now() - modifiedMs;
  if (!holder) return ageMs > UNREADABLE_AFTER_MS;
  if (!isRunning(holder)) return true;
  return holder.host !== thisProcess().host && ageMs > GONE_AFTER_MS;
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Holder;
    return typeof holder.pid === 'number' && typeof holder.token === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}
