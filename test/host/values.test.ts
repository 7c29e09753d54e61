import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHost } from '../../src/index.js';
import { luaValue, SAME } from '../lua/support/lua-values.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llmspell-values-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** Runs a script in a host of its own: what it finds there has been on disk. */
async function run(source: string): Promise<void> {
  const persistence = { path: 'state', backup: { backup_dir: 'backups' } };
  await using host = await openHost({ settings: { runtime: { state_persistence: persistence } }, directory });
  const { error } = await host.run({ source });
  expect(error?.message).toBeUndefined();
}

test('values come back exactly from disk, and from a backup after they are lost', async () => {
  const samples = fc.sample(luaValue, 150);
  const each = (statement: string) =>
    samples.map((source, i) => `do local k, v = "key ${i}", ${source} ${statement} end`).join('\n');
  const check = `${SAME}\n${each('assert(same(State.get("values", k), v), k)')}`;

  await run(each('State.set("values", k, v)'));
  await run(check);
  await run(
    'assert(State.create_backup().success) assert(State.clear("values") == 150) State.set("values", "other", 1)',
  );
  await run('local r = State.restore_backup(State.list_backups()[1].id) assert(r.success, r.error)');
  await run(`assert(#State.list("values") == 150) ${check}`);
});
