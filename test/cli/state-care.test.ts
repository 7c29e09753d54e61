import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
const database = () => join(cli.cwd, '.llmspell/state/db');
const files = (pattern: RegExp) => readdirSync(database()).filter((name) => pattern.test(name));
const remove = (pattern: RegExp) => {
  for (const name of files(pattern)) rmSync(join(database(), name));
};
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const FILL = 'for i = 1, 3000 do State.set("s", ("k%05d"):format(i), ("v"):rep(1000) .. i) end State.flush()';

beforeEach(async () => {
  cli = await workspace();
  await cli.ok('exec', FILL);
});

/** Flips bits in the middle of the largest table. */
function rot(): void {
  const tables = files(/\.ldb$/).map((name) => join(database(), name));
  const [largest] = tables.sort((a, b) => statSync(b).size - statSync(a).size);
  const bytes = readFileSync(largest!);
  for (let at = 2000; at < 6000; at++) bytes[at] = bytes[at]! ^ 0x55;
  writeFileSync(largest!, bytes);
}

test('a sound state is said to be sound, and none at all is as well', async () => {
  expect(await cli.ok('state', 'check')).toBe('sound  3,000 entries and the history read\n');
  expect(json(await cli.ok('state', 'check', '--json'))).toMatchObject({ is_sound: true, entries: 3000, problems: [] });
  const empty = await workspace();
  expect(await empty.ok('state', 'check')).toMatch(/^sound/);
  expect(existsSync(join(empty.cwd, '.llmspell'))).toBe(false);
  expect(await empty.run(['state', 'repair'])).toMatchObject({ code: 1, stderr: expect.stringContaining('no state') });
}, 60_000);

test('flipped bytes are found, what can be read is rescued beside the damaged state, and with --yes put in its place', async () => {
  rot();
  const checked = await cli.run(['state', 'check', '--json']);
  expect(checked.code).toBe(4);
  expect(json(checked.stdout)).toMatchObject({ is_sound: false });
  const before = readdirSync(database()).sort();
  const repaired = await cli.run(['state', 'repair', '--json']);
  const report = json(repaired.stdout) as { rescued: number; path: string; damaged_path: string };
  expect(report).toMatchObject({ damaged_path: join(cli.cwd, '.llmspell/state') });
  expect(report.rescued).toBeGreaterThan(1000);
  expect(existsSync(join(report.path, 'db'))).toBe(true);
  expect(readdirSync(database()).sort()).toEqual(expect.arrayContaining(before.filter((name) => name.endsWith('ldb'))));
  const again = await cli.run(['state', 'repair', '--yes']);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('is there already')]);
  rmSync(report.path, { recursive: true });
  expect((await cli.run(['state', 'repair', '--yes'])).stdout).toMatch(
    /It is the state now\. .* kept in .*damaged-\d+T\d+/,
  );
  expect(await cli.ok('state', 'check')).toMatch(/^sound/);
  expect((await cli.ok('state', 'list', 's')).split('\n').length).toBeGreaterThan(1000);
}, 60_000);

test.each([
  ['the manifest', /^MANIFEST/, 'MANIFEST'],
  ['CURRENT', /^CURRENT$/, 'CURRENT'],
])(
  'where %s is gone the file is named, and everything is rescued',
  async (_, pattern, named) => {
    remove(pattern);
    const opened = await cli.run(['state', 'get', 's', 'k00001']);
    expect(opened.stderr).toContain(named);
    const checked = await cli.run(['state', 'check']);
    expect([checked.code, checked.stdout]).toEqual([4, expect.stringContaining(named)]);
    const repaired = await cli.run(['state', 'repair', '--yes', '--json']);
    expect(json(repaired.stdout)).toMatchObject({ rescued: 3000, lost: 0 });
    expect(await cli.ok('state', 'get', 's', 'k03000')).toContain('v3000');
  },
  60_000,
);

test('where a table is gone it is named, and the entries of the others are rescued to a place of choice', async () => {
  await cli.ok('exec', `${FILL} State.set("t", "k", 1)`);
  const [gone] = files(/\.ldb$/);
  remove(new RegExp(`^${gone}$`));
  const checked = await cli.run(['state', 'check']);
  expect([checked.code, checked.stdout]).toEqual([4, expect.stringContaining(gone!)]);
  const repaired = await cli.run(['state', 'repair', '--to', 'rescued']);
  expect([repaired.code, repaired.stdout]).toEqual([4, expect.stringMatching(/missing|damaged/)]);
  await cli.ok('config', 'init');
  const configuration = join(cli.cwd, 'llmspell.toml');
  writeFileSync(configuration, '[runtime.state_persistence]\npath = "rescued"\n');
  expect(await cli.ok('state', 'get', 't', 'k')).toBe('1\n');
}, 60_000);

test('a state that a script has open is not touched', async () => {
  const script = cli.start(['exec', 'State.set("a", 1) State.flush() print("open") io.stdout:flush() io.read()']);
  await new Promise((resolve) => script.stdout.once('data', resolve));
  for (const command of ['check', 'repair']) {
    const refused = await cli.run(['--lock-timeout', '0', 'state', command]);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining(`process ${script.pid}`)]);
  }
  script.stdin.end();
  await new Promise((resolve) => script.once('close', resolve));
}, 60_000);
