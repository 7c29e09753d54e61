import { spawn, spawnSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { completionOf } from '../../src/cli/completion/words.js';
import { createProgram } from '../../src/cli/program.js';
import { type Workspace, workspace } from './cli.js';

const program = () => createProgram({ signal: new AbortController().signal, exitCode: 0 });
const wordsFor = (line: string): string[] => {
  const completion = completionOf(program(), line.split(' '));
  return completion.kind === 'words' ? completion.candidates.map(({ value }) => value) : [`:${completion.kind}`];
};

describe('where the cursor is decides what is offered', () => {
  test.each([
    ['back', ['backup']],
    ['backup re', expect.arrayContaining(['restore'])],
    ['--outp', ['--output']],
    ['-o ', ['text', 'json']],
    ['-o json backup lis', ['list']],
    ['backup list --output=j', ['--output=json']],
    ['backup create --incr', ['--incremental']],
    ['backup create --json --pi', ['--pin']],
    ['backup info ', [':backups']],
    ['backup diff abc ', [':backups']],
    ['backup list --tag ', [':tags']],
    ['backup create ', []],
    ['--config ', [':files']],
    ['config check ', [':files']],
    ['run ', [':files']],
    ['run script.lua --co', [':files']],
    ['run --allow ', ['file', 'process']],
    ['run --from ', [':backups']],
    ['state get ', [':scopes']],
    ['state clear --scope ', [':scopes']],
    ['state get agent:a ', [':keys']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['nonsense ', []],
  ])('llmspell %s|', (line, expected) => {
    expect(wordsFor(line)).toEqual(expected);
  });

  test('keys are those of the scope that was typed', () => {
    expect(completionOf(program(), ['state', 'get', 'agent:a', 'g'])).toMatchObject({ scope: 'agent:a', prefix: 'g' });
    expect(completionOf(program(), ['state', 'show', ''])).toMatchObject({ scope: 'global' });
    expect(completionOf(program(), ['state', 'show', '--scope', 's', ''])).toMatchObject({ scope: 's' });
  });
});

describe('in a shell', () => {
  let cli: Workspace;
  let id: string;
  beforeAll(async () => {
    cli = await workspace();
    await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]');
    await writeFile(join(cli.cwd, 'a-script.lua'), '');
    await cli.run(['state', 'set', 'agent:planner', 'goals', '1']);
    await cli.run(['state', 'set', 'agent:planner', 'two words', '1']);
    await cli.run(['state', 'set', 'agent:writer', 'x', '1']);
    id = JSON.parse((await cli.run(['backup', 'create', '--tag', 'nightly', '--json'])).stdout).id;
    await mkdir(join(cli.cwd, 'bin'));
    await symlink(cli.bin, join(cli.cwd, 'bin', 'llmspell'));
    for (const shell of ['bash', 'zsh', 'fish'])
      await writeFile(join(cli.cwd, `completion.${shell}`), (await cli.run(['completion', shell])).stdout);
  });

  /** What becomes of a line when Tab is pressed at its end, in a shell that was really started on a terminal. */
  const atTab = (shell: string, setup: string, typed: string, until: RegExp) =>
    new Promise<string>((resolve) => {
      const child = spawn('script', ['-qec', shell, '/dev/null'], {
        cwd: cli.cwd,
        env: { PATH: `${cli.cwd}/bin:${process.env.PATH}`, HOME: cli.cwd, TERM: 'xterm', PS1: 'ready$ ' },
      });
      let [screen, asked, answered] = ['', false, ''];
      child.stdin.write(`${setup}; echo set-$((1))-up\n`);
      child.stdout.setEncoding('utf8').on('data', (text) => {
        screen += text;
        if (!asked && screen.includes('set-1-up')) {
          [asked, screen] = [true, ''];
          child.stdin.write(`${typed}\t`);
        } else if (asked && answered === '' && until.test(screen)) {
          answered = screen;
          child.stdin.write('\u0015exit\n');
        }
      });
      const late = setTimeout(() => child.kill(), 20_000);
      child.on('close', () => {
        clearTimeout(late);
        resolve(answered || screen);
      });
    });

  const has = (command: string) => spawnSync(command, ['--version']).status === 0;
  const terminal = has('script');

  describe.skipIf(!terminal || !has('bash'))('bash', () => {
    const inBash = (typed: string, until: RegExp) =>
      atTab('bash --norc -i', 'source completion.bash; bind "set bell-style none"', typed, until);

    test.each([
      ['a command', 'llmspell backup val', /backup validate $/],
      ['a scope, though bash takes it apart at its colon', 'llmspell state get agent:pl', /get agent:planner $/],
      ['a key of that scope', 'llmspell state get agent:planner go', /agent:planner goals $/],
      ['a key with a space', 'llmspell state get agent:planner tw', /agent:planner two\\ words $/],
      ['a file', 'llmspell run a-sc', /run a-script.lua $/],
    ])('completes %s', async (_, typed, expected) => {
      expect(await inBash(typed, expected)).toMatch(expected);
    });

    test('completes the id of a backup', async () => {
      const expected = new RegExp(`info ${id} $`);
      expect(await inBash(`llmspell backup info ${id.slice(0, 10)}`, expected)).toMatch(expected);
    });
  });

  test.skipIf(!terminal || !has('zsh'))('zsh completes a scope and the id of a backup', async () => {
    const inZsh = (typed: string, until: RegExp) =>
      atTab('zsh -f -i', 'autoload -U compinit; compinit -u; source completion.zsh', typed, until);
    expect(await inZsh('llmspell state get agent:pl', /anner/)).toContain('anner');
    const rest = id.slice(10);
    expect(await inZsh(`llmspell backup info ${id.slice(0, 10)}`, new RegExp(rest))).toContain(rest);
  });

  test.skipIf(!has('fish'))('fish offers ids with what they are, scopes and files', () => {
    const offered = (line: string) =>
      spawnSync('fish', ['--no-config', '-c', `source completion.fish; complete -C "llmspell ${line}"`], {
        cwd: cli.cwd,
        env: { PATH: `${cli.cwd}/bin:${process.env.PATH}`, HOME: cli.cwd },
        encoding: 'utf8',
      }).stdout.trim();
    expect(offered(`backup info ${id.slice(0, 4)}`)).toMatch(new RegExp(`^${id}\\tfull, `));
    expect(offered('state get agent:')).toBe('agent:planner\nagent:writer');
    expect(offered('run a-sc')).toBe('a-script.lua');
  });

  test('where nothing can be found out there is nothing, and no error', async () => {
    await writeFile(join(cli.cwd, 'broken.toml'), '=');
    for (const words of [
      ['--config', 'broken.toml', 'state', 'get', ''],
      ['--config', 'none.toml', 'backup', 'info', ''],
    ])
      expect(await cli.run(['__complete', ...words])).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
