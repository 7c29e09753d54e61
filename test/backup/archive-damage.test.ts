import { beforeAll, describe, expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { CODECS } from '../../src/backup/types.js';
import { LlmspellError } from '../../src/errors.js';
import { collect, comparable, compressed, MemorySource, manyEntries, RAW_KEY, writeFull } from './support.js';

/** What reading an archive to its end gives: its entries, or the code of the error. Anything else fails the test. */
async function read(bytes: Uint8Array, options = {}): Promise<unknown> {
  try {
    const reader = await openArchive(new MemorySource(bytes), options);
    return await collect(reader.entries());
  } catch (error) {
    if (error instanceof LlmspellError) return error.code;
    throw error;
  }
}

const verify = (bytes: Uint8Array, options = {}) => verifyArchive(new MemorySource(bytes), options);

const WAYS = [
  { what: 'in the clear', options: {} },
  { what: 'encrypted', options: { key: RAW_KEY } },
];

describe.each(CODECS)('an archive compressed with %s', (type) => {
  describe.each(WAYS)('$what', ({ options }) => {
    const entries = manyEntries(4, 50);
    let good: Buffer;

    beforeAll(async () => {
      good = (await writeFull(entries, compressed(type), options)).bytes;
    });

    it('is sound as it was written', async () => {
      const report = await verify(good, options);
      expect(report).toMatchObject({ checksumValid: true, integrityValid: true, problems: [] });
      expect(report.info).toEqual(await readArchiveInfo(new MemorySource(good), options));
    });

    it('is found damaged whichever byte is changed, and never gives other entries', async () => {
      for (let at = 0; at < good.length; at++) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << (at % 8);
        const report = await verify(bad, options);
        expect(report.integrityValid, `byte ${at} of ${good.length}`).toBe(false);
        expect(report.checksumValid, `byte ${at} of ${good.length}`).toBe(false);
        const result = await read(bad, options);
        if (typeof result === 'string') expect(result).toBe('BACKUP_DAMAGED');
        else expect(result).toEqual(comparable(entries));
      }
    });
  });
});

// Where an archive is cut has nothing to do with its codec.
it.each(WAYS)('an archive $what is found damaged wherever it is cut, and never gives entries', async ({ options }) => {
  const { bytes } = await writeFull(manyEntries(4, 50), {}, options);
  for (let length = 0; length < bytes.length; length++) {
    const bad = bytes.subarray(0, length);
    const report = await verify(bad, options);
    expect(report.integrityValid, `${length} of ${bytes.length} bytes`).toBe(false);
    expect(await read(bad, options), `${length} of ${bytes.length} bytes`).toBe('BACKUP_DAMAGED');
  }
});
