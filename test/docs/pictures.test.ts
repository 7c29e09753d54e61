import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const hasTerminal = spawnSync('script', ['--version']).status === 0;

test.skipIf(!hasTerminal)('the pictures of the documentation are made anew from what the command prints', () => {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-pictures-'));
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'pictures.js'), directory], { stdio: 'pipe' });
  expect(readdirSync(directory).sort()).toEqual(readdirSync(join(ROOT, 'docs', 'pictures')).sort());
  const list = readFileSync(join(directory, 'backup-list.svg'), 'utf8');
  expect(list).toContain('before the move');
  expect(list).toContain('fill="#76e3ea"');
  expect(readFileSync(join(directory, 'timeline.svg'), 'utf8')).toContain('class="restore"');
});
