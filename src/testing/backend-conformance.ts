import assert from 'node:assert/strict';
import type {
  BackendEntry,
  BackendOperation,
  BackendView,
  KeyRange,
  LoadRange,
  Segment,
  StateBackend,
} from '../state/backend.js';
import { packPage } from '../state/packed-page.js';
import { type Bytes, compareBytes, utf8 } from '../util/bytes.js';

/** The part of a test runner that a suite needs: `test` of vitest, jest or node:test. */
export type DefineTest = (name: string, body: () => Promise<void>) => unknown;

export interface BackendSuite {
  test: DefineTest;
  /** A new, empty backend, not yet open. */
  create(): Promise<StateBackend>;
  /** Another backend on what a closed one left; absent where nothing outlives it. */
  reopen?(closed: StateBackend): Promise<StateBackend>;
}

/**
 * Defines one test for each promise of {@link StateBackend}. A backend is one when all pass:
 *
 * ```ts
 * import { test } from 'vitest';
 * import { testStateBackend } from 'llmspell/testing';
 * testStateBackend({ test, create: async () => new MyBackend(await emptyDatabase()), reopen: async (b) => b.again() });
 * ```
 */
export function testStateBackend(suite: BackendSuite): void {
  for (const [name, body] of Object.entries(PROMISES))
    suite.test(name, () => withBackend(suite, (backend) => body(backend)));
  if (suite.reopen !== undefined)
    suite.test('what was committed is there after closing and opening again', () => testReopen(suite));
}

