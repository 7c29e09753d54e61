// Joins what `tsc -p tsconfig.commonjs.json` has written into one file for each program, and keeps the code that this Node makes of it:
// loading a hundred files, one by one, takes longer than everything that a short script does.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join as joinPath, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const { keptCodeFile } = createRequire(import.meta.url)('../bin/load.js');

const from = new URL('../.commonjs/', import.meta.url);
const into = new URL('../dist/', import.meta.url);

/**
 * Writes the program that begins with the file `entry`, in parts, and returns their names. The first part has the entry and what that loads at
 * once, the following ones what their roots load at once and no part before has, the last one the rest. A part is loaded when something is
 * required that none before it has. Each file is a function, called when it is first required.
 */
function join(program, entry, ...roots) {
  const texts = textsFrom(entry);
  const taken = new Set();
  const isNew = (name) => !taken.has(name) && taken.add(name);
  const [first, ...later] = [[entry], ...roots, Object.keys(texts)]
    .map((names) => loadedAtOnce(texts, names).filter(isNew))
    .filter((names) => names.length > 0);
  const functions = (names) => `{\n${names.map((name) => functionOf(name, texts[name])).join(',\n')}\n}`;
  const parts = later.map((_, i) => `${program}.${i + 2}`);
  write(program, programOf(entry, functions(first), parts));
  for (const [i, part] of parts.entries())
    write(part, `module.exports = (load, late, require, __dirname) => (${functions(later[i])});\n`);
  return [program, ...parts];
}

const programOf = (entry, files, parts) => `'use strict';
const late = {};
for (const name of ${JSON.stringify(LATE)})
  Object.defineProperty(late, name, { configurable: true, get: () => loadLate(name) });
function loadLate(name) {
  const value = require(name);
  Object.defineProperty(late, name, { value });
  return value;
}
const loaded = {};
const parts = ${JSON.stringify(parts)};
function load(name) {
  while (!(name in files)) Object.assign(files, loadPart(parts.shift()));
  if (!(name in loaded)) files[name]((loaded[name] = {}));
  return loaded[name];
}
const loadPart = (part) => require(__dirname + '/../bin/load.js').load(part)(load, late, require, __dirname);
const files = ${files};
load(${JSON.stringify(entry)});\n`;

const REQUIRED = /\brequire\((["'])(\.[^"']+)\1\)/g;
/** As TypeScript writes an import that is not `import()`. */
const REQUIRED_AT_ONCE = /^(?:const \w+ = |__exportStar\()?require\((["'])(\.[^"']+)\1\)/gm;

const pathFrom = (name, path) => posix.join(posix.dirname(name), path);

function reached(names, texts, pattern) {
  const found = new Set(names);
  for (const name of found) for (const [, , path] of texts(name).matchAll(pattern)) found.add(pathFrom(name, path));
  return [...found];
}

/** The files that the entry reaches in whatever way, by name. */
function textsFrom(entry) {
  const text = (name) => readFileSync(new URL(name, from), 'utf8');
  return Object.fromEntries(reached([entry], text, REQUIRED).map((name) => [name, text(name)]));
}

const loadedAtOnce = (texts, names) => reached(names, (name) => texts[name], REQUIRED_AT_ONCE);

function functionOf(name, text) {
  const joined = text.replaceAll(REQUIRED, (_, _quote, path) => `load(${JSON.stringify(pathFrom(name, path))})`);
  return `${JSON.stringify(name)}: (exports) => {\n${withLateModules(withoutImportMeta(joined, name))}\n}`;
}

const write = (name, text) => writeFileSync(new URL(`${name}.cjs`, into), inAscii(text));

/** What is loaded when it is first used, not by every file that may use it: `node:crypto` alone takes 7 ms. */
const LATE = ['node:child_process', 'node:crypto', 'node:fs/promises', 'node:net', 'node:timers/promises'];

function withLateModules(text) {
  return LATE.reduce((changed, name) => {
    const [declaration, variable] = new RegExp(`^const (\\w+) = require\\("${name}"\\);\n`, 'm').exec(changed) ?? [];
    if (declaration === undefined) return changed;
    return changed.replace(declaration, '').replaceAll(new RegExp(`\\b${variable}\\b`, 'g'), `late["${name}"]`);
  }, text);
}

/** The file is where it would be beside the other one that `tsc` has made of its source. */
function withoutImportMeta(text, name) {
  const here = `require('node:url').pathToFileURL(__dirname + '/${name}').href`;
  return text
    .replaceAll('(0, node_module_1.createRequire)(import.meta.url)', 'require')
    .replaceAll('const require = require;\n', '')
    .replaceAll('const node_module_1 = require("node:module");\n', '')
    .replaceAll('import.meta.url', here);
}

/** Other characters stand in strings and patterns only (comments are left out), where an escape means the same. */
const inAscii = (text) =>
  text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Of other commands, then of a script that does what scripts do, in a directory of its own: the last one to run a part keeps what it has made. */
function keepCode(parts) {
  for (const name of readdirSync(into)) if (name.endsWith('.code')) rmSync(new URL(name, into));
  for (const part of parts) writeFileSync(keptCodeFile(part), '');
  const [command, preloaded] = ['../bin/llmspell.js', 'keep-code.cjs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const cwd = mkdtempSync(joinPath(tmpdir(), 'llmspell-build-'));
  writeFileSync(joinPath(cwd, 'script.lua'), `State.set('scope', 'key', { 1 }) print(State.get('scope', 'key')[1])`);
  for (const args of [
    ['state', 'scopes'],
    ['run', 'script.lua'],
  ])
    execFileSync(process.execPath, ['--require', preloaded, command, ...args], { cwd, env: {} });
  rmSync(cwd, { recursive: true });
  for (const file of parts.map(keptCodeFile)) if (statSync(file).size === 0) rmSync(file);
}

/** What every script needs of the command, and what one needs that has a state. */
const RUN = ['cli/commands/run.js', 'config/load.js', 'host/script-host.js', 'host/state-service.js'];
const STATE = ['host/open-state.js', 'share/shared-store.js', 'state/store.js', 'state/backends/level.js'];

for (const name of readdirSync(into)) if (name.endsWith('.cjs')) rmSync(new URL(name, into));
keepCode([...join('command', 'cli/main.js', RUN, STATE), ...join('worker', 'worker/entry.js')]);
