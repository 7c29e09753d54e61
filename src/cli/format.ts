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