const PROMISES: Record<string, (backend: StateBackend) => Promise<void>> = {
  'a missing key reads as undefined': async (backend) => {
    assert.equal(await backend.get(utf8('nothing')), undefined);
    assert.deepEqual(await backend.getMany([utf8('a'), utf8('b')]), [undefined, undefined]);
    assert.deepEqual(await entriesOf(backend), []);
  },

  'entries come back as they were written, with odd keys and values': async (backend) => {
    const written = ODD_KEYS.map((key, i): BackendEntry => [key, new Uint8Array(i).fill(i)]);
    await putAll(backend, written);
    for (const [key, value] of written) {
      assert.deepEqual(plain(await backend.get(key)), plain(value));
      if (backend.getSync !== undefined) assert.deepEqual(plain(backend.getSync(key)), plain(value));
    }
    const many = await backend.getMany(written.map(([key]) => key));
    assert.deepEqual(
      many.map(plain),
      written.map(([, value]) => plain(value)),
    );
  },

  'a value of 64 MiB and a key of 128 KiB are kept': async (backend) => {
    const key = new Uint8Array(128 << 10).fill(0x61);
    const value = new Uint8Array(64 << 20).fill(7);
    await putAll(backend, [[key, value]]);
    assert.equal(compareBytes((await backend.get(key))!, value), 0);
  },

  'iteration is in unsigned byte order, in every range, forward and back': async (backend) => {
    await putAll(
      backend,
      [...ODD_KEYS].reverse().map((key) => [key, key]),
    );
    for (const range of everyRange()) {
      const expected = ODD_KEYS.filter((key) => isInside(key, range));
      if (range.reverse) expected.reverse();
      const keys = (await entriesOf(backend, range)).map(([key]) => key);
      assert.deepEqual(keys.map(plain), expected.slice(0, range.limit).map(plain), JSON.stringify(range));
    }
  },

  'long ranges come in pages, none of them empty, also with keys only': async (backend) => {
    const written = Array.from({ length: 3000 }, (_, i): BackendEntry => [numbered(i), new Uint8Array(1000).fill(i)]);
    await putAll(backend, written);
    assert.deepEqual((await entriesOf(backend)).map(plainEntry), written.map(plainEntry));
    const keys = await entriesOf(backend, { keysOnly: true, limit: 2500 });
    assert.equal(keys.length, 2500);
    assert.ok(keys.every(([, value]) => value.length === 0));
  },

  'of two operations on one key in one batch the later one counts': async (backend) => {
    const key = utf8('k');
    await backend.commit({ operations: [put(key, 1), { type: 'del', key }, put(key, 2)] }, { sync: false });
    assert.deepEqual(plain(await backend.get(key)), [2]);
    await backend.commit({ operations: [put(key, 3), { type: 'del', key }] }, { sync: false });
    assert.equal(await backend.get(key), undefined);
  },

  'commits take effect in the order of the calls': async (backend) => {
    const key = utf8('k');
    const commits = Array.from({ length: 50 }, (_, i) =>
      backend.commit({ operations: [put(key, i)], segments: [segment(i + 1, i + 1)] }, { sync: i % 7 === 0 }),
    );
    await Promise.all(commits);
    assert.deepEqual(plain(await backend.get(key)), [49]);
    assert.equal((await segmentsOf(backend)).length, 50);
  },

  'a snapshot shows what was committed before it and nothing after': async (backend) => {
    const before = Array.from({ length: 700 }, (_, i): BackendEntry => [numbered(i), numbered(i)]);
    await backend.commit({ operations: before.map(toPut), segments: [segment(1, 700)] }, { sync: false });
    const snapshot = await backend.snapshot();
    const iterator = snapshot.iterate({})[Symbol.asyncIterator]();
    const first = await iterator.next();
    await backend.commit(
      {
        operations: [{ type: 'del', key: numbered(650) }, put(numbered(660), 1), put(numbered(9000), 1)],
        segments: [segment(701, 703)],
      },
      { sync: false },
    );
    await backend.trimChanges(700);
    await backend.clearRange({ lt: numbered(300) });
    assert.deepEqual((await entriesOf(snapshot)).map(plainEntry), before.map(plainEntry));
    assert.deepEqual(plain(await snapshot.get(numbered(660))), plain(numbered(660)));
    assert.equal((await snapshot.getMany([numbered(9000)]))[0], undefined);
    assert.deepEqual((await segmentsOf(snapshot)).map(bounds), [[1, 700]]);
    const rest = [...(first.value as BackendEntry[])];
    for (let page = await iterator.next(); !page.done; page = await iterator.next()) rest.push(...page.value);
    assert.deepEqual(rest.map(plainEntry), before.map(plainEntry));
    await snapshot.close();
    assert.deepEqual((await segmentsOf(backend)).map(bounds), [[701, 703]]);
  },

  'an iteration over the live data is not torn by commits meanwhile': async (backend) => {
    await putAll(
      backend,
      Array.from({ length: 2000 }, (_, i) => [numbered(i), new Uint8Array([0])]),
    );
    const seen: number[] = [];
    for await (const page of backend.iterate({})) {
      seen.push(...page.map(([, value]) => value[0]!));
      await backend.commit({ operations: [put(numbered(1), 1), put(numbered(1999), 1)] }, { sync: false });
    }
    assert.equal(seen.length, 2000);
    assert.ok(seen.every((v) => v === 0));
  },

  'segments come back in order, from any sequence number on': async (backend) => {
    for (let i = 0; i < 20; i++)
      await backend.commit({ operations: [], segments: [segment(i * 10 + 1, i * 10 + 10)] }, { sync: false });
    await backend.commit({ operations: [], segments: [segment(201, 300), segment(301, 2 ** 40)] }, { sync: true });
    assert.equal((await segmentsOf(backend, 0)).length, 22);
    assert.deepEqual((await segmentsOf(backend, 185)).map(bounds), [
      [181, 190],
      [191, 200],
      [201, 300],
      [301, 2 ** 40],
    ]);
    assert.deepEqual((await segmentsOf(backend, 200)).map(bounds)[0], [201, 300]);
    assert.deepEqual(await segmentsOf(backend, 2 ** 40), []);
    assert.deepEqual(plain((await segmentsOf(backend, 0))[3]!.bytes), plain(segment(31, 40).bytes));
  },

  'trimming removes the segments that end at or below a number, and tells the bytes': async (backend) => {
    const segments = [segment(1, 10), segment(11, 20), segment(21, 30)];
    await backend.commit({ operations: [put(utf8('k'), 1)], segments }, { sync: false });
    assert.equal(await backend.trimChanges(9), 0);
    assert.equal(await backend.trimChanges(25), segments[0]!.bytes.length + segments[1]!.bytes.length);
    assert.deepEqual((await segmentsOf(backend)).map(bounds), [[21, 30]]);
    assert.deepEqual(plain(await backend.get(utf8('k'))), [1]);
  },

  'dropping removes the segments that end above a number, and nothing else': async (backend) => {
    const segments = [segment(1, 10), segment(11, 20), segment(21, 30)];
    await backend.commit({ operations: [put(utf8('k'), 1)], segments }, { sync: false });
    await backend.dropChanges(30);
    assert.equal((await segmentsOf(backend)).length, 3);
    await backend.dropChanges(10);
    assert.deepEqual((await segmentsOf(backend)).map(bounds), [[1, 10]]);
    assert.deepEqual(plain(await backend.get(utf8('k'))), [1]);
    await backend.commit({ operations: [], segments: [segment(11, 11)] }, { sync: false });
    assert.deepEqual((await segmentsOf(backend)).map(bounds), [
      [1, 10],
      [11, 11],
    ]);
  },

  'clearing a range leaves everything outside it': async (backend) => {
    await putAll(
      backend,
      Array.from({ length: 2500 }, (_, i) => [numbered(i), numbered(i)]),
    );
    await backend.commit({ operations: [], segments: [segment(1, 1)] }, { sync: false });
    await backend.clearRange({ gte: numbered(100), lt: numbered(2400) });
    assert.deepEqual(
      (await entriesOf(backend)).map(([key]) => plain(key)),
      [...range(0, 100), ...range(2400, 2500)].map((i) => plain(numbered(i))),
    );
    assert.equal((await segmentsOf(backend)).length, 1);
  },

  'what was loaded reads as what was committed does, in every range': async (backend) => {
    const around = [ODD_KEYS[0]!, ODD_KEYS.at(-1)!];
    const inside = ODD_KEYS.slice(1, -1);
    if (!(await load(backend, { gte: ODD_KEYS[1]!, lt: ODD_KEYS.at(-1)! }, [inside.slice(0, 5), inside.slice(5)])))
      return;
    await putAll(
      backend,
      around.map((key) => [key, key]),
    );
    const snapshot = await backend.snapshot();
    for (const view of [backend, snapshot]) {
      for (const key of ODD_KEYS) assert.deepEqual(plain(await view.get(key)), plain(key));
      const many = await view.getMany([...ODD_KEYS, utf8('no')]);
      assert.deepEqual(many.map(plain), [...ODD_KEYS.map(plain), undefined]);
      for (const range of everyRange()) {
        const expected = ODD_KEYS.filter((key) => isInside(key, range));
        if (range.reverse) expected.reverse();
        const found = (await entriesOf(view, range)).map(plainEntry);
        assert.deepEqual(
          found,
          expected.slice(0, range.limit).map((key) => [plain(key), plain(key)]),
          JSON.stringify(range),
        );
      }
    }
    await snapshot.close();
    if (backend.getSync !== undefined)
      for (const key of ODD_KEYS) assert.deepEqual(plain(backend.getSync(key)), plain(key));
  },

  'commits change what was loaded, and snapshots stay': async (backend) => {
    const keys = range(0, 3000).map(numbered);
    const before = await backend.snapshot();
    if (!(await load(backend, { gte: numbered(0), lt: numbered(3000) }, [keys]))) return await before.close();
    const loaded = await backend.snapshot();
    const changed = new Map(keys.map((key, i): [number, Bytes] => [i, key]));
    const operations = range(0, 3000).flatMap((i) => {
      const del = { type: 'del', key: numbered(i) } as const;
      if (i % 7 === 0) changed.delete(i);
      if (i % 5 === 0) changed.set(i, new Uint8Array([i % 256]));
      if (i % 35 === 0) return [del, put(numbered(i), i % 256)];
      return [...(i % 7 === 0 ? [del] : []), ...(i % 5 === 0 ? [put(numbered(i), i % 256)] : [])];
    });
    await backend.commit({ operations }, { sync: false });
    await backend.commit({ operations: [{ type: 'del', key: numbered(5) }] }, { sync: false });
    changed.delete(5);
    const expected = [...changed].sort(([a], [b]) => a - b).map(([i, value]) => [plain(numbered(i)), plain(value)]);
    assert.deepEqual((await entriesOf(backend)).map(plainEntry), expected);
    assert.deepEqual((await entriesOf(backend, { reverse: true })).map(plainEntry), [...expected].reverse());
    assert.deepEqual(
      (await entriesOf(backend, { keysOnly: true, limit: 2000 })).map(([key]) => plain(key)),
      expected.slice(0, 2000).map(([key]) => key),
    );
    const many = await backend.getMany(keys);
    assert.deepEqual(
      many.map(plain),
      keys.map((_, i) => plain(changed.get(i))),
    );
    assert.deepEqual(await entriesOf(before), []);
    assert.deepEqual(
      (await entriesOf(loaded)).map(plainEntry),
      keys.map((key) => [plain(key), plain(key)]),
    );
    await backend.clearRange(CLEARED);
    assert.deepEqual(
      (await entriesOf(backend)).map(([key]) => plain(key)),
      expected.flatMap(([key]) => (isInside(Uint8Array.from(key!), CLEARED) ? [] : [key])),
    );
    assert.equal((await entriesOf(loaded)).length, 3000);
    await loaded.close();
    await before.close();
  },

  'what was loaded is cleared with its range, which can be loaded again': async (backend) => {
    const bounds = { gte: numbered(100), lt: numbered(200) };
    if (!(await load(backend, bounds, [range(100, 200).map(numbered)]))) return;
    await putAll(backend, [
      [numbered(99), numbered(99)],
      [numbered(150), numbered(1)],
      [numbered(200), numbered(200)],
    ]);
    await backend.commit({ operations: [{ type: 'del', key: numbered(160) }] }, { sync: false });
    const snapshot = await backend.snapshot();
    await backend.clearRange(bounds);
    const rest = [99, 200].map((i) => plain(numbered(i)));
    assert.deepEqual(
      (await entriesOf(backend)).map(([key]) => plain(key)),
      rest,
    );
    assert.equal(await backend.get(numbered(120)), undefined);
    await load(backend, bounds, [[numbered(160)]]);
    assert.deepEqual(plain(await backend.get(numbered(160))), plain(numbered(160)));
    assert.equal((await entriesOf(backend)).length, 3);
    assert.equal((await entriesOf(snapshot)).length, 101);
    assert.equal(await snapshot.get(numbered(160)), undefined);
    await snapshot.close();
  },

  'a load that fails leaves nothing': async (backend) => {
    if (backend.load === undefined) return;
    const failing = async function* () {
      yield packPage([[numbered(1), numbered(1)]]);
      throw new TypeError('no more');
    };
    await assert.rejects(backend.load({ gte: numbered(0), lt: numbered(9) }, failing()));
    assert.deepEqual(await entriesOf(backend), []);
    await load(backend, { gte: numbered(0), lt: numbered(9) }, [[numbered(2)]]);
    assert.deepEqual(
      (await entriesOf(backend)).map(([key]) => plain(key)),
      [plain(numbered(2))],
    );
  },

  'closing twice is harmless, and afterwards a commit is refused': async (backend) => {
    await backend.close();
    await backend.close();
    await assert.rejects(
      async () => backend.commit({ operations: [put(utf8('k'), 1)] }, { sync: false }),
      (error: { code?: string }) => error.code === 'STATE_CLOSED',
    );
  },
};

