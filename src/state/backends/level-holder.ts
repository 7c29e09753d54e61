import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWrite } from '../../util/atomic-write.js';
import { type ProcessIdentity, thisProcess } from '../../util/process-identity.js';

/**
 * Who has the state open, for the message that another process gets. It locks nothing (LevelDB's own file lock does, and it
 * ends with its process), so one left behind by a killed process never blocks anybody.
 */
export interface Holder extends ProcessIdentity {
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
  const holder: Holder = { ...thisProcess(), ...facts };
  await atomicWrite(holderPath(directory), (file) => file.writeFile(`${JSON.stringify(holder)}\n`));
}
