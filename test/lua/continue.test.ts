import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('support/continue.js', import.meta.url));

test('a script that has yielded goes on in another process, from a copy of the memory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-continue-'));
  const run = (mode: string) =>
    execFileSync(process.execPath, [PROGRAM, mode, join(directory, 'state')], { encoding: 'utf8' });
  expect(run('start')).toBe('yield yielded 3\n');
  expect(run('continue')).toBe('42 14 16 3 1.5 true true\nclosed\nstatus 0 done\n');
  rmSync(directory, { recursive: true });
});
