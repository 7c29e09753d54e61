import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FORMAT_VERSION } from '../../src/backup/archive-format.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { GOLDEN } from './golden/contents.js';
import { collect, comparable, MemorySource, writeFull, writeIncremental } from './support.js';

/**
 * Archives as version 1 wrote them. Every later version must read them, so they are never written again: with WRITE_GOLDEN=1 only those of
 * a version that has none are made.
 */
const pathOf = (version: number, name: string) =>
  fileURLToPath(new URL(`golden/v${version}/${name}.lsb`, import.meta.url));

const written = ({ start, options, entries, changes }: (typeof GOLDEN)[number]) =>
  entries ? writeFull(entries, start, options) : writeIncremental(changes!, start, options);

if (process.env.WRITE_GOLDEN)
  for (const golden of GOLDEN) {
    const path = pathOf(FORMAT_VERSION, golden.name);
    if (!existsSync(path)) writeFileSync(path, (await written(golden)).bytes);
  }

describe.each(GOLDEN)('the archive $name of version 1', ({ name, options, entries, changes }) => {
  const path = pathOf(1, name);

  it('is read exactly', async () => {
    const reader = await openArchive(new MemorySource(readFileSync(path)), options);
    expect(await collect(entries ? reader.entries() : reader.changes())).toEqual(comparable(entries ?? changes!));
    expect(reader.info).toMatchObject({ formatVersion: 1, description: 'golden – äöü', tags: ['one', 'two'] });
  });

  it('is sound', async () => {
    const report = await verifyArchive(new MemorySource(readFileSync(path)), options);
    expect(report).toMatchObject({ checksumValid: true, integrityValid: true, problems: [] });
  });
});

it.runIf(FORMAT_VERSION === 1).each(['full-none', 'incremental-none'])(
  '%s is still written to the byte',
  async (name) => {
    const golden = GOLDEN.find((it) => it.name === name)!;
    expect((await written(golden)).bytes).toEqual(readFileSync(pathOf(1, name)));
  },
);
