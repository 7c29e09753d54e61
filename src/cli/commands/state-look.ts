import { LlmspellError } from '../../errors.js';
import { decodeValue } from '../../state/codec.js';
import { toExactJson } from '../../state/exact-json.js';
import { decodeKey } from '../../state/key.js';
import type { HistoryItem, StateStore } from '../../state/types.js';
import { type Bytes, printable, utf8 } from '../../util/bytes.js';
import type { Context } from '../context.js';
import { byteCount, columns, counted, fitted, localTime } from '../format.js';
import type { Style } from '../output.js';
import { valueText } from '../value-text.js';
import { withHost } from '../with-host.js';

const LOOKING = { readOnly: true, persistent: true };
const DEFAULT_SCOPE = 'global';

interface Entry {
  scope: Bytes;
  key: Bytes;
  value: Bytes;
}

/** The entries of all scopes, of one, or one entry. */
export async function show(context: Context, [key]: string[], { scope }: { scope?: string }): Promise<void> {
  if (key !== undefined) return get(context, [scope ?? DEFAULT_SCOPE, key]);
  await withHost(context, LOOKING, async (host) => {
    const scopes = scope === undefined ? undefined : [utf8(scope)];
    const entries: Entry[] = [];
    await eachEntry(await host.store(), scopes, (entry) => entries.push(entry));
    context.out.result({ entries: entries.map(entryDocument) }, (style) => entriesText(entries, style));
  });
}

/** Every entry of the state, or of some scopes, as it is now; resolves with the sequence number of the last change. */
async function eachEntry(
  store: StateStore,
  scopes: readonly Bytes[] | undefined,
  use: (entry: Entry) => void,
): Promise<number> {
  const snapshot = await store.snapshot();
  try {
    for await (const page of snapshot.entries(scopes))
      for (const { key: raw, value } of page) use({ ...decodeKey(raw)!, value });
    return snapshot.seq;
  } finally {
    await snapshot.close();
  }
}

const entryDocument = ({ scope, key, value }: Entry) => ({
  scope: printable(scope),
  key: printable(key),
  value: toExactJson(value),
});

function entriesText(entries: readonly Entry[], style: Style): string {
  if (entries.length === 0) return 'There are no entries.';
  const blocks = new Map<string, string[][]>();
  for (const { scope, key, value } of entries) {
    const rows = blocks.get(printable(scope)) ?? [];
    rows.push([`  ${printable(key)}`, shortText(value)]);
    blocks.set(printable(scope), rows);
  }
  return [...blocks].map(([scope, rows]) => `${style.bold(scope)}\n${columns(rows)}`).join('\n\n');
}

/** On one line; long values are told in full by `get`. */
function shortText(value: Bytes): string {
  const text = valueText(decodeValue(value), Number.POSITIVE_INFINITY);
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`;
}

/** One value. */
export async function get(context: Context, [scope = '', key = '']: string[]): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const entry = { scope: utf8(scope), key: utf8(key) };
    const stored = await (await host.store()).get(entry.scope, entry.key);
    if (!stored)
      throw new LlmspellError('NOT_FOUND', `There is no ${key} in the scope ${scope}.`, {
        hint: `\`llmspell state list ${scope}\` prints the keys there are.`,
      });
    context.out.result(entryDocument({ ...entry, value: stored.value }), () => valueText(decodeValue(stored.value)));
  });
}

/** The keys of a scope, in byte order. */
export async function list(
  context: Context,
  [scope = DEFAULT_SCOPE]: string[],
  { prefix = '' }: { prefix?: string },
): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const keys = (await (await host.store()).list(utf8(scope), { prefix: utf8(prefix) })).map(printable);
    context.out.result({ scope, keys }, () => keys.join('\n'));
  });
}

/** The scopes that hold anything. */
export async function scopes(context: Context): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const names = (await (await host.store()).scopes()).map(printable);
    context.out.result({ scopes: names }, () => names.join('\n'));
  });
}

/** What an entry was, newest first. */
export async function history(
  context: Context,
  [scope = '', key = '']: string[],
  options: { limit?: number },
): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const steps = await (await host.store()).history(utf8(scope), utf8(key), options);
    context.out.result({ scope, key, history: steps.map(stepDocument) }, (style) =>
      steps.length === 0 ? 'There is no history.' : columns(steps.map((step) => stepRow(step, style))),
    );
  });
}

const stepDocument = ({ value, timeMs, seq }: HistoryItem) => ({
  ...(value !== null && { value: toExactJson(value) }),
  deleted: value === null,
  at_ms: timeMs,
  seq,
});

const stepRow = ({ value, timeMs, seq }: HistoryItem, style: Style): string[] => [
  localTime(timeMs),
  style.dim(`#${seq}`),
  value === null ? style.red('deleted') : shortText(value),
];

/** How many entries and bytes each scope holds; walks the whole state. */
export async function stats(context: Context): Promise<void> {
  await withHost(context, LOOKING, async (host) => {
    const byScope = new Map<string, ScopeStats>();
    const seq = await eachEntry(await host.store(), undefined, ({ scope: name, key, value }) => {
      const scope = printable(name);
      const sum = byScope.get(scope) ?? { scope, entries: 0, bytes: 0 };
      byScope.set(scope, { scope, entries: sum.entries + 1, bytes: sum.bytes + key.length + value.length });
    });
    const sums = [...byScope.values()];
    const document = { seq, entries: total(sums, 'entries'), bytes: total(sums, 'bytes'), scopes: sums };
    context.out.result(document, (style) => statsText(sums, style));
  });
}

interface ScopeStats {
  scope: string;
  entries: number;
  /** Of keys and encoded values. */
  bytes: number;
}

const total = (sums: readonly ScopeStats[], of: 'entries' | 'bytes') => sums.reduce((sum, each) => sum + each[of], 0);

function statsText(sums: readonly ScopeStats[], style: Style): string {
  if (sums.length === 0) return 'There are no entries.';
  const most = Math.max(...sums.map(({ bytes }) => bytes));
  const row = ({ scope, entries, bytes }: ScopeStats, bar: string) => [
    scope,
    counted(entries, 'entry', 'entries'),
    byteCount(bytes),
    bar,
  ];
  const largestFirst = sums.toSorted((a, b) => b.bytes - a.bytes);
  const rows = largestFirst.map((each) => row(each, style.cyan('█'.repeat(Math.ceil((20 * each.bytes) / most)))));
  const sum = row({ scope: style.bold('total'), entries: total(sums, 'entries'), bytes: total(sums, 'bytes') }, '');
  return columns(fitted([...rows, sum], 0));
}