async function testReopen(suite: BackendSuite): Promise<void> {
  const first = await suite.create();
  await first.open();
  const operations = ODD_KEYS.map((key, i) => put(key, i));
  await first.commit({ operations, segments: [segment(1, 5)] }, { sync: false });
  await first.commit({ operations: [{ type: 'del', key: ODD_KEYS[0]! }], segments: [segment(6, 6)] }, { sync: true });
  const isLoaded = await load(first, LOADED, [range(1, 100).map(numbered)]);
  if (isLoaded) {
    const operations: BackendOperation[] = [put(numbered(3), 3), { type: 'del', key: numbered(4) }];
    await first.commit({ operations }, { sync: false });
  }
  await first.close();
  const second = await suite.reopen!(first);
  await second.open();
  try {
    if (isLoaded) {
      const keys = range(1, 100).filter((i) => i !== 4);
      const values = keys.map((i) => plain(i === 3 ? Uint8Array.of(3) : numbered(i)));
      assert.deepEqual(
        (await entriesOf(second, LOADED)).map(([, value]) => plain(value)),
        values,
      );
      await second.clearRange(LOADED);
    }
    assert.deepEqual(
      (await entriesOf(second)).map(plainEntry),
      ODD_KEYS.slice(1).map((key, i) => [plain(key), [i + 1]]),
    );
    assert.deepEqual((await segmentsOf(second)).map(bounds), [
      [1, 5],
      [6, 6],
    ]);
  } finally {
    await second.close();
  }
}

