/** Rows with each column as wide as its widest cell, two spaces between; the last one is not padded. Colours do not count. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - widthOf(cell)))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

const ANSI = /\u001b\[[0-9;]*m/g;
const widthOf = (text: string): number => Array.from(text.replace(ANSI, '')).length;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `812 B`, `1.2 MiB`. */
export function byteCount(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** `1,204 entries`, `1 entry`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;

const SPANS: readonly [string, number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
];

/** A span as people say it: `5 d`, `2 h`, `35 min`, `12 s`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
  const [unit, size] = SPANS.find(([, length]) => seconds >= length) ?? ['s', 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** How long something took: `0.12 s`. */
export const duration = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;

/** Local time, as `2026-11-23 22:45:01`. */
export function localTime(timeMs: number): string {
  const date = new Date(timeMs);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}
