import { latin1Of, utf8 } from '../util/bytes.js';

/** Whether a name fits; names are given as `latin1Of` their bytes. */
export type Matcher = (name: string) => boolean;

/** A glob over bytes: `*` is any run of them, `?` one, `\` takes the next character as it is; everything else is itself. */
export function globMatcher(glob: string): Matcher {
  if (glob === '*') return () => true;
  const parts = latin1Of(utf8(glob)).match(/\\.|./gs) ?? [];
  const isPlain = !parts.some((part) => part === '*' || part === '?');
  const literal = parts.map(unescaped).join('');
  if (isPlain) return (name) => name === literal;
  const pattern = new RegExp(`^${parts.map(toRegExp).join('')}$`, 's');
  return (name) => pattern.test(name);
}

const unescaped = (part: string): string => (part.length > 1 ? part.slice(1) : part);

function toRegExp(part: string): string {
  if (part === '*') return '.*';
  if (part === '?') return '.';
  return unescaped(part).replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}
