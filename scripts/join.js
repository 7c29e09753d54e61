// Joins what `tsc -p tsconfig.commonjs.json` has written into one file for each program, and keeps the code that this Node makes of it:
// loading a hundred files, one by one, takes longer than everything that a short script does.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join as joinPath, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const { keptCodeFile } = createRequire(import.meta.url)('../bin/load.js');

const from = new URL('../.commonjs/', import.meta.url);
const into = new URL('../dist/', import.meta.url);

/** The program that begins with the file `entry`: each file is a function, called when it is first required. */
function join(entry) {
  const names = [entry];
  const functions = [];
  for (const name of names) {
    const text = readFileSync(new URL(name, from), 'utf8').replaceAll(
      /\brequire\((["'])(\.[^"']+)\1\)/g,
      (_, _quote, path) => {
        const required = posix.join(posix.dirname(name), path);
        if (!names.includes(required)) names.push(required);
        return `load(${JSON.stringify(required)})`;
      },
    );
    functions.push(`${JSON.stringify(name)}: (exports) => {\n${withLateModules(withoutImportMeta(text, name))}\n}`);
  }
  return `'use strict';
const late = {};
for (const name of ${JSON.stringify(LATE)})
  Object.defineProperty(late, name, { configurable: true, get: () => loadLate(name) });
function loadLate(name) {
  const value = require(name);
  Object.defineProperty(late, name, { value });
  return value;
}
const loaded = {};
function load(name) {
  if (!(name in loaded)) files[name]((loaded[name] = {}));
  return loaded[name];
}
const files = {\n${functions.join(',\n')}\n};
load(${JSON.stringify(entry)});\n`;
}

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

/** A script that does what scripts do, run in a directory of its own. */
function keepCode() {
  for (const name of readdirSync(into)) if (name.endsWith('.code')) rmSync(new URL(name, into));
  for (const program of ['command', 'worker']) writeFileSync(keptCodeFile(program), '');
  const [command, preloaded] = ['../bin/llmspell.js', 'keep-code.cjs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const cwd = mkdtempSync(joinPath(tmpdir(), 'llmspell-build-'));
  writeFileSync(joinPath(cwd, 'script.lua'), `State.set('scope', 'key', { 1 }) print(State.get('scope', 'key')[1])`);
  execFileSync(process.execPath, ['--require', preloaded, command, 'run', 'script.lua'], { cwd, env: {} });
  rmSync(cwd, { recursive: true });
}

writeFileSync(new URL('command.cjs', into), inAscii(join('cli/main.js')));
writeFileSync(new URL('worker.cjs', into), inAscii(join('worker/entry.js')));
keepCode();
