import { readFile } from 'node:fs/promises';
import { errnoOf, LlmspellError } from '../errors.js';

type Settings = Record<string, unknown>;

const LUA_VERSION = 'Lua 5.4';
const SCHEMA = 'https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json';

export interface EditorSettings {
  /** What the file is to hold; undefined where it is right as it is. */
  text: string | undefined;
  notices: string[];
}

/**
 * The settings of lua-language-server (`.luarc.json`) with a library added, and all that the file has already kept. It writes a key as
 * `workspace.library`, as `Lua.workspace.library`, or as an object in an object: the one that is there is extended. Throws `USAGE` where the file is no
 * plain JSON.
 */
export async function editorSettings(file: string, library: string): Promise<EditorSettings> {
  const present = await read(file);
  const settings = present ?? { $schema: SCHEMA };
  const notices: string[] = [];
  const changes = [addLibrary(settings, library), setVersion(settings, file, notices)];
  const isChanged = present === undefined || changes.includes(true);
  return { text: isChanged ? `${JSON.stringify(settings, null, 2)}\n` : undefined, notices };
}

async function read(file: string): Promise<Settings | undefined> {
  const refuse = (why: string, cause: unknown) =>
    new LlmspellError('USAGE', `${file} ${why}.`, {
      subject: file,
      cause,
      hint: 'Correct it, or move it away; comments in it would be lost, so a file with comments is left to you: add `"workspace.library": [".llmspell/types"]`.',
    });
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw refuse(`cannot be read (${errnoOf(cause)})`, cause);
  }
  try {
    const settings: unknown = JSON.parse(text);
    if (isObject(settings)) return settings;
  } catch (cause) {
    throw refuse('is no plain JSON', cause);
  }
  throw refuse('holds no JSON object', undefined);
}

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where a key stands: the object that holds it and its name there; the flat form where it does not. */
function placeOf(settings: Settings, group: string, name: string): [Settings, string] {
  for (const flat of [`${group}.${name}`, `Lua.${group}.${name}`]) if (flat in settings) return [settings, flat];
  for (const holder of [settings, settings.Lua]) {
    const nested = isObject(holder) ? holder[group] : undefined;
    if (isObject(nested)) return [nested, name];
  }
  return [settings, `${group}.${name}`];
}

function addLibrary(settings: Settings, library: string): boolean {
  const [holder, key] = placeOf(settings, 'workspace', 'library');
  const libraries: unknown[] = Array.isArray(holder[key]) ? holder[key] : [];
  if (libraries.includes(library)) return false;
  holder[key] = [...libraries, library];
  return true;
}

function setVersion(settings: Settings, file: string, notices: string[]): boolean {
  const [holder, key] = placeOf(settings, 'runtime', 'version');
  if (holder[key] === LUA_VERSION) return false;
  if (holder[key] !== undefined) {
    notices.push(`${file} says ${JSON.stringify(holder[key])}; scripts here are ${LUA_VERSION}.`);
    return false;
  }
  holder[key] = LUA_VERSION;
  return true;
}
