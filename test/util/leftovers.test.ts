import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryName } from '../../src/util/atomic-write.js';
import { removeLeftovers } from '../../src/util/leftovers.js';

/** No system gives it to a process. */
const NOBODY = 999_999_999;

test('what processes that are gone left beside a path is removed, and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'llmspell-leftovers-'));
  const path = join(directory, 'out');
  await mkdir(join(directory, `out.tmp-${NOBODY}-00000000/below`), { recursive: true });
  const mine = temporaryName(path);
  const kept = [mine, join(directory, `other.tmp-${NOBODY}-00000000`), `${path}.tmp-${NOBODY}-notes`, path];
  for (const file of [...kept, `${path}.tmp-${NOBODY}-0123abcd`]) await writeFile(file, 'x');
  await removeLeftovers(path);
  expect((await readdir(directory)).map((name) => join(directory, name)).toSorted()).toEqual(kept.toSorted());
  await expect(removeLeftovers('/nowhere/at/all')).resolves.toBeUndefined();
});
