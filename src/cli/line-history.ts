import { appendFile, chmod, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { atomicWrite } from '../util/atomic-write.js';
import { makeDirectory } from '../util/make-directory.js';

const MOST_LINES = 1000;
/** Beyond it the file is cut to its newest lines when a session begins. */
const MOST_BYTES = 256 * 1024;

/**
 * The lines of earlier sessions, newest first. Each new one is added to the file at once, so that sessions that run at once keep each other's.
 * A line that begins with a blank is not kept: for what nobody else is to read.
 */
export class LineHistory {
  readonly lines: string[];
  readonly #file: string | undefined;

  private constructor(lines: string[], file?: string) {
    this.lines = lines;
    this.#file = file;
  }

  /** One that is forgotten with the session. */
  static none(): LineHistory {
    return new LineHistory([]);
  }

  /** The user's own; where it cannot be read or written, this session does without it. */
  static async open(file?: string): Promise<LineHistory> {
    const path = file ?? (await historyFile());
    try {
      await makeDirectory(dirname(path), 0o700);
      await appendFile(path, '', { mode: 0o600 });
      await chmod(path, 0o600);
      return new LineHistory(await newestLines(path), path);
    } catch {
      return LineHistory.none();
    }
  }

  async add(line: string): Promise<void> {
    if (line.trim() === '' || line.startsWith(' ') || line === this.lines[0]) return;
    this.lines.unshift(line);
    this.lines.length = Math.min(this.lines.length, MOST_LINES);
    if (this.#file !== undefined) await appendFile(this.#file, `${line}\n`).catch(() => undefined);
  }
}

async function newestLines(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  let kept = lines.slice(-MOST_LINES);
  while (kept.length > 0 && sizeOf(kept) > MOST_BYTES) kept = kept.slice(Math.ceil(kept.length / 2));
  if (kept.length < lines.length)
    await atomicWrite(path, (handle) => handle.writeFile(kept.map((line) => `${line}\n`).join('')));
  return kept.reverse();
}

const sizeOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

/** In the user's directory for what programs remember (`~/.local/state/llmspell` on Linux). */
async function historyFile(): Promise<string> {
  const { default: envPaths } = await import('env-paths');
  const { data, log } = envPaths('llmspell', { suffix: '' });
  return join(process.platform === 'linux' ? log : data, 'repl_history');
}
