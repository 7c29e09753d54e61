import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'llmspell-start-'));
});
afterAll(() => rmSync(cwd, { recursive: true }));

test('a script that needs none of them loads none of the modules of Node that take long', () => {
  const probe = join(cwd, 'probe.cjs');
  writeFileSync(
    probe,
    `if (require('node:worker_threads').isMainThread)
      process.once('exit', () => process._rawDebug(process.moduleLoadList.map((name) => name.split(' ').at(-1)).join('\\n')));`,
  );
  const code = `require('node:child_process').spawnSync(process.execPath, process.argv.slice(1), { stdio: [0, 1, 1] })`;
  const command = ['--require', probe, join(ROOT, 'bin/llmspell.js'), 'run', 'print.lua'];
  writeFileSync(join(cwd, 'print.lua'), 'print(1)');
  const loaded = execFileSync(process.execPath, ['-e', code, '--', ...command], { cwd, encoding: 'utf8' }).split('\n');
  expect(loaded).toContain('worker_threads');
  const slow = ['crypto', 'fs/promises', 'child_process', 'zlib', 'perf_hooks', 'timers/promises'];
  expect(loaded.filter((name) => slow.includes(name))).toEqual([]);
});

test('a script loads the parts of the command that it needs, and no others', () => {
  const probe = join(cwd, 'parts.cjs');
  writeFileSync(
    probe,
    `const vm = require('node:vm');
    const parts = [];
    vm.Script = class extends vm.Script {
      constructor(source, options) {
        super(source, options);
        parts.push(require('node:path').basename(options.filename));
      }
    };
    if (require('node:worker_threads').isMainThread) process.once('exit', () => process._rawDebug(parts.join(' ')));`,
  );
  const partsOf = (...args: string[]) =>
    spawnSync(process.execPath, ['--require', probe, join(ROOT, 'bin/llmspell.js'), ...args], { cwd, encoding: 'utf8' })
      .stderr.trim()
      .split(' ');
  writeFileSync(join(cwd, 'print.lua'), 'print(1)');
  const few = partsOf('run', 'print.lua');
  expect(few).toEqual(['command.cjs', 'command.2.cjs']);
  expect(partsOf('config', 'show').length).toBeGreaterThan(few.length);
});

test('the engine of the state is loaded ahead for a script that names the state, and for no other', () => {
  const probe = join(cwd, 'engine.cjs');
  writeFileSync(
    probe,
    `if (require('node:worker_threads').isMainThread)
      process.once('exit', () => process._rawDebug(Object.keys(require.cache).some((name) => name.includes('classic-level'))));`,
  );
  const isLoadedFor = (code: string) => {
    const command = ['--require', probe, join(ROOT, 'bin/llmspell.js'), 'exec', code];
    return spawnSync(process.execPath, command, { cwd, encoding: 'utf8' }).stderr.trim();
  };
  expect(isLoadedFor('if false then State.get("key") end')).toBe('true');
  expect(isLoadedFor('print(1)')).toBe('false');
  expect(existsSync(join(cwd, '.llmspell'))).toBe(false);
});

test('a package that another Node has built runs as well', () => {
  for (const folder of ['bin', 'dist']) cpSync(join(ROOT, folder), join(cwd, folder), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
  const kept = readdirSync(join(cwd, 'dist')).filter((name) => name.endsWith('.code'));
  expect(kept.length).toBeGreaterThan(0);
  for (const name of kept) rmSync(join(cwd, 'dist', name));
  const env = { ...process.env, XDG_CACHE_HOME: join(cwd, 'cache') };
  const run = () =>
    execFileSync(process.execPath, ['bin/llmspell.js', 'exec', 'print(...)', 'here'], { cwd, env, encoding: 'utf8' });
  expect([run(), run()]).toEqual(['here\n', 'here\n']);
});

test('code of V8 that does not fit is not used', () => {
  for (const name of readdirSync(join(ROOT, 'dist')).filter((entry) => entry.endsWith('.code')))
    writeFileSync(join(cwd, 'dist', name), 'nonsense');
  const args = ['bin/llmspell.js', 'exec', 'print(...)', 'here'];
  expect(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })).toBe('here\n');
});
