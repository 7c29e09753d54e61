/**
 * What is known of each function of `State`, once: `docs/lua-api.md` and the definitions for editors are both written from it, and
 * tests compare it with the `State` of a running machine and run its examples.
 */

export interface Named {
  name: string;
  /** In LuaCATS words: `string`, `integer?`, `string[]`, `llmspell.Backup`. */
  type: string;
  text: string;
}

export interface Parameter extends Named {
  isOptional?: true;
}

export interface FunctionReference {
  /** The field of `State`. */
  name: string;
  /** Older names that stay. */
  aliases?: readonly string[];
  /** What it does, in a sentence or two. */
  text: string;
  parameters: readonly Parameter[];
  /** The parameters of the shorter form, which means the scope `global`. */
  withoutScope?: readonly Parameter[];
  result?: Omit<Named, 'name'>;
  /** What it raises, beyond a call with wrong arguments. */
  raises?: string;
  /** Runs by itself on an empty state; what it prints stands in comments, `--> like this`. */
  example: string;
}

/** When the functions of a section are there. */
export type Presence = 'always' | 'backups' | 'migration';

export interface Section {
  title: string;
  presence: Presence;
  text: string;
  functions: readonly FunctionReference[];
}

/** A table with named fields. */
export interface ClassReference {
  name: string;
  text: string;
  fields: readonly Parameter[];
}

export const parameter = (name: string, type: string, text: string): Parameter => ({ name, type, text });
export const optional = (name: string, type: string, text: string): Parameter => ({
  name,
  type,
  text,
  isOptional: true,
});

export const SCOPE = parameter('scope', 'string', 'not empty');
export const KEY = parameter('key', 'string', 'not empty');
