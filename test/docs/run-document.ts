import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Block, blocksOf, idsIn, stable } from './blocks.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Does what a document says, block after block, in a directory of its own:
 *
 * - a block with a name (```` ```lua agent.lua ````) is written to that file;
 * - `console`: what follows `$ ` is run by a shell, what stands below it is what it prints;
 * - `sh`: every line is run; `lua`: run as a script; `toml`: checked as a configuration; `ts`: compiled and run.
 *
 * Resolves with the document as it should be: what was printed stands in it, but for what differs only as times and ids do.
 * Ids that the document shows stand for those of this run in later commands.
 */
export class DocumentRun {
  readonly #directory = realpathSync(mkdtempSync(join(tmpdir(), 'llmspell-docs-')));
  readonly #ids = new Map<string, string>();

  constructor() {
    mkdirSync(join(this.#directory, '.bin'));
    symlinkSync(join(ROOT, 'bin', 'llmspell.js'), join(this.#directory, '.bin', 'llmspell'));
    mkdirSync(join(this.#directory, 'node_modules'));
    symlinkSync(ROOT, join(this.#directory, 'node_modules', 'llmspell'));
    for (const name of ['config', 'lua-examples', 'examples'])
      execFileSync('cp', ['-r', join(ROOT, name), this.#directory], { stdio: 'ignore' });
  }

  run(path: string): string {
    const document = readFileSync(path, 'utf8');
    let result = '';
    let at = 0;
    for (const block of blocksOf(document)) {
      result += document.slice(at, block.start) + this.#do(block, `${path}:${block.line}`);
      at = block.end;
    }
    return result + document.slice(at);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #do(block: Block, where: string): string {
    const { language, name, content, notRun } = block;
    if (notRun !== undefined) return content;
    if (name !== undefined) this.#write(name, content);
    else if (language === 'console') return this.#converse(content);
    else if (language === 'sh') this.#mustSucceed(content, where);
    else if (language === 'lua') this.#mustSucceed('llmspell run -', where, content);
    else if (language === 'ts') this.#runTypeScript(content, where);
    if (language === 'toml') this.#checkConfiguration(content, where);
    return content;
  }

  #write(name: string, content: string): void {
    mkdirSync(dirname(join(this.#directory, name)), { recursive: true });
    writeFileSync(join(this.#directory, name), content);
  }

  /** Commands and what they print; a command ends where a line does not end with a backslash. */
  #converse(content: string): string {
    const turns = content.split(/^(?=\$ )/m);
    return turns.map((turn) => this.#turn(turn)).join('');
  }

  #turn(turn: string): string {
    const [, command, shown = ''] = /^\$ ((?:.*\\\n)*.*\n)([\s\S]*)$/.exec(turn) ?? [];
    if (command === undefined) return turn;
    const printed = this.#shell(command).output;
    if (stable(printed) !== stable(shown))
      return `$ ${command}${printed === '' ? '' : `${printed.trimEnd()}\n`}${turn.endsWith('\n\n') ? '\n' : ''}`;
    const actual = idsIn(printed);
    for (const [i, id] of idsIn(shown).entries()) this.#ids.set(id, actual[i]!);
    return turn;
  }

  #shell(command: string, input?: string): { output: string; status: number | null } {
    const { stdout, stderr, status } = spawnSync('sh', ['-c', `{ ${this.#inThisRun(command).trim()}\n} 2>&1`], {
      cwd: this.#directory,
      encoding: 'utf8',
      input: input ?? '',
      timeout: 60_000,
      env: {
        PATH: `${join(this.#directory, '.bin')}:${process.env.PATH}`,
        HOME: this.#directory,
        XDG_CONFIG_HOME: join(this.#directory, '.config'),
        XDG_STATE_HOME: join(this.#directory, '.state'),
        TZ: 'UTC',
      },
    });
    return { output: (stdout + stderr).replaceAll(this.#directory, '~'), status };
  }

  /** With the ids of this run, also where the document shortens them, and without `npx`: the command is the one just built. */
  #inThisRun(command: string): string {
    const known = [...this.#ids];
    return command
      .replaceAll(/\bnpx llmspell\b/g, 'llmspell')
      .replaceAll(/\b[0-9a-f]{4,16}\b|\brollback-\d+/g, (word) => {
        const actual = this.#ids.get(word) ?? known.find(([id]) => id.startsWith(word))?.[1].slice(0, word.length);
        return actual ?? word;
      });
  }

  #mustSucceed(command: string, where: string, input?: string): void {
    const { output, status } = this.#shell(`set -e\n${command}`, input);
    if (status !== 0) throw new Error(`${where} ends with ${status}:\n${output}`);
  }

  #checkConfiguration(content: string, where: string): void {
    this.#write('.checked.toml', content);
    this.#mustSucceed('llmspell config check --strict .checked.toml', where);
  }

  /** Inside of the package, where its own name leads to it. */
  #runTypeScript(content: string, where: string): void {
    const directory = mkdtempSync(join(ROOT, '.docs-'));
    try {
      const source = join(directory, 'block.ts');
      writeFileSync(source, content);
      const strict = [
        '--strict',
        '--target',
        'es2022',
        '--module',
        'nodenext',
        '--types',
        'node',
        '--skipLibCheck',
        '--typeRoots',
        join(ROOT, 'node_modules', '@types'),
      ];
      this.#mustSucceed(
        `"${join(ROOT, 'node_modules', '.bin', 'tsc')}" --ignoreConfig ${strict.join(' ')} "${source}"`,
        where,
      );
      this.#mustSucceed(`"${process.execPath}" "${join(directory, 'block.js')}"`, where);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}
