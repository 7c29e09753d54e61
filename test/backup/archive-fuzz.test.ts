import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { Damage } from '../../src/backup/archive-format.js';
import { decodeIndexFrame } from '../../src/backup/archive-index.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { ChangeLayout, EntryLayout, RecordDecoder } from '../../src/backup/archive-records.js';
import { rescueArchive } from '../../src/backup/archive-rescue.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { LlmspellError } from '../../src/errors.js';
import { body, forged, takeApart } from './forge.js';
import { collect, compressed, MemorySource, manyEntries, writeFull, writeIncremental } from './support.js';

/** Runs `read`, which may only fail as damaged bytes do. */
async function onlyDamage(read: () => unknown): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (error instanceof Damage) return;
    expect(error).toBeInstanceOf(LlmspellError);
    expect(['BACKUP_DAMAGED', 'BACKUP_VERSION']).toContain((error as LlmspellError).code);
  }
}

async function readEverything(bytes: Uint8Array): Promise<void> {
  await onlyDamage(() => readArchiveInfo(new MemorySource(bytes)));
  await onlyDamage(async () => {
    const reader = await openArchive(new MemorySource(bytes));
    await collect(reader.info.parent ? reader.changes() : reader.entries());
  });
  await verifyArchive(new MemorySource(bytes));
  for await (const _ of rescueArchive(new MemorySource(bytes)));
}

const changes = [1, 2, 3].map((n) => ({
  seq: 10 + n,
  timeMs: n,
  scope: Buffer.from('scope'),
  key: Buffer.from(`key${n}`),
  value: n === 2 ? null : Buffer.from('value'),
}));

it('random bytes as the content of a chunk or an index are damage and nothing worse', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      await onlyDamage(() => new RecordDecoder(new EntryLayout()).decode(bytes));
      await onlyDamage(() => new RecordDecoder(new ChangeLayout(0, 1e9)).decode(bytes));
      await onlyDamage(() => [...decodeIndexFrame(bytes)]);
    }),
    { numRuns: 2000 },
  );
});

it('a frame whose content was changed and whose checksums were made to fit is at worst another archive', async () => {
  const archives = [
    (await writeFull(manyEntries(5, 40), compressed('none'))).bytes,
    (await writeIncremental(changes, compressed('none'))).bytes,
  ];
  const edit = fc.record({ at: fc.nat(2000), bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...archives), fc.nat(3), edit, async (archive, frame, { at, bytes }) => {
      const { frames } = takeApart(archive);
      const content = Buffer.from(frames[frame]!.payload.subarray(5));
      content.set(bytes.subarray(0, content.length), at % Math.max(1, content.length - bytes.length));
      const changed = forged(archive, (parts) => {
        parts.frames[frame]!.payload = body(0, content.length, content);
      });
      await readEverything(changed);
    }),
    { numRuns: 300 },
  );
});

it('an archive of which any part was overwritten, repeated or taken out is at worst unreadable', async () => {
  const { bytes } = await writeFull(manyEntries(30, 40), compressed('zstd'));
  const slice = fc.record({ from: fc.nat(bytes.length), length: fc.nat(200) });
  await fc.assert(
    fc.asyncProperty(slice, slice, fc.constantFrom('overwrite', 'insert', 'remove'), async (a, b, how) => {
      const part = bytes.subarray(a.from, a.from + a.length);
      const rest = how === 'insert' ? b.from : b.from + (how === 'remove' ? b.length : part.length);
      const inserted = how === 'remove' ? Buffer.alloc(0) : part;
      await readEverything(Buffer.concat([bytes.subarray(0, b.from), inserted, bytes.subarray(rest)]));
    }),
    { numRuns: 300 },
  );
});
