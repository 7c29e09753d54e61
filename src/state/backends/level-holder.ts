import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWrite } from '../../util/atomic-write.js';

/**
 * Who has the state open, for the message that another process gets. It locks nothing (LevelDB's own file lock does, and it
 * ends with its process), so one left behind by a killed process never blocks anybody.
 */
export interface Holder {
  pid: number;
  /** Start of that process in clock ticks since boot, where the system tells: a pid alone may have been given out anew. */
  startTicks?: string;
  bootId?: string;
  /** Set at a clean close: how many commits the store has seen. Fewer at the next open: its log was damaged. */
  closedAtCommit?: number;
  /** Set where the log was found damaged at an open: LevelDB itself tells that only once. */
  isLogDamaged?: true;
}

const holderPath = (directory: string): string => join(directory, 'holder.json');

export async function readHolder(directory: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(holderPath(directory), 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

export async function writeHolder(
  directory: string,
  facts: Pick<Holder, 'closedAtCommit' | 'isLogDamaged'> = {},
): Promise<void> {
  const holder: Holder = { ...identify(process.pid), ...facts };
  await atomicWrite(holderPath(directory), (file) => file.writeFile(`${JSON.stringify(holder)}\n`));
}

/** Whether the process that wrote this is still the one with its pid. */
export function isAlive(holder: Holder): boolean {
  const now = identify(holder.pid);
  if (holder.bootId !== now.bootId || holder.startTicks !== now.startTicks) return false;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function identify(pid: number): Holder {
  const bootId = readSystemFile('/proc/sys/kernel/random/boot_id')?.trim();
  // The name in brackets may hold anything, so fields are counted after its end; starttime is the 20th of them (proc(5)).
  const startTicks = readSystemFile(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ')[19];
  return { pid, ...(bootId === undefined ? {} : { bootId }), ...(startTicks === undefined ? {} : { startTicks }) };
}

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