async function withBackend(suite: BackendSuite, body: (backend: StateBackend) => Promise<void>): Promise<void> {
  const backend = await suite.create();
  await backend.open();
  try {
    await body(backend);
  } finally {
    await backend.close();
  }
}

/** In byte order; first bytes that a backend might want for itself, bytes that signed comparison gets wrong. */
const ODD_KEYS: readonly Bytes[] = [
  [0],
  [0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1],
  [0, 255],
  [1],
  [1, 0],
  [1, 1],
  [2],
  [97],
  [97, 0],
  [97, 98],
  [127],
  [128],
  [254, 255],
  [255],
  [255, 0],
  [255, 255, 255],
].map((bytes) => new Uint8Array(bytes));

function everyRange(): KeyRange[] {
  const bound = new Uint8Array([97]);
  const other = new Uint8Array([254]);
  const ranges: KeyRange[] = [
    {},
    { gte: bound },
    { gt: bound },
    { lt: bound },
    { lte: bound },
    { gte: new Uint8Array([0, 0]), lt: new Uint8Array([1, 1]) },
    { gt: bound, lte: other },
    { gt: new Uint8Array([1, 0]), lt: new Uint8Array([255]) },
    { gte: other, lt: bound },
  ];
  return ranges.flatMap((r) => [r, { ...r, limit: 3 }, { ...r, reverse: true }, { ...r, reverse: true, limit: 2 }]);
}

