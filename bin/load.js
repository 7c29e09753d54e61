'use strict';
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const BUILT = join(__dirname, '..', 'dist');

/** Where the code is kept that this Node has made of a program: it is good for no other version and no other processor. */
const keptCodeFile = (name) => join(BUILT, `${name}.${process.version}-${process.platform}-${process.arch}.code`);

/** Runs a program, or loads a part of one. Where the package was built by this Node, what V8 compiled then is used; else Node keeps it, if it can. */
function load(name) {
  const file = join(BUILT, `${name}.cjs`);
  const cachedData = keptCode(name);
  if (cachedData === undefined) {
    if (Number.parseInt(process.versions.node, 10) >= 22) require('node:module').enableCompileCache?.(cacheDirectory());
    return require(file);
  }
  // It is ASCII: as such it takes half the memory, and no decoding.
  const source = `(function (require, __dirname, module) {${readFileSync(file, 'latin1')}\n})`;
  const module = { exports: {} };
  new Script(source, { filename: file, cachedData }).runInThisContext()(require, BUILT, module);
  return module.exports;
}

function keptCode(name) {
  try {
    return readFileSync(keptCodeFile(name));
  } catch {
    return undefined;
  }
}

/** The user's own: code that others could write would be run. Undefined, Node's choice, where that is the user's anyway. */
function cacheDirectory() {
  if (process.platform !== 'linux') return undefined;
  return join(process.env.XDG_CACHE_HOME || join(require('node:os').homedir(), '.cache'), 'llmspell');
}

module.exports = { keptCodeFile, load };
