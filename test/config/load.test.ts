import { mkdir, mkdtemp, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { inspectConfig, loadConfig } from '../../src/config/load.js';

const SEED = `
[runtime.state_persistence]
enabled = true
backend_type = "memory"  # or "sled", "rocksdb" for persistent storage

[runtime.state_persistence.backup]
backup_dir = "./backups"
compression_enabled = true
compression_type = "zstd"
compression_level = 3
incremental_enabled = true
max_backups = 10
max_backup_age = 2592000  # 30 days in seconds
`;

let cwd: string;
beforeEach(async () => {
  cwd = await realpath(await mkdtemp(join(tmpdir(), 'llmspell-config-')));
});

const write = async (content: string | Uint8Array, name = 'llmspell.toml') => {
  await mkdir(join(cwd, name, '..'), { recursive: true });
  await writeFile(join(cwd, name), content);
  return join(cwd, name);
};

const load = (options = {}) => loadConfig({ cwd, env: {}, ...options });
const problemsOf = async (toml: string, options = {}) => {
  await write(toml);
  return (await inspectConfig({ cwd, env: {}, ...options })).problems;
};
const backupProblems = (lines: string) => problemsOf(`[runtime.state_persistence.backup]\n${lines}`);

describe('where it is looked for', () => {
  test('without a file the defaults stand, their paths below the working directory, and there are no backups', async () => {
    const { config, file } = await load();
    expect(file).toBeUndefined();
    expect(config.engines.lua.memory_limit).toBe(268435456);
    expect(config.runtime.state_persistence).toMatchObject({
      backend_type: 'level',
      path: join(cwd, '.llmspell/state'),
      history: { enabled: true, max_age: 604800, max_bytes: 1073741824 },
      backup: undefined,
    });
  });

  test('llmspell.toml is found in a directory above, and the state is then beside it, not in the working directory', async () => {
    const file = await write('[runtime.state_persistence.backup]');
    const loaded = await load({ cwd: join(cwd, 'a/b') });
    expect(loaded.file).toBe(file);
    expect(loaded.config.runtime.state_persistence.path).toBe(join(cwd, '.llmspell/state'));
    expect(loaded.config.runtime.state_persistence.backup?.backup_dir).toBe(join(cwd, 'backups'));
  });

  test('the named file goes before LLMSPELL_CONFIG, and that before llmspell.toml', async () => {
    await write('runtime.max_concurrent_scripts = 1');
    await write('runtime.max_concurrent_scripts = 2', 'env.toml');
    await write('runtime.max_concurrent_scripts = 3', 'flag.toml');
    const scripts = async (options: object) => (await load(options)).config.runtime.max_concurrent_scripts;
    expect(await scripts({ path: 'flag.toml', env: { LLMSPELL_CONFIG: 'env.toml' } })).toBe(3);
    expect(await scripts({ env: { LLMSPELL_CONFIG: 'env.toml' } })).toBe(2);
    expect(await scripts({ env: { LLMSPELL_CONFIG: '' } })).toBe(1);
  });

  test('a named file that is not there is an error and not the defaults', async () => {
    await expect(load({ path: 'gone.toml' })).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      message: `The configuration file gone.toml does not exist.`,
    });
    await expect(load({ path: '.' })).rejects.toMatchObject({ code: 'CONFIG_NOT_FOUND' });
  });
});