const isInside = (key: Bytes, { gte, gt, lt, lte }: KeyRange): boolean =>
  (gte === undefined || compareBytes(key, gte) >= 0) &&
  (gt === undefined || compareBytes(key, gt) > 0) &&
  (lt === undefined || compareBytes(key, lt) < 0) &&
  (lte === undefined || compareBytes(key, lte) <= 0);

const put = (key: Bytes, byte: number) => ({ type: 'put', key, value: new Uint8Array([byte]) }) as const;
const toPut = ([key, value]: BackendEntry) => ({ type: 'put', key, value }) as const;
const numbered = (i: number): Bytes => utf8(`key ${String(i).padStart(6, '0')}`);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const segment = (firstSeq: number, lastSeq: number): Segment => ({
  firstSeq,
  lastSeq,
  bytes: utf8(`${firstSeq}…${lastSeq}`),
});
const bounds = ({ firstSeq, lastSeq }: Segment): [number, number] => [firstSeq, lastSeq];
const plain = (bytes: Bytes | undefined): number[] | undefined => bytes && [...bytes];
const plainEntry = ([key, value]: BackendEntry) => [plain(key), plain(value)];

const CLEARED = { gte: numbered(100), lt: numbered(2900) };
const LOADED = { gte: numbered(0), lt: numbered(1000) };

/** Entries whose values are their keys; false where the backend has no way to load them. */
async function load(backend: StateBackend, bounds: LoadRange, pages: readonly (readonly Bytes[])[]): Promise<boolean> {
  if (backend.load === undefined) return false;
  const packed = async function* () {
    for (const keys of pages) yield packPage(keys.map((key) => [key, key]));
  };
  await backend.load(bounds, packed());
  return true;
}

async function putAll(backend: StateBackend, entries: readonly BackendEntry[]): Promise<void> {
  await backend.commit({ operations: entries.map(toPut) }, { sync: false });
}

async function entriesOf(view: BackendView, range: KeyRange = {}): Promise<BackendEntry[]> {
  const entries: BackendEntry[] = [];
  for await (const page of view.iterate(range)) {
    assert.ok(page.length > 0, 'no page is empty');
    entries.push(...page);
  }
  return entries;
}

async function segmentsOf(view: BackendView, seq = 0): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const one of view.changesSince(seq)) segments.push(one);
  return segments;
}
