/** Rows with each column as wide as its widest cell, two spaces between; the last one is not padded. Colours do not count. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - widthOf(cell)))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/** A column is not made narrower than this. */
const LEAST_WIDTH = 12;

/** Undefined where there is no terminal, or one that does not tell: then it says 0. */
export const terminalWidth = (): number | undefined => process.stdout.columns || undefined;

/** The rows with one column shortened so that each fits the terminal; as they are where there is none. */
export function fitted(rows: readonly string[][], at: number, width: number | undefined = terminalWidth()): string[][] {
  if (width === undefined) return [...rows];
  const others = rows.map((row) => row.toSpliced(at, 1).map(widthOf));
  const widest = others[0]?.map((_, i) => Math.max(...others.map((row) => row[i]!))) ?? [];
  const room = Math.max(LEAST_WIDTH, width - widest.reduce((sum, each) => sum + each + 2, 0));
  return rows.map((row) => row.with(at, shortened(row.at(at)!, room)));
}

const ANSI = /\u001b\[[0-9;]*m/g;
/** Each character, and each change of colour. */
const PARTS = /\u001b\[[0-9;]*m|./gsu;
const TAKES_NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** What terminals show in two columns: what is written in East Asia, and pictures. */
const TAKES_TWO =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

const widthOfCharacter = (character: string): number =>
  TAKES_NONE.test(character) ? 0 : TAKES_TWO.test(character) ? 2 : 1;

/** In columns of a terminal; colours take none. */
export const widthOf = (text: string): number =>
  Array.from(text.replace(ANSI, '')).reduce((sum, character) => sum + widthOfCharacter(character), 0);

/** The text, or, where it is wider, its beginning and `…`; its colours end as they did. */
export function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let [out, room, isCut] = ['', width - 1, false];
  for (const [part] of text.matchAll(PARTS)) {
    if (part.startsWith('\u001b')) out += part;
    else if (!isCut && widthOfCharacter(part) <= room) {
      out += part;
      room -= widthOfCharacter(part);
    } else if (!isCut) {
      out += '…';
      isCut = true;
    }
  }
  return out;
}

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
