import { describe, expect, it } from 'vitest';
import { openArchive } from '../../src/backup/archive-reader.js';
import { verifyArchive } from '../../src/backup/archive-verify.js';
import { encodeKey } from '../../src/state/key.js';
import { equalBytes, utf8 } from '../../src/util/bytes.js';
import { collect, comparable, compressed, MemorySource, sorted, writeFull } from './support.js';

describe('an index of keys longer than it keeps', () => {
  /** Keys that differ only behind the part that the index has, in three scopes that do so too. */
  const long = 'p'.repeat(2000);
  const entries = sorted(
    Array.from({ length: 900 }, (_, i) => ({
      key: encodeKey(utf8(`${long}${i % 3}`), utf8(`${long}${String(i).padStart(4, '0')}`)),
      value: new Uint8Array(1000).fill(i),
    })),
  );

  it('still finds every entry and every scope', async () => {
    const { bytes } = await writeFull(entries, compressed('none'));
    const reader = await openArchive(new MemorySource(bytes));
    for (let at = 0; at < entries.length; at += 37)
      expect(equalBytes((await reader.get(entries[at]!.key))!, entries[at]!.value)).toBe(true);
    const second = entries.slice(300, 600);
    expect(await collect(reader.entries([utf8(`${long}1`)]))).toEqual(comparable(second));
    expect(await collect(reader.entries([utf8(`${long}3`)]))).toEqual([]);
  });
});

describe('an index of several frames', () => {
  it('is read and verified as one', async () => {
    // Each chunk has one value and a key that fills the index: 300 chunks need more than one frame of 256 KiB.
    const entries = Array.from({ length: 300 }, (_, i) => ({
      key: encodeKey(utf8('s'), utf8(`${String(i).padStart(4, '0')}${'k'.repeat(1200)}`)),
      value: new Uint8Array(600_000).fill(i),
    }));
    const { bytes } = await writeFull(entries);
    expect(bytes.indexOf('LSFI')).not.toBe(bytes.lastIndexOf('LSFI'));
    const reader = await openArchive(new MemorySource(bytes));
    expect(equalBytes((await reader.get(entries[255]!.key))!, entries[255]!.value)).toBe(true);
    let count = 0;
    for await (const page of reader.entries()) count += page.length;
    expect(count).toBe(300);
    expect(await verifyArchive(new MemorySource(bytes))).toMatchObject({ integrityValid: true });
  });
});
