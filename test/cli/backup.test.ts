import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';

let cli: Workspace;
beforeEach(async () => {
  cli = await workspace();
  await configure('[runtime.state_persistence.backup]');
});
const configure = (toml: string) => writeFile(join(cli.cwd, 'llmspell.toml'), toml);
const ok = (...args: string[]) => cli.ok(...args);
const create = async (...args: string[]): Promise<string> =>
  JSON.parse(await ok('backup', 'create', '--json', ...args)).id;

async function flipByte(id: string): Promise<void> {
  const directory = join(cli.cwd, 'backups');
  const name = (await readdir(directory)).find((file) => file.startsWith(id))!;
  const bytes = await readFile(join(directory, name));
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(join(directory, name), bytes);
}

test('backups are made, listed as a chain, looked at, pinned and deleted', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const full = await create('-d', 'first', '--tag', 'x', '--tag', 'y', '--pin');
  await ok('state', 'set', 'global', 'a', '2');
  const incremental = await create('--incremental');

  const list = (await ok('backup', 'list')).split('\n');
  expect(list[1]).toMatch(new RegExp(`^${full} +full .* pinned  #x  #y  first$`));
  expect(list[2]).toMatch(new RegExp(`^└─ ${incremental} +incremental `));
  expect(list[3]).toMatch(/^2 backups, /);
  const { backups } = JSON.parse(await ok('backup', 'list', '--tag', 'x', '--json'));
  expect(backups).toMatchObject([{ id: full, is_incremental: false, parent_id: null, tags: ['x', 'y'], pinned: true }]);

  expect(await ok('backup', 'info', 'latest')).toContain(`incremental, rests on ${full}`);
  expect(await ok('backup', 'diff', full, 'latest')).toBe('~ global a\n');
  expect(await ok('backup', 'diff', full.slice(0, 6))).toBe('~ global a\n');

  const needed = await cli.run(['backup', 'delete', full]);
  expect(needed).toMatchObject({ code: 1, stdout: '' });
  expect(needed.stderr).toContain(`${incremental} rests on it`);
  expect(await ok('backup', 'delete', 'latest')).toBe(`Deleted ${incremental}.\n`);
  const pinned = await cli.run(['backup', 'delete', full, '--json']);
  expect(JSON.parse(pinned.stdout).error.code).toBe('BACKUP_PINNED');
  expect(await ok('backup', 'unpin', full)).toBe(`Unpinned ${full}.\n`);
  expect(await ok('backup', 'delete', full)).toBe(`Deleted ${full}.\n`);
  expect(await ok('backup', 'list')).toBe('There are no backups yet.\n');
});

test('cleanup says what it deletes and why, and with --dry-run only says so', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const ids = [await create(), await create(), await create()];
  await configure('[runtime.state_persistence.backup]\nmax_backups = 1');
  const planned = await ok('backup', 'cleanup', '--dry-run');
  expect(planned).toMatch(new RegExp(`^delete +${ids[0]} `, 'm'));
  expect(planned).toMatch(/^Would delete 2 backups /m);
  expect(JSON.parse(await ok('backup', 'cleanup', '--json'))).toMatchObject({ deleted_count: 2, retained_count: 1 });
  expect(JSON.parse(await ok('backup', 'list', '--json')).backups).toMatchObject([{ id: ids[2] }]);
});

test('a flipped byte: validate says which backup and exits 4, list still works', async () => {
  await ok('state', 'set', 'global', 'a', '"some text"');
  const [first, second] = [await create(), await create()];
  await flipByte(first);

  const { code, stdout } = await cli.run(['backup', 'validate']);
  expect(code).toBe(4);
  expect(stdout).toMatch(new RegExp(`^${first}  NOT SOUND`, 'm'));
  expect(stdout).toMatch(new RegExp(`^${second}  sound`, 'm'));
  const one = await cli.run(['backup', 'validate', first, '--json']);
  expect(one.code).toBe(4);
  expect(JSON.parse(one.stdout)).toMatchObject({ backup_id: first, is_valid: false, checksum_valid: false });
  expect(await ok('backup', 'validate', second)).toMatch(/sound/);
  expect(await ok('backup', 'list')).toContain(second);
});

test.each([
  [['info', 'ffff'], 1, 'There is no backup'],
  [['delete', '../../x'], 2, '"../../x" is not a backup id'],
  [['validate', '../x'], 2, '"../x" is not a backup id'],
  [['diff', 'latest'], 1, 'There is no backup in'],
  [['creat'], 2, "did you mean 'create'?"],
  [['restore', 'ffff', '--yes'], 1, 'There is no backup'],
  [['restore'], 2, 'Name either a backup or, with --to, a moment.'],
  [['restore', 'latest', '--to', '@5'], 2, 'Name either a backup or, with --to, a moment.'],
  [
    ['restore', '--to', 'yesterday'],
    2,
    '"yesterday" is neither an ISO 8601 time nor @SECONDS, seq:NUMBER or a backup.',
  ],
])('backup %j exits %i', async (args, code, sentence) => {
  const finished = await cli.run(['backup', ...args]);
  expect([finished.code, finished.stdout]).toEqual([code, '']);
  expect(finished.stderr).toContain(sentence);
});

