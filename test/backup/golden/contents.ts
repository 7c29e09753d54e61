import type { ArchiveOptions, ArchiveStart, CompressionType, EncryptionKey } from '../../../src/backup/types.js';
import { encodeKey } from '../../../src/state/key.js';
import type { HistoryRecord, RawEntry } from '../../../src/state/types.js';
import { utf8 } from '../../../src/util/bytes.js';
import { LEVELS, PARENT, sorted } from '../support.js';

/** What the golden archives hold. Never change it: archives that are there for good say exactly this. */
const bytes = (...values: number[]) => Uint8Array.from(values);

const ENTRIES: readonly RawEntry[] = sorted([
  { key: encodeKey(utf8('global'), utf8('answer')), value: bytes(42) },
  { key: encodeKey(utf8('global'), utf8('text')), value: bytes(0xa5, ...utf8('hello')) },
  { key: encodeKey(utf8('global'), bytes(0, 1, 0xff)), value: bytes(0xc3) },
  { key: encodeKey(bytes(0xff, 0, 7), utf8('k')), value: bytes(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0) },
  { key: encodeKey(utf8('agent_1'), utf8('repeated')), value: bytes(0xd9, 200, ...utf8('ab'.repeat(100))) },
]);

/** Longer than a chunk. */
const LONG: RawEntry = { key: encodeKey(utf8('long'), utf8('value')), value: new Uint8Array(1_300_000).fill(0x20) };

const CHANGES: readonly HistoryRecord[] = [
  { seq: 11, timeMs: 1_700_000_000_000, scope: utf8('global'), key: utf8('answer'), value: bytes(43) },
  { seq: 12, timeMs: 1_700_000_000_000, scope: utf8('global'), key: utf8('text'), value: null },
  {
    seq: 300,
    timeMs: 1_700_000_000_999,
    rewind: { storeId: 'store-1', toSeq: 11, toTimeMs: 1_700_000_000_000, source: 'backup 0123456789abcdef' },
  },
  { seq: 301, timeMs: 1_700_000_100_000, scope: bytes(0, 0xff), key: utf8('k'), value: bytes(0xc0) },
];

interface Golden {
  name: string;
  start: Partial<ArchiveStart>;
  options: ArchiveOptions;
  entries?: readonly RawEntry[];
  changes?: readonly HistoryRecord[];
}

const raw: EncryptionKey = { kind: 'raw', bytes: new Uint8Array(32).map((_, i) => i) };
const passphrase: EncryptionKey = { kind: 'passphrase', passphrase: 'golden passphrase' };
const compression = (type: CompressionType) => ({ type, level: LEVELS[type] });
const start = (type: CompressionType, over: Partial<ArchiveStart> = {}): Partial<ArchiveStart> => ({
  compression: compression(type),
  description: 'golden – äöü',
  tags: ['one', 'two'],
  ...over,
});

export const GOLDEN: readonly Golden[] = [
  { name: 'full-zstd', start: start('zstd'), options: {}, entries: [...ENTRIES, LONG] },
  { name: 'full-gzip', start: start('gzip'), options: {}, entries: [...ENTRIES, LONG] },
  { name: 'full-lz4', start: start('lz4'), options: {}, entries: ENTRIES },
  { name: 'full-brotli', start: start('brotli'), options: {}, entries: [...ENTRIES, LONG] },
  { name: 'full-none', start: start('none', { schemaVersion: '1.2.0' }), options: {}, entries: ENTRIES },
  { name: 'full-empty', start: start('zstd'), options: {}, entries: [] },
  { name: 'full-raw-key', start: start('zstd'), options: { key: raw }, entries: ENTRIES },
  { name: 'full-passphrase', start: start('zstd'), options: { key: passphrase }, entries: ENTRIES },
  { name: 'incremental-zstd', start: start('zstd', { parent: PARENT }), options: {}, changes: CHANGES },
  { name: 'incremental-none', start: start('none', { parent: PARENT }), options: {}, changes: CHANGES },
].map((golden) => ({ ...golden, ...(golden.entries && { entries: sorted(golden.entries) }) }));
