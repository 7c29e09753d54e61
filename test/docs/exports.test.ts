import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test.each(['src/index.ts', 'src/testing/index.ts'])('docs/embedding.md names all that %s exports', (path) => {
  const exported = [...read(path).matchAll(/export (?:type )?\{([^}]+)\}/g)]
    .flatMap(([, names = '']) => names.split(','))
    .map((name) => name.replace(/^\s*type /, '').trim())
    .filter((name) => name !== '');
  expect(exported.length).toBeGreaterThan(2);
  const page = read('docs/embedding.md');
  expect(exported.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
