import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

const ENTRIES = 5000;
/** When each command is interrupted, as parts of the time that it takes. */
const MOMENTS = [0.35, 0.55, 0.75, 0.92];

let cli: Workspace;
beforeAll(async () => {
  cli = await workspace();
  await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]\nmax_backups = 3\n');
  await cli.ok('exec', `for i = 1, ${ENTRIES} do State.set("s", "key " .. i, ("x"):rep(200) .. i) end`);
  await cli.ok('backup', 'create');
  await cli.ok('exec', 'State.set("s", "key 1", "changed")');
  await cli.ok('backup', 'create', '--incremental');
  await cli.ok('state', 'export', 'state.jsonl');
});

/** Runs a command and signals it after a while; how it ended. */
const interrupted = (args: string[], afterMs: number, signal: NodeJS.Signals) =>
  new Promise<{ code: number | null; ended: NodeJS.Signals | null; stderr: string; stdout: string }>((resolve) => {
    const child = cli.start(args);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const timer = setTimeout(() => child.kill(signal), afterMs);
    child.on('close', (code, ended) => {
      clearTimeout(timer);
      resolve({ code, ended, stderr, stdout });
    });
  });

const leftovers = async (): Promise<string[]> => {
  const names = await readdir(cli.cwd, { recursive: true });
  return names.filter((name) => name.includes('.tmp-'));
};

test.each(
  [
    ['backup', 'create'],
    ['backup', 'create', '--incremental'],
    ['backup', 'restore', 'latest', '--yes'],
    ['backup', 'validate', '--all'],
    ['backup', 'drill'],
    ['state', 'export', 'again.jsonl'],
    ['state', 'import', 'state.jsonl', '--yes'],
  ].map((args) => ({ command: args.join(' '), args })),
)(
  '$command: whenever it is interrupted, it ends with 130, says one sentence and leaves all as it was',
  async ({ args }) => {
    const beganAt = performance.now();
    expect((await cli.run(args)).code).toBe(0);
    const tookMs = performance.now() - beganAt;
    for (const [i, part] of MOMENTS.entries()) {
      const signal = i % 2 === 0 ? 'SIGINT' : 'SIGTERM';
      const { code, ended, stderr, stdout } = await interrupted(args, tookMs * part, signal);
      // In its first moments the process is Node's alone, which dies of the signal.
      const how = ended ?? code;
      expect([0, 130, signal]).toContain(how);
      if (how === 130) expect(stderr).toMatch(/^llmspell: .+\n.*\n?$/);
      expect(stderr + stdout).not.toMatch(/\n\s+at |Error:|undefined/);
      expect(await leftovers()).toEqual([]);
    }
    expect((await cli.run(['backup', 'validate', '--all'])).code).toBe(0);
    const { entries } = JSON.parse(await cli.ok('state', 'stats', '--json')) as { entries: number };
    expect(entries).toBe(ENTRIES);
  },
  120_000,
);