test('without a backup section there are no backups: exit 2, and how to have them', async () => {
  await configure('');
  const { code, stderr } = await cli.run(['backup', 'list']);
  expect(code).toBe(2);
  expect(stderr).toContain('[runtime.state_persistence.backup]');
});

test('with the memory backend none can be made, but archives can be looked at', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  await configure('[runtime.state_persistence]\nbackend_type = "memory"\n[runtime.state_persistence.backup]');
  const { code, stderr } = await cli.run(['backup', 'create']);
  expect(code).toBe(2);
  expect(stderr).toContain('memory only');
  expect(await ok('backup', 'list')).toContain(id);
  expect(await ok('backup', 'validate', id)).toContain('sound');
});

test('a restore takes the state back, is undone by its rollback id, and asks first', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  await ok('state', 'set', 'global', 'a', '2');
  await ok('state', 'set', 'user', 'b', '3');

  const refused = await cli.run(['backup', 'restore', id]);
  expect([refused.code, refused.stdout]).toEqual([2, '']);
  expect(refused.stderr).toContain('Confirm it with --yes.');
  expect(await ok('backup', 'drill')).toMatch(new RegExp(`^${id}  restores  1 entry compared, 0 different`));
  expect(await ok('backup', 'restore', 'latest', '--dry-run')).toMatch(new RegExp(`^Would restore .*\\n  ${id} +full`));
  expect(await ok('state', 'get', 'global', 'a')).toBe('2\n');

  const restored = JSON.parse(await ok('backup', 'restore', id.slice(0, 8), '--yes', '--json'));
  expect(restored).toMatchObject({ backup_id: id, dry_run: false, chain: [id] });
  expect(await ok('state', 'show')).toBe('global\n  a  1\n');
  expect(await ok('backup', 'restore', restored.rollback_id, '--yes')).toMatch(/^Restored the state of /);
  expect(await ok('state', 'show')).toBe('global\n  a  2\n\nuser\n  b  3\n');

  const past = 'print(State.get("a"), State.get("user", "b"), State.create_backup) State.set("a", 9)';
  expect(await ok('exec', '--from', id, past)).toBe('1\tnil\tnil\n');
  expect(await ok('state', 'get', 'global', 'a')).toBe('2\n');

  await ok('backup', 'restore', id, '--scope', 'global', '--yes');
  expect(await ok('state', 'show')).toBe('global\n  a  1\n\nuser\n  b  3\n');
});

test('a damaged archive is not restored: exit 4, the state as it was', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  await ok('state', 'set', 'global', 'a', '2');
  await flipByte(id);
  const drill = await cli.run(['backup', 'drill', id, '--json']);
  expect(drill.code).toBe(4);
  expect(JSON.parse(drill.stdout)).toMatchObject({ backup_id: id, success: false });
  const { code, stderr } = await cli.run(['backup', 'restore', id, '--yes']);
  expect(code).toBe(4);
  expect(stderr).toContain(id);
  expect(await ok('state', 'get', 'global', 'a')).toBe('2\n');
});

test('a restore to a moment takes the state back to what it was then', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const { history } = JSON.parse(await ok('state', 'history', 'global', 'a', '--json'));
  await ok('exec', 'State.set("a", 2) State.set("b", 3)');
  expect(await ok('backup', 'restore', '--to', `@${history[0].at_ms / 1000}`, '--yes')).toMatch(
    /^Restored the state of /,
  );
  expect(await ok('state', 'show')).toBe('global\n  a  1\n');
  const steps = (await ok('state', 'history', 'global', 'a')).split('\n');
  expect(steps.map((line) => line.split('  ').at(-1))).toEqual(['1', '2', '1', '']);
  const future = await cli.run(['backup', 'restore', '--to', '2999-01-01T00:00:00Z', '--yes']);
  expect(future).toMatchObject({ code: 1, stdout: '' });
  expect(future.stderr).toContain('lies in the future');
});

