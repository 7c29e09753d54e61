import { describe, expect, it } from 'vitest';
import { readArchiveInfo } from '../../src/backup/archive-ends.js';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import type { EncryptionKey } from '../../src/backup/types.js';
import { forged, takeApart } from './forge.js';
import {
  collect,
  comparable,
  compressed,
  entry,
  MemorySource,
  manyEntries,
  PARENT,
  RAW_KEY,
  start,
  writeFull,
  writeIncremental,
} from './support.js';

const PASSPHRASE: EncryptionKey = { kind: 'passphrase', passphrase: 'correct horse battery staple' };
const OTHER_RAW: EncryptionKey = { kind: 'raw', bytes: new Uint8Array(32).fill(8) };
const entries = manyEntries(8000, 300);

const secret = () =>
  writeFull(
    [entry('hidden-scope', 'hidden-key', 'hidden-value')],
    { ...compressed('none'), description: 'hidden-description', tags: ['hidden-tag'], schemaVersion: 'hidden-version' },
    { key: RAW_KEY },
  );

const open = (bytes: Uint8Array, key?: EncryptionKey) => openArchive(new MemorySource(bytes), key ? { key } : {});

describe('an archive encrypted with a passphrase', () => {
  it('opens with it and with no other', async () => {
    const { bytes } = await writeFull(entries.slice(0, 10), {}, { key: PASSPHRASE });
    expect(await collect((await open(bytes, PASSPHRASE)).entries())).toEqual(comparable(entries.slice(0, 10)));
    const wrong: EncryptionKey = { kind: 'passphrase', passphrase: 'correct horse battery stable' };
    await expect(open(bytes, wrong)).rejects.toMatchObject({ code: 'BACKUP_KEY', message: /another key/ });
    await expect(open(bytes, RAW_KEY)).rejects.toMatchObject({ code: 'BACKUP_KEY', message: /with a passphrase/ });
    await expect(open(bytes)).rejects.toMatchObject({ code: 'BACKUP_KEY', message: /no key is given/ });
  });

  it('opens with the same passphrase typed in another normal form', async () => {
    const { bytes } = await writeFull([], {}, { key: { kind: 'passphrase', passphrase: 'caf\u00e9' } });
    await expect(open(bytes, { kind: 'passphrase', passphrase: 'cafe\u0301' })).resolves.toBeDefined();
  });
});

describe('an archive encrypted with a raw key', () => {
  it('opens with it and with no other', async () => {
    const { bytes } = await secret();
    await expect(open(bytes, OTHER_RAW)).rejects.toMatchObject({ code: 'BACKUP_KEY', message: /another key/ });
    await expect(open(bytes, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_KEY', message: /with a raw key/ });
  });

  it.each([
    ['a raw key of 16 bytes', { kind: 'raw', bytes: new Uint8Array(16) } as const],
    ['an empty passphrase', { kind: 'passphrase', passphrase: '' } as const],
  ])('is not made with %s', async (_, key) => {
    await expect(writeFull([], {}, { key })).rejects.toMatchObject({ code: 'BACKUP_KEY' });
  });

  it('shows nothing of keys, values, names and texts', async () => {
    const { bytes } = await secret();
    expect(bytes.includes('hidden')).toBe(false);
  });

  it('tells without the key who it is and what it rests on, and nothing that is hidden', async () => {
    const { bytes, info } = await writeIncremental([], { description: 'secret' }, { key: RAW_KEY });
    const { id, sha256, sizeBytes, createdAtMs, compression, formatVersion } = info;
    for (const options of [{}, { key: OTHER_RAW }])
      expect(await readArchiveInfo(new MemorySource(bytes), options)).toEqual({
        id,
        sha256,
        sizeBytes,
        createdAtMs,
        compression,
        formatVersion,
        position: { storeId: 'store-1', seq: 0, timeMs: 0 },
        parent: { id: PARENT.id, sha256: PARENT.sha256, fromSeq: 0, fromTimeMs: 0 },
        description: '',
        tags: [],
        encrypted: true,
        sealed: true,
        recordCount: 0,
        entryCount: 0,
        uncompressedBytes: 0,
      });
    expect(await readArchiveInfo(new MemorySource(bytes), { key: RAW_KEY })).toEqual(info);
  });

  it('is verified without the key as far as its checksums go', async () => {
    const { bytes } = await secret();
    const report = await verifyArchive(new MemorySource(bytes));
    expect(report).toMatchObject({ checksumValid: true, integrityValid: false, problems: [{ kind: 'key' }] });
    expect(report.info).toMatchObject({ id: start().id, sealed: true });
    bytes[bytes.length >> 1]! ^= 1;
    expect(await verifyArchive(new MemorySource(bytes))).toMatchObject({ checksumValid: false });
  });

  it('is another file each time, under the same key id', async () => {
    const [one, two] = [takeApart((await secret()).bytes), takeApart((await secret()).bytes)];
    const encryption = ({ header }: { header: Record<string, unknown> }) =>
      header.encryption as Record<string, unknown>;
    expect(encryption(one).keyId).toBe(encryption(two).keyId);
    expect(encryption(one).salt).not.toBe(encryption(two).salt);
    for (const [at, frame] of one.frames.entries()) expect(frame.payload).not.toEqual(two.frames[at]!.payload);
  });
});

describe('somebody without the key who makes every checksum fit', () => {
  const encrypted = async () => (await writeFull(entries, compressed('none'), { key: RAW_KEY })).bytes;

  const expectDetected = async (bytes: Buffer) => {
    const read = async () => collect((await open(bytes, RAW_KEY)).entries());
    await expect(read()).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    const report = await verifyArchive(new MemorySource(bytes), { key: RAW_KEY });
    expect(report.integrityValid).toBe(false);
    expect(report.problems.map(({ message }) => message).join()).toMatch(/not authentic|is missing/);
  };

  it('cannot change a byte of any frame', async () => {
    const bytes = await encrypted();
    for (const at of takeApart(bytes).frames.keys())
      await expectDetected(forged(bytes, ({ frames }) => (frames[at]!.payload[7]! ^= 1)));
  });

  it('cannot swap chunks', async () => {
    const bytes = forged(await encrypted(), ({ frames }) => {
      [frames[1]!.payload, frames[2]!.payload] = [frames[2]!.payload, frames[1]!.payload];
    });
    await expectDetected(bytes);
  });

  it('cannot leave out the last chunk', async () => {
    const bytes = forged(await encrypted(), (parts) => {
      parts.frames.splice(-3, 1);
    });
    await expectDetected(bytes);
  });

  it('cannot put in a chunk of another archive with the same key', async () => {
    const donor = takeApart(await encrypted());
    await expectDetected(forged(await encrypted(), ({ frames }) => (frames[1]!.payload = donor.frames[1]!.payload)));
  });

  it.each([
    ['its time', { createdAtMs: 5 }],
    ['its id', { id: 'ffffffffffffffff' }],
    ['what it rests on', { parent: { id: PARENT.id, sha256: PARENT.sha256 } }],
  ])('cannot change %s', async (_, change) => {
    await expectDetected(forged(await encrypted(), ({ header }) => Object.assign(header, change)));
  });

  it('cannot make it take the memory of the machine for its key', async () => {
    const { bytes } = await writeFull([], {}, { key: PASSPHRASE });
    const greedy = forged(bytes, ({ header }) => {
      (header.encryption as { kdf: { n: number } }).kdf.n = 2 ** 30;
    });
    await expect(open(greedy, PASSPHRASE)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});
