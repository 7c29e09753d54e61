import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { LineHistory } from '../../src/cli/line-history.js';

let file: string;
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'llmspell-history-')), 'history');
});
const numbered = (count: number, text = 'line') => Array.from({ length: count }, (_, i) => `${text} ${i}\n`).join('');

test('a session begins with the newest thousand lines, and cuts the file to them', async () => {
  await writeFile(file, numbered(1500));
  const { lines } = await LineHistory.open(file);
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([1000, 'line 1499', 'line 500']);
  expect(await readFile(file, 'utf8')).toMatch(/^line 500\n[\s\S]*line 1499\n$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('the file is cut to 256 KiB, whatever its lines are', async () => {
  await writeFile(file, numbered(900, 'x'.repeat(1000)));
  const { lines } = await LineHistory.open(file);
  expect((await stat(file)).size).toBeLessThanOrEqual(256 * 1024);
  expect(lines[0]).toMatch(/ 899$/);
  await writeFile(file, `${'y'.repeat(300_000)}\n`);
  expect((await LineHistory.open(file)).lines).toEqual([]);
});

test("a session remembers a thousand lines of its own, and two that run at once keep each other's", async () => {
  const [one, other] = [await LineHistory.open(file), await LineHistory.open(file)];
  for (let i = 0; i < 1005; i++) await one.add(`one ${i}`);
  await other.add('other');
  expect([one.lines.length, one.lines[0]]).toEqual([1000, 'one 1004']);
  expect((await LineHistory.open(file)).lines.slice(0, 2)).toEqual(['other', 'one 1004']);
});

test('what repeats the line before, is blank, or begins with a blank is not kept', async () => {
  const history = await LineHistory.open(file);
  for (const line of ['a', 'a', '', '  ', ' secret', 'b', 'a']) await history.add(line);
  expect(history.lines).toEqual(['a', 'b', 'a']);
  expect(await readFile(file, 'utf8')).toBe('a\nb\na\n');
});