test('a backup is carried to another place, also where the state is in memory only', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  await create();
  await ok('state', 'set', 'global', 'a', '{"$int": "9223372036854775807"}');
  const id = await create('--incremental');
  expect(await ok('backup', 'export', 'latest', 'b.zip')).toMatch(
    new RegExp(`^Exported ${id} \\(made of 2 backups\\) to b.zip: 1 entry, `),
  );
  await configure(
    '[runtime.state_persistence]\nbackend_type = "memory"\n[runtime.state_persistence.backup]\nbackup_dir = "other"',
  );
  expect(await ok('backup', 'import', 'b.zip')).toMatch(new RegExp(`^Imported ${id}: 1 entry, `));
  expect(await ok('backup', 'diff', id, id)).toBe('There is no difference.\n');
  await ok('backup', 'export', id, 'c.lsb');
  expect(await ok('backup', 'import', 'c.lsb')).toBe(`${id} is there already.\n`);
  await configure(
    '[runtime.state_persistence]\npath = "new"\n[runtime.state_persistence.backup]\nbackup_dir = "other"',
  );
  await ok('backup', 'restore', 'latest', '--yes');
  expect(await ok('state', 'show')).toBe('global\n  a  9223372036854775807\n');

  const refusals: [string[], number, string][] = [
    [['export', 'latest', 'c.lsb'], 1, 'There is already a file'],
    [['export', 'latest', 'no/such/directory.lsb'], 1, 'cannot be written (ENOENT)'],
    [['import', 'nothing.zip'], 2, 'there is no such file'],
    [['import', 'llmspell.toml'], 4, 'llmspell.toml is no backup: it begins neither as an archive nor as a zip.'],
    [['import', '.'], 2, 'it is not a file'],
  ];
  for (const [args, code, sentence] of refusals)
    expect(await cli.run(['backup', ...args])).toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringContaining(sentence),
    });
});

test('a restore into a directory needs no state that is free, and makes one that can be used', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  const [{ seq }] = JSON.parse(await ok('state', 'history', 'global', 'a', '--json')).history;
  const holder = cli.start(['exec', 'State.set("a", 2) print("held") io.read()']);
  await once(holder.stdout, 'data');
  const { code, stdout } = await cli.run(['backup', 'restore', id, '--into', 'copy', '--lock-timeout', '0']);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^Restored the state of .* into copy, in /)]);
  const ended = once(holder, 'close');
  holder.stdin.end();
  await ended;
  expect(await ok('state', 'get', 'global', 'a')).toBe('2\n');
  await configure('[runtime.state_persistence]\npath = "copy"\n[runtime.state_persistence.backup]');
  expect(await ok('state', 'show')).toBe('global\n  a  1\n');
  await ok('backup', 'restore', '--to', `seq:${seq}`, '--into', 'other');
  const again = await cli.run(['backup', 'restore', '--to', id, '--into', 'copy']);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') });
});

test('a dry run prints the plan, and what cannot be reached and why', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const full = await create();
  await ok('state', 'set', 'global', 'a', '2');
  const second = await create('--incremental');
  await ok('state', 'set', 'global', 'a', '3');
  const third = await create('--incremental');
  const plan = await ok('backup', 'restore', second, '--dry-run');
  expect(plan).toMatch(new RegExp(`${full} +full .* 1 entry\\n +${second} +incremental .* 1 change\\n$`));
  await rm(join(cli.cwd, 'backups', `${second}.lsb`));
  const text = await ok('backup', 'restore', full, '--dry-run');
  expect(text).toContain(`Not reachable:\n  backup ${third}: ${second}, which ${third} rests on, is not there.`);
  const { plan: found, reach } = JSON.parse(await ok('backup', 'restore', '--to', full, '--dry-run', '--json'));
  expect(found).toMatchObject({ chain: [{ id: full, is_incremental: false, record_count: 1 }], history: null });
  expect(reach).toMatchObject({ gaps: [], unusable: [{ id: third, reason: expect.stringContaining(second) }] });
  const nowhere = await cli.run(['backup', 'restore', '--to', 'seq:99', '--dry-run']);
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('The state of change 99 cannot be had') });
});

test('what is left of a damaged backup is told and saved; of what says nothing, nothing is made up', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  expect(await ok('backup', 'rescue', id)).toMatch(/^global a {2}1 B\n\n.* 1 of 1 entries read\n.* nothing is damaged/);
  await ok('backup', 'rescue', id, '--into', 'saved');
  await ok('backup', 'rescue', id, '--into', 'saved.jsonl');
  expect(await readFile(join(cli.cwd, 'saved.jsonl'), 'utf8')).toBe('{"scope":"global","key":"a","value":1}\n');
  const info = JSON.parse(await ok('backup', 'info', id, '--json'));
  expect(info.scopes).toMatchObject([{ scope: 'global', records: 1, uncompressed_bytes: 10 }]);

  await flipByte(id);
  const rescued = await cli.run(['backup', 'rescue', id, '--json']);
  expect(rescued.code).toBe(4);
  expect(JSON.parse(rescued.stdout)).toMatchObject({
    is_complete: false,
    archives: [{ problems: expect.arrayContaining(['The SHA-256 of the file does not fit.']) }],
  });
  await writeFile(join(cli.cwd, 'backups', `${id}.lsb`), 'gone');
  const nothing = await cli.run(['backup', 'rescue', id, '--into', 'nothing']);
  expect(nothing).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('Nothing of backup') });
  expect(await readdir(cli.cwd)).not.toContain('nothing');
  expect(await ok('backup', 'list')).toMatch(new RegExp(`${id} +\\? +\\? +\\? +4 B +\\? +DAMAGED`));
  expect(JSON.parse(await ok('backup', 'info', id, '--json'))).toMatchObject({ created_at: null, entry_count: null });
});

