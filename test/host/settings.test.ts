import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Host, openHost } from '../../src/index.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'llmspell-settings-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A host with a backup section of these keys. */
const open = (backup: object, state: object = {}): Promise<Host> =>
  openHost({
    directory,
    settings: {
      runtime: {
        state_persistence: { backend_type: 'memory', ...state, backup: { backup_dir: 'archives', ...backup } },
      },
    },
  });

async function printed(host: Host, source: string): Promise<string> {
  let text = '';
  const output = (_stream: 1 | 2, bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString();
  };
  await host.run({ source, output });
  return text;
}

describe('what the configuration says of state and backups is what happens', () => {
  test('enabled', async () => {
    await using host = await open({}, { enabled: false });
    expect(await printed(host, 'print(State)')).toBe('nil\n');
  });

  test('backup_dir', async () => {
    await using host = await open({});
    const { backup } = await (await host.backups()).create();
    expect(await readdir(join(directory, 'archives'))).toContain(`${backup.id}.lsb`);
  });

  test('compression_enabled, compression_type and compression_level', async () => {
    const made = async (settings: object) => {
      await using host = await open(settings);
      await host.state.set('s', 'k', 'x'.repeat(10_000));
      const { backup } = await (await host.backups()).create();
      return [backup.compression.type, backup.compression.level, backup.sizeBytes < 5000];
    };
    expect(await made({ compression_type: 'gzip', compression_level: 9 })).toEqual(['gzip', 9, true]);
    expect((await made({ compression_type: 'gzip', compression_enabled: false }))[0]).toBe('none');
    expect((await made({ compression_type: 'gzip', compression_enabled: false }))[2]).toBe(false);
  });

  test.each([true, false])('incremental_enabled = %s', async (isEnabled) => {
    await using host = await open({ incremental_enabled: isEnabled });
    const backups = await host.backups();
    await backups.create();
    await host.state.set('s', 'k', 1);
    expect((await backups.create({ incremental: true })).backup.isIncremental).toBe(isEnabled);
  });

  test('max_backups', async () => {
    await using host = await open({ max_backups: 2 });
    const backups = await host.backups();
    for (let n = 0; n < 4; n++) await backups.create();
    expect(await backups.list()).toHaveLength(2);
  });

  test('max_backup_age', async () => {
    await using host = await open({ max_backup_age: 1 });
    const backups = await host.backups();
    await backups.create();
    await setTimeout(1100);
    const { backup: young } = await backups.create();
    expect((await backups.list()).map(({ id }) => id)).toEqual([young.id]);
  });
});

test('what a script prints arrives while it still runs', async () => {
  await using host = await open({});
  const output = (_stream: 1 | 2, bytes: Uint8Array) =>
    Buffer.from(bytes).includes('waiting') ? host.state.set('s', 'go', true) : undefined;
  const source = 'print("waiting") while not State.get("s", "go") do end';
  expect((await host.run({ source, output, timeoutSeconds: 20 })).exitCode).toBe(0);
});
