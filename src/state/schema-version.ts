import type { SchemaMark } from './types.js';

/** The version of the schema that a state was of at a change, from the marks up to then; undefined where it had none. */
export const schemaVersionAt = (marks: readonly SchemaMark[], seq: number): string | undefined =>
  marks.findLast((mark) => mark.seq <= seq)?.version;