test('a backup that rests on others is made a full one, and those are then no longer needed', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const full = await create();
  await ok('state', 'set', 'global', 'a', '2');
  const incremental = await create('--incremental');
  const compacted = await cli.run(['backup', 'compact', 'latest']);
  expect(compacted.stdout).toMatch(new RegExp(`^${incremental}  full, made of 2 backups, 1 entry, `));
  expect(compacted.stderr).toContain('no longer tell of the moments between');
  await ok('backup', 'delete', full);
  expect(await ok('backup', 'drill')).toMatch(new RegExp(`^${incremental}  restores`));
  expect((await cli.run(['backup', 'compact', 'latest'])).stdout).toBe(`${incremental} stays as it is.\n`);
});

test('backups are encrypted with another key; a key that is missing, malformed or wrong is named', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const id = await create();
  const key = 'ab'.repeat(32);
  await writeFile(join(cli.cwd, 'raw.key'), `${key}\n`);
  expect(await ok('backup', 'rekey', '--all', '--new-key', 'raw-file:raw.key')).toBe(`${id}  rekeyed\n`);
  const sealed = await cli.run(['backup', 'restore', id, '--yes']);
  expect([sealed.code, sealed.stderr]).toEqual([1, expect.stringContaining('is encrypted and no key is given')]);

  const section = '[runtime.state_persistence.backup]\nencryption_enabled = true\n';
  await configure(`${section}encryption_key_file = "raw.key"\nencryption_key_format = "raw"`);
  expect(await ok('backup', 'drill')).toContain('restores');
  await configure(`${section}encryption_key_env = "PASSPHRASE"`);
  const env = { PASSPHRASE: 'correct horse' };
  const rekey = (...args: string[]) => cli.run(['backup', 'rekey', ...args], { env });
  expect(await rekey(id, '--old-key', 'raw-file:raw.key')).toMatchObject({ code: 0, stdout: `${id}  rekeyed\n` });
  expect(await rekey(id, '--json')).toMatchObject({ code: 0, stdout: expect.stringContaining('"unchanged"') });
  expect(await cli.run(['backup', 'validate', id], { env })).toMatchObject({ code: 0 });

  const refusals: [string[], number, string][] = [
    [['--all', '--new-key', 'env:NOPE'], 1, 'the environment variable NOPE is empty or not there'],
    [['--all', '--new-key', 'raw-env:PASSPHRASE'], 1, 'is not a raw key: 64 hexadecimal digits'],
    [['--all', '--new-key', 'secret'], 2, 'Write env:NAME'],
    [[], 2, 'Name either a backup or, with --all, all of them.'],
  ];
  for (const [args, code, sentence] of refusals)
    expect(await rekey(...args)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(sentence) });
  const wrong = await cli.run(['backup', 'rekey', '--all', '--new-key', 'none', '--json'], {
    env: { PASSPHRASE: 'x' },
  });
  expect(wrong.code).toBe(1);
  expect(JSON.parse(wrong.stdout).results[0]).toMatchObject({ status: 'failed', error: { code: 'BACKUP_KEY' } });
});

test('watch backs up at once and again, and leaves the state to others in between', async () => {
  await ok('state', 'set', 'global', 'a', '1');
  const child = cli.start(['backup', 'watch', '--every', '1s', '--tag', 'auto', '--json']);
  const ended = new Promise((resolve) => child.on('close', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value).backup;
  const first = await next();
  expect(first).toMatchObject({ is_incremental: false, tags: ['auto'] });
  await ok('state', 'set', 'global', 'a', '2');
  let second = await next();
  while (second.record_count === 0) second = await next();
  expect(second).toMatchObject({ is_incremental: true, record_count: 1 });
  child.kill('SIGINT');
  expect(await ended).toBe(130);
});

test.each(['soon', '0s', '15', '60d'])('watch --every %s is refused', async (every) => {
  const { code, stderr } = await cli.run(['backup', 'watch', '--every', every]);
  expect(code).toBe(2);
  expect(stderr).toContain('It is not a span such as 15m');
});

test('watch ends where there is nothing it could ever back up', async () => {
  await configure('[runtime.state_persistence]\nbackend_type = "memory"');
  expect(await cli.run(['backup', 'watch'])).toMatchObject({ code: 2, stdout: '' });
});
