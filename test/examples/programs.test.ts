import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** Starts a program; resolves when `until` is in what it printed. */
function started(args: string[], cwd: string, until: RegExp) {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  const ended = new Promise<{ code: number | null; printed: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, printed })),
  );
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
      if (until.test(printed)) resolve(printed);
    });
    child.on('close', () => reject(new Error(`It ended after it had printed: ${printed}`)));
  });
  ready.catch(() => undefined);
  return { child, ready, ended };
}

test('limits.js: a script without end is ended, and what it had kept is there', () => {
  const { status, stdout } = spawnSync(process.execPath, [example('limits.js')], { encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ended with 124 after 2\.\d s\nSCRIPT_TIMEOUT: /);
  expect(stdout).toContain('tried = to run for ever');
});

test('schedule.js: backs up again and again, proves one, and ends cleanly', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'llmspell-schedule-'));
  writeFileSync(join(cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]\n');
  const { child, ready, ended } = started([example('schedule.js'), 'llmspell.toml', '0.01'], cwd, /is sound/);
  await ready;
  child.kill('SIGINT');
  const { code, printed } = await ended;
  expect(code).toBe(0);
  expect(printed).toMatch(/^[0-9a-f]{16} full \d+ bytes\n.*\n[0-9a-f]{16} incremental /);
});

test('serve.js: each request is a script, on one state; an error is an answer', async () => {
  const { child, ready, ended } = started([example('serve.js'), '0'], tmpdir(), /listening on .*\n/);
  const [url = ''] = /http:\S+/.exec(await ready) ?? [];
  const post = async (body: string) => {
    const response = await fetch(url, { method: 'POST', body });
    return { status: response.status, text: await response.text() };
  };
  expect(await post('print(State.increment("visits"))')).toEqual({ status: 200, text: '1\n' });
  expect(await post('print(State.increment("visits"))')).toEqual({ status: 200, text: '2\n' });
  expect(await post('error("no")')).toMatchObject({ status: 422, text: expect.stringContaining('SCRIPT_ERROR') });
  expect(await post('print(io)')).toEqual({ status: 200, text: 'nil\n' });
  expect((await post('-'.repeat(1_000_001))).status).toBe(413);
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});
