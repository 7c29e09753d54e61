import { InvalidArgumentError } from 'commander';

/** What the arguments and options of the command line mean; a wrong one is a mistake of use. */

export function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d/.test(text) || !(value >= 0 && value <= 2_000_000))
    throw new InvalidArgumentError('It is not a number of seconds.');
  return value;
}

export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('It is not a whole number.');
  return value;
}

/** `512`, `64K`, `64M`, `1G` (powers of 1024; `KiB`, `MB`, … mean the same). */
export function byteSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+)\s*([kmg]?)(?:i?b)?$/i.exec(text) ?? [];
  const value = Number(digits) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase());
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It is not a size such as 64M.');
  return value;
}

export type Capability = 'file' | 'process';

export function capability(text: string, earlier: readonly Capability[] = []): readonly Capability[] {
  if (text !== 'file' && text !== 'process') throw new InvalidArgumentError('Allowed choices are file, process.');
  return [...earlier, text];
}

/** Options that may be given several times. */
export const repeated = (text: string, earlier: readonly string[] = []): readonly string[] => [...earlier, text];

/** A moment or the name of a backup: `@SECONDS` is Unix time, as `date` writes it; anything else is left as it is. */
export const moment = (text: string): string | number => (/^@\d+(\.\d+)?$/.test(text) ? Number(text.slice(1)) : text);

const SPAN_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A span in milliseconds: `30s`, `15m`, `6h`, `1d`. */
export function spanOfTime(text: string): number {
  const [, digits, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const spanMs = Number(digits) * SPAN_SECONDS[unit as keyof typeof SPAN_SECONDS] * 1000;
  // Beyond it a timer of Node ends at once.
  if (!(spanMs > 0 && spanMs < 2 ** 31))
    throw new InvalidArgumentError('It is not a span such as 15m (s, m, h, d; at most 24d).');
  return spanMs;
}
