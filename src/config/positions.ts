import { type AST, parseTOML } from 'toml-eslint-parser';
import type { KeyPath } from './check.js';

/** Line and column, both from 1. */
export interface Position {
  line: number;
  column: number;
}

export interface KeyPositions {
  key: Position;
  /** Of its value; for a section the same as `key`. */
  value: Position;
}

/** Where each key of a TOML document stands, by dotted path. Slow to load and to run: only for messages. */
export function keyPositions(toml: string): Map<string, KeyPositions> {
  const positions = new Map<string, KeyPositions>();
  for (const node of parseTOML(toml, { tomlVersion: 'latest' }).body[0].body) {
    if (node.type === 'TOMLTable') collectTable(node, positions);
    else collectPair(node, [], positions);
  }
  return positions;
}

function collectTable(table: AST.TOMLTable, positions: Map<string, KeyPositions>): void {
  const path = table.resolvedKey.map(String);
  const key = start(table.key);
  positions.set(path.join('.'), { key, value: key });
  for (const pair of table.body) collectPair(pair, path, positions);
}

function collectPair(pair: AST.TOMLKeyValue, parent: KeyPath, positions: Map<string, KeyPositions>): void {
  const path = [...parent, ...pair.key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value))];
  positions.set(path.join('.'), { key: start(pair.key), value: start(pair.value) });
  if (pair.value.type === 'TOMLInlineTable') for (const inner of pair.value.body) collectPair(inner, path, positions);
}

const start = ({ loc }: AST.TOMLNode): Position => ({ line: loc.start.line, column: loc.start.column + 1 });
