import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { machineSettings, type Overrides } from '../../src/host/machine-settings.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'llmspell-settings-'));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const env = { HOME: '/home/ada', TOKEN: 'secret', PASSPHRASE: 'of the backups' };

async function sandbox(toml: string, overrides: Overrides = {}) {
  writeFileSync(join(cwd, 'llmspell.toml'), toml);
  const { config } = await loadConfig({ cwd, env: {} });
  return machineSettings(config, env, [], overrides).sandbox;
}

const BACKUP = '[runtime.state_persistence.backup]\nencryption_enabled = true\nencryption_key_env = "PASSPHRASE"\n';

describe('the sandbox that a configuration describes', () => {
  it('is open for files and closed for processes by default', async () => {
    expect(await sandbox('')).toEqual({
      stdlib: 'full',
      fileAccess: true,
      allowedPaths: [],
      processSpawn: false,
      environment: env,
    });
  });

  it('never shows the passphrase of the backups, not even where it is allowed by name', async () => {
    expect((await sandbox(BACKUP)).environment).toEqual({ HOME: '/home/ada', TOKEN: 'secret' });
    const named = `${BACKUP}[runtime.security]\nallowed_env = ["PASSPHRASE", "HOME"]`;
    expect((await sandbox(named)).environment).toEqual({ HOME: '/home/ada' });
  });

  it('shows the environment variables that are listed, where any are', async () => {
    const { environment } = await sandbox('[runtime.security]\nallowed_env = ["HOME", "NOT_SET"]');
    expect(environment).toEqual({ HOME: '/home/ada' });
  });

  it('in sandbox_mode has no files, no processes and no environment, whatever else is said', async () => {
    const closed =
      '[engines.lua]\nsandbox_mode = true\n[runtime.security]\nallow_file_access = true\nallow_process_spawn = true';
    const nothing = { stdlib: 'safe', fileAccess: false, allowedPaths: [], processSpawn: false, environment: {} };
    expect(await sandbox(closed)).toEqual(nothing);
    expect(await sandbox(closed, { allowFileAccess: true, allowProcessSpawn: true })).toEqual(nothing);
    expect((await sandbox(`${closed}\nallowed_env = ["HOME"]`)).environment).toEqual({ HOME: '/home/ada' });
  });
});
