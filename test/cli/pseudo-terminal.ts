import { spawn, spawnSync } from 'node:child_process';
import type { Workspace } from './cli.js';

/** `script` of util-linux gives a command a terminal of its own. */
export const hasTerminal = spawnSync('script', ['--version']).status === 0;

/** A command on a terminal, somebody who reads its screen, and types. */
export class PseudoTerminal {
  readonly #child;
  readonly #closed: Promise<number | null>;
  #unread = '';
  screen = '';
  #wake = (): void => undefined;

  constructor(cli: Workspace, args: string, env: Record<string, string> = {}) {
    this.#child = spawn('script', ['-qec', `exec "${process.execPath}" "${cli.bin}" ${args}`, '/dev/null'], {
      cwd: cli.cwd,
      env: { PATH: process.env.PATH, HOME: cli.cwd, TERM: 'xterm', SHELL: '/bin/sh', NO_COLOR: '1', ...env },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.screen += text;
      this.#unread += text;
      this.#wake();
    });
    this.#closed = new Promise((resolve) => this.#child.on('close', resolve));
  }

  /** Reads on until the screen has shown it; returns what came before. */
  async until(text: string): Promise<string> {
    while (!this.#unread.includes(text)) {
      const moved = new Promise<string>((resolve) => {
        this.#wake = () => resolve('more');
      });
      const code = await Promise.race([moved, this.#closed]);
      if (code !== 'more' && !this.#unread.includes(text))
        throw new Error(`It ended with ${code} before ${JSON.stringify(text)}: ${JSON.stringify(this.screen)}`);
    }
    const end = this.#unread.indexOf(text);
    const before = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end + text.length);
    return before;
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** The exit code. */
  get ended(): Promise<number | null> {
    return this.#closed;
  }

  close(): void {
    this.#child.kill();
  }
}
