import type { TomlError } from 'smol-toml';
import type { KeyPath, Problem } from './check.js';
import type { KeyPositions } from './positions.js';

/** What is wrong with a TOML file, as `FILE:LINE:COLUMN: key.path: what is wrong`, in the order of the file. */
export const tellProblems = (problems: Problem[], positions: Map<string, KeyPositions>, shownFile: string): string[] =>
  inFileOrder(problems, positions).map((problem) => sentence(problem, positions, shownFile));

/** The parser's own first line, without its preamble and the excerpt of the file. */
export const tellSyntax = ({ line, column, message }: TomlError, shownFile: string): string =>
  `${shownFile}:${line}:${column}: ${message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')}`;

/** Empty where the positions cannot be told. Slow: only for what is told. */
export async function positionsOf(toml: string): Promise<Map<string, KeyPositions>> {
  const { keyPositions } = await import('./positions.js');
  try {
    return keyPositions(toml);
  } catch {
    // Two parsers may differ about a rarity; then a message goes without its line.
    return new Map();
  }
}

function inFileOrder(problems: Problem[], positions: Map<string, KeyPositions>): Problem[] {
  const lineOf = ({ path }: Problem) => positionIn(positions, path)?.key.line ?? 0;
  return problems.toSorted((a, b) => lineOf(a) - lineOf(b));
}

function sentence({ path, message, at }: Problem, positions: Map<string, KeyPositions>, shownFile: string): string {
  const position = positionIn(positions, path)?.[at];
  const place = position ? `${shownFile}:${position.line}:${position.column}` : shownFile;
  return `${place}: ${path.join('.')}: ${message}`;
}

/** Of the key itself, or, for a key that the file does not hold, of the nearest section around it. */
function positionIn(positions: Map<string, KeyPositions>, path: KeyPath): KeyPositions | undefined {
  if (path.length === 0) return undefined;
  return positions.get(path.join('.')) ?? positionIn(positions, path.slice(0, -1));
}
