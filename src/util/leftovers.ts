import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TEMPORARY_MARK } from './atomic-write.js';
import { pidExists } from './process-identity.js';

/** Removes what processes that were killed over `path` left beside it, files and directories, as far as it may be removed. */
export async function removeLeftovers(path: string): Promise<void> {
  const begin = `${basename(path)}${TEMPORARY_MARK}`;
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    const [, pid] = /^(\d+)-[0-9a-f]{8}$/.exec(name.slice(begin.length)) ?? [];
    if (!name.startsWith(begin) || pid === undefined || pidExists(Number(pid))) continue;
    await rm(join(dirname(path), name), { recursive: true, force: true }).catch(() => undefined);
  }
}
