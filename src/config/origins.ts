import type { KeyPositions } from './positions.js';

/** Where an effective value comes from. */
export type Origin = { from: 'default' } | { from: 'file'; file: string; line: number; variables: readonly string[] };

/** What is known of a file, to tell origins by. */
export interface FileOrigins {
  file: string;
  variables: Map<string, string[]>;
  positions: Map<string, KeyPositions>;
}

/** By dotted path, for every key of a configuration. */
export function originsOf(
  config: object,
  source: FileOrigins | undefined,
  path: readonly string[] = [],
): Map<string, Origin> {
  const origins = new Map<string, Origin>();
  for (const [name, value] of Object.entries(config)) {
    const key = [...path, name].join('.');
    if (isSection(value))
      for (const [inner, origin] of originsOf(value, source, [...path, name])) origins.set(inner, origin);
    else if (value !== undefined) origins.set(key, originOf(key, source));
  }
  return origins;
}

function originOf(key: string, source: FileOrigins | undefined): Origin {
  const position = source?.positions.get(key);
  if (!source || !position) return { from: 'default' };
  return { from: 'file', file: source.file, line: position.value.line, variables: source.variables.get(key) ?? [] };
}

const isSection = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
