import type { Bytes } from '../util/bytes.js';
import type { Tree } from './tree.js';

/** The Lua file of a step. */
export interface LuaFile {
  name: string;
  source: Bytes;
  /** The functions that it must export. */
  exports: readonly ('up' | 'down')[];
}

export interface LuaEntry {
  scope: Bytes;
  key: Bytes;
  value: Tree;
}

/** What `up` or `down` returned (null: nil), or what it raised. */
export type LuaOutcome = { value: Tree } | { error: string };

/** One Lua machine with the files of one migration loaded. Every method throws how the machine ended, where it did. */
export interface LuaSteps {
  apply(file: string, direction: 'up' | 'down', entries: readonly LuaEntry[]): Promise<LuaOutcome[]>;
  close(): Promise<void>;
}

/** Starts the machine and loads the files. Throws `MIGRATION_FAILED` where a file does not load or lacks a function. */
export type OpenLuaSteps = (files: readonly LuaFile[], signal?: AbortSignal) => Promise<LuaSteps>;
