import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { blocksOf } from './blocks.js';
import { DocumentRun } from './run-document.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DOCUMENTS = [
  'README.md',
  'lua-examples/README.md',
  'contrib/README.md',
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** Drawings, tables of bytes and shapes of documents are nobody's to run; the examples of the reference of `State` have a test of their own. */
const SHOWN = new Set([
  'docs/command.md',
  'docs/json.md',
  'docs/archive-format.md',
  'docs/architecture.md',
  'docs/lua-api.md',
]);

test.each(DOCUMENTS.filter((path) => !SHOWN.has(path)))(
  '%s: every command and program in it does what it says',
  async (path) => {
    const run = new DocumentRun();
    try {
      await expect(run.run(`${ROOT}${path}`)).toMatchFileSnapshot(`${ROOT}${path}`);
    } finally {
      run.remove();
    }
  },
  120_000,
);

test('what is not run says why', () => {
  const reasons = DOCUMENTS.flatMap((path) => blocksOf(readFileSync(`${ROOT}${path}`, 'utf8')))
    .map(({ notRun }) => notRun)
    .filter((reason) => reason !== undefined);
  for (const reason of reasons) expect(reason.length).toBeGreaterThan(10);
  expect(reasons.length).toBeLessThan(10);
});