describe('values', () => {
  test("the original's example loads as it stands, without a notice, and every key of it has effect", async () => {
    await write(SEED, 'config/seed.toml');
    const { config, notices, foreign } = await load({ path: 'config/seed.toml' });
    expect([notices, foreign]).toEqual([[], []]);
    expect(config.runtime.state_persistence).toMatchObject({
      enabled: true,
      backend_type: 'memory',
      backup: {
        backup_dir: join(cwd, 'config/backups'),
        compression_enabled: true,
        compression_type: 'zstd',
        compression_level: 3,
        incremental_enabled: true,
        max_backups: 10,
        max_backup_age: 2592000,
      },
    });
  });

  test('paths in the file are relative to the file, those left out to the working directory', async () => {
    await write(
      `[runtime.security]\nallowed_paths = ["data", "/srv"]\n[runtime.state_persistence]\nschema_dir = "s"`,
      'config/x.toml',
    );
    const { runtime } = (await load({ path: 'config/x.toml' })).config;
    expect(runtime.security.allowed_paths).toEqual([join(cwd, 'config/data'), '/srv']);
    expect(runtime.state_persistence.schema_dir).toBe(join(cwd, 'config/s'));
    expect(runtime.state_persistence.path).toBe(join(cwd, '.llmspell/state'));
  });

  test('the environment is put in for ${NAME}', async () => {
    await write(
      '[runtime.state_persistence]\npath = "${ROOT}/${NAME}"\n[runtime.security]\nallowed_paths = ["${ROOT}"]',
    );
    const { config } = await load({ env: { ROOT: '/data', NAME: 'x' } });
    expect(config.runtime.state_persistence.path).toBe('/data/x');
    expect(config.runtime.security.allowed_paths).toEqual(['/data']);
  });

  test.each(['sled', 'rocksdb'])('%s means level, and that is said once', async (name) => {
    await write(`[runtime.state_persistence]\nbackend_type = "${name}"`);
    const { config, notices } = await load();
    expect(config.runtime.state_persistence.backend_type).toBe('level');
    expect(notices).toEqual([
      `llmspell.toml:2:16: runtime.state_persistence.backend_type: "${name}" means "level" here`,
    ]);
  });

  test('a byte order mark at the start does no harm', async () => {
    await write('\uFEFFdefault_engine = "lua"');
    expect((await load()).config.default_engine).toBe('lua');
  });

  test('a key named __proto__ is a key like another', async () => {
    await write('[__proto__]\nenabled = true');
    const { config, notices } = await load();
    expect(notices).toHaveLength(1);
    expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
  });
});

describe('what is wrong is told with its place', () => {
  test('a syntax error, with line and column', async () => {
    const [problem] = await problemsOf('[runtime]\nscript_timeout_seconds = \n');
    expect(problem).toMatch(/^llmspell\.toml:2:26: \w/);
    expect(problem).not.toContain('\n');
  });

  test.each([
    ['compression_level = "high"', 'compression_level: expected an integer, got the string "high"'],
    ['compression_level = 3.5', 'compression_level: expected an integer, got 3.5'],
    ['compression_level = 99', 'compression_level: 99 is not between 1 and 22 (zstd)'],
    ['compression_type = "gzip"\ncompression_level = 10', 'compression_level: 10 is not between 1 and 9 (gzip)'],
    ['compression_level = 0', 'compression_level: 0 is not between 1 and 22 (zstd)'],
    ['max_backups = -1', 'max_backups: -1 is less than 0'],
    ['max_backups = nan', 'max_backups: expected an integer, got NaN'],
    ['incremental_enabled = "yes"', 'incremental_enabled: expected true or false, got the string "yes"'],
    ['backup_dir = []', 'backup_dir: expected a string, got an array'],
    ['backup_dir = 2020-01-01', 'backup_dir: expected a string, got a date'],
    ['backup_dir = "${NO_SUCH}"', 'backup_dir: the environment variable NO_SUCH is not set'],
    [
      'compression_type = "zstdd"',
      'compression_type: "zstdd" is not one of "zstd", "gzip", "lz4", "brotli", "none"; did you mean "zstd"?',
    ],
    ['encryption_enabled = true', 'encryption_enabled: it needs one of encryption_key_env and encryption_key_file'],
    [
      'encryption_enabled = true\nencryption_key_env = "K"\nencryption_key_file = "k"',
      'encryption_enabled: it needs only one of encryption_key_env and encryption_key_file',
    ],
  ])('%s', async (line, problem) => {
    const [first, ...others] = await backupProblems(line);
    expect(first?.replace(/^llmspell\.toml:\d+:\d+: runtime\.state_persistence\.backup\./, '')).toBe(problem);
    expect(others).toEqual([]);
  });

  test('the line and column are those of the value, also in a dotted key and an inline table', async () => {
    expect(await problemsOf('\nruntime.max_concurrent_scripts = "x"')).toEqual([
      'llmspell.toml:2:34: runtime.max_concurrent_scripts: expected an integer, got the string "x"',
    ]);
    expect(await problemsOf('[engines]\nlua = { sandbox_mode = 1 }')).toEqual([
      'llmspell.toml:2:24: engines.lua.sandbox_mode: expected true or false, got 1',
    ]);
  });

  test('a value where a section belongs', async () => {
    expect(await problemsOf('engines = 3')).toEqual(['llmspell.toml:1:11: engines: expected a section, got 3']);
    expect(await problemsOf('[[runtime]]')).toEqual([
      expect.stringContaining('runtime: expected a section, got an array'),
    ]);
  });

  test('all problems are told at once, in the order of the file', async () => {
    const problems = await problemsOf('[runtime]\nmax_concurrent_scripts = 0\n[engines.lua]\nmemory_limit = -1');
    expect(problems.map((problem) => problem.split(': ')[1])).toEqual([
      'runtime.max_concurrent_scripts',
      'engines.lua.memory_limit',
    ]);
  });

  test('loading throws the first of them', async () => {
    await write('[runtime]\nmax_concurrent_scripts = 0\nscript_timeout_seconds = -1');
    await expect(load()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'llmspell.toml:2:26: runtime.max_concurrent_scripts: 0 is not between 1 and 1000',
      hint: expect.stringContaining('2 problems'),
    });
  });

  test('a file that is not UTF-8', async () => {
    await write(Uint8Array.of(0x23, 0xff));
    await expect(load()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: 'llmspell.toml is not UTF-8 text.' });
  });
});

