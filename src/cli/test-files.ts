import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { errnoOf, LlmspellError } from '../errors.js';

const TEST_FILE = /[_-](test|spec)\.lua$/;
const SKIPPED = new Set(['node_modules']);

/**
 * The files to test, as paths relative to `cwd`: those that are named, whatever they are called, and in named directories (default: `cwd`) those
 * that are called `…_test.lua` or `…_spec.lua`, in byte order. Hidden directories and `node_modules` are left out. Throws `USAGE` where there are
 * none.
 */
export async function testFiles(cwd: string, named: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of named.length > 0 ? named : ['.']) {
    const path = resolve(cwd, name);
    const files = (await isDirectory(path, name)) ? await below(path) : [path];
    found.push(...files.map((file) => relative(cwd, file)));
  }
  if (found.length > 0) return [...new Set(found)];
  throw new LlmspellError('USAGE', 'There are no tests: no file is called *_test.lua or *_spec.lua.', {
    hint: 'Name the files or directories: `llmspell test FILE...`.',
  });
}

async function isDirectory(path: string, name: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const why = errnoOf(cause) === 'ENOENT' ? 'there is no such file' : errnoOf(cause);
    throw new LlmspellError('USAGE', `Cannot open ${name}: ${why}.`, {
      subject: path,
      cause,
      hint: 'Check the path of the tests.',
    });
  }
}

async function below(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !entry.name.startsWith('.') && !SKIPPED.has(entry.name))
      found.push(...(await below(path)));
    else if (entry.isFile() && TEST_FILE.test(entry.name)) found.push(path);
  }
  return found;
}
