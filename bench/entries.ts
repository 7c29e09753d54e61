import { Packr } from 'msgpackr';
import { encodeKey } from '../dist/state/key.js';
import type { RawEntry } from '../dist/state/types.js';
import { compareBytes, utf8 } from '../dist/util/bytes.js';

/** Small fast counter (sfc32): a period of 2^64 and more, so that nothing repeats however many entries are made. */
export function randomSource(seed: number): () => number {
  let a = seed | 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

const SYLLABLES = 'ka lo mi ten ra sol ve dor pi nu gar el is tha mo ber qua fi zen or'.split(' ');

function vocabulary(random: () => number): string[] {
  const syllable = () => SYLLABLES[Math.floor(random() * SYLLABLES.length)]!;
  return Array.from({ length: 4000 }, () => Array.from({ length: 1 + Math.floor(random() * 3) }, syllable).join(''));
}

/**
 * What a script that keeps conversations, jobs and users would store: about 435 bytes of key and value an entry, in byte order of the raw keys.
 * 200,000 of them are 87 MB.
 */
export function realisticEntries(count: number, seed = 1): RawEntry[] {
  const entry = entrySource(seed);
  return Array.from({ length: count }, (_, i) => entry(i)).sort((x, y) => compareBytes(x.key, y.key));
}

const POOL = 20_000;

/**
 * Such entries one by one, for more of them than memory holds: the keys of {@link realisticEntries}, and values that come back after 20,000, which is
 * farther than any codec here looks. Another seed gives an entry another value.
 */
export function pooledEntries(seed: number): (i: number) => RawEntry {
  const source = entrySource(1);
  const pool = Array.from({ length: POOL }, (_, i) => source(i).value);
  return (i) => ({ key: keyOf(i), value: pool[(i + seed * 7919) % POOL]! });
}

const keyOf = (i: number) => encodeKey(utf8(`agent_${i % 50}`), utf8(`conversation:${String(i).padStart(8, '0')}`));

function entrySource(seed: number): (i: number) => RawEntry {
  const random = randomSource(seed);
  const words = vocabulary(random);
  // Few words are frequent and most are rare, as in a language.
  const word = () => words[Math.floor(words.length * random() ** 3)]!;
  const sentence = (length: number) => Array.from({ length }, word).join(' ');
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  const packr = new Packr({ useRecords: false });
  const document = (i: number) => ({
    id: hex(16),
    role: random() < 0.5 ? 'user' : 'assistant',
    created_at: 1_700_000_000 + i * 7 + Math.floor(random() * 7),
    tokens: Math.floor(random() * 4000),
    score: random(),
    active: random() < 0.8,
    tags: [word(), word()],
    title: sentence(4),
    content: sentence(20 + Math.floor(random() * 35)),
    meta: { model: `model-${Math.floor(random() * 5)}`, session: hex(12), attempt: Math.floor(random() * 3) },
  });
  return (i) => ({
    key: keyOf(i),
    value: new Uint8Array(packr.pack(document(i))),
  });
}