describe('unknown keys', () => {
  test('a mistyped key is a notice with the nearest right one, and a problem when strict', async () => {
    await write('[runtime.state_persistence.backup]\n  compresion_type = "lz4"');
    const sentence =
      'llmspell.toml:2:3: runtime.state_persistence.backup.compresion_type: there is no such key; did you mean "compression_type"?';
    expect((await load()).notices).toEqual([sentence]);
    expect((await inspectConfig({ cwd, env: {}, strict: true })).problems).toEqual([sentence]);
  });

  test('a mistyped section is noticed, and one like nothing here gets no suggestion', async () => {
    await write('[runtme]\n[zzzzzz]\n');
    const { notices } = await load();
    expect(notices[0]).toContain('runtme: there is no such key; did you mean "runtime"?');
    expect(notices[1]).toMatch(/zzzzzz: there is no such key$/);
  });

  test("the original system's own sections are accepted quietly, also when strict", async () => {
    await write(
      '[providers.openai]\nmodel = "x"\n[engines.javascript]\nenabled = true\n[runtime.security]\nmax_memory_bytes = 1\nallow_file_access = false',
    );
    const { config, notices, foreign } = await load({ strict: true });
    expect(notices).toEqual([]);
    expect(foreign.toSorted()).toEqual(['engines.javascript', 'providers', 'runtime.security.max_memory_bytes']);
    expect(config.runtime.security.allow_file_access).toBe(false);
  });
});

test('the origin of each value is told: a default, a line of the file, an environment variable', async () => {
  await write('[runtime.state_persistence]\nbackend_type = "memory"\npath = "${ROOT}/s"');
  const origins = await (await load({ env: { ROOT: '/r' } })).origins();
  expect(origins.get('runtime.state_persistence.durability')).toEqual({ from: 'default' });
  expect(origins.get('runtime.state_persistence.backend_type')).toEqual({
    from: 'file',
    file: 'llmspell.toml',
    line: 2,
    variables: [],
  });
  expect(origins.get('runtime.state_persistence.path')).toMatchObject({ line: 3, variables: ['ROOT'] });
  expect([...origins.keys()]).toContain('runtime.state_persistence.history.max_age');
  expect([...origins.keys()].some((key) => key.includes('backup.'))).toBe(false);
});
