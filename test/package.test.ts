import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

test('installs from its own tarball into an empty folder, and runs there as a command and as a library', () => {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-package-'));
  const run = (command: string, args: string[], cwd = directory): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  // Without its scripts: the build is there, and making it anew would take it away from the tests that run now.
  const tarball = run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory], ROOT);
  writeFileSync(join(directory, 'package.json'), '{ "name": "somewhere", "private": true, "type": "module" }');
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball.split('\n').at(-1)}`]);

  expect(run('npx', ['llmspell', 'exec', 'State.set("a", 1) print(State.get("a"), ...)', 'one'])).toBe('1\tone');
  expect(run('npx', ['llmspell', 'state', 'get', 'global', 'a'])).toBe('1');
  const program = `
    import { openHost } from 'llmspell';
    import { testStateBackend } from 'llmspell/testing';
    const host = await openHost();
    console.log(await host.state.get('global', 'a'), typeof testStateBackend);
    await host.close();`;
  expect(run(process.execPath, ['--input-type=module', '--eval', program])).toBe('1 function');
  for (const file of ['man/llmspell.1', 'contrib/README.md', 'lua-examples/README.md', 'CHANGELOG.md'])
    expect(run('cat', [`node_modules/llmspell/${file}`])).not.toBe('');
}, 240_000);
