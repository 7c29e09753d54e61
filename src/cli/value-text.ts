import { printable } from '../util/bytes.js';

/**
 * A value as a person reads it: JSON, but for what JSON has no word for: `nan`, `inf`, bytes as `"\\xff"`, and keys that are no
 * strings as `[1]`. On one line, or indented where it is long.
 */
export function valueText(value: unknown, width = 80): string {
  const line = render(value, '', '');
  return line.length <= width ? line : render(value, '\n', '');
}

function render(value: unknown, newline: string, indent: string): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return numberText(value);
  if (value instanceof Uint8Array) return `"${printable(value)}"`;
  const inner = newline === '' ? '' : `${indent}  `;
  const item = (child: unknown) => render(child, newline, inner);
  if (Array.isArray(value)) return enclosed('[', value.map(item), ']', newline, indent);
  if (typeof value !== 'object') return String(value as boolean | bigint);
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  const pairs = entries.map(
    ([key, child]) => `${typeof key === 'string' ? JSON.stringify(key) : `[${render(key, '', '')}]`}: ${item(child)}`,
  );
  return enclosed('{', pairs, '}', newline, indent);
}

function enclosed(open: string, items: string[], close: string, newline: string, indent: string): string {
  if (items.length === 0) return open + close;
  if (newline === '') return `${open}${items.join(', ')}${close}`;
  return `${open}${newline}${items.map((item) => `${indent}  ${item}`).join(`,${newline}`)}${newline}${indent}${close}`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0.0' : String(value);
}
