import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasDroppedRecords } from '../../../src/state/backends/level-files.js';
import { temporaryDirectory } from '../temporary.js';

test('what LevelDB tells of dropped records is found also where another process has just moved its file away', async () => {
  const directory = await temporaryDirectory();
  const write = (name: string, text: string) => writeFile(join(directory, 'db', name), text);
  await mkdir(join(directory, 'db'));
  expect(await hasDroppedRecords(directory)).toBe(false);
  await write('LOG.old', 'Recovering log #3\n000003.log: dropping 4096 bytes; Corruption: checksum mismatch\n');
  expect(await hasDroppedRecords(directory)).toBe(true);
  await write('LOG', 'Lock failed\n');
  expect(await hasDroppedRecords(directory)).toBe(true);
});
