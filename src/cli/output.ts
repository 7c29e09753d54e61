import { createRequire } from 'node:module';
import { LlmspellError, type PlainError, toLlmspellError, toPlainError } from '../errors.js';

type Picocolors = typeof import('picocolors');
export type Style = ReturnType<Picocolors['createColors']>;

export interface OutputOptions {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  /** False with `--no-color`. */
  color: boolean;
  /** False with `--no-progress`. */
  progress: boolean;
  env: Readonly<Record<string, string | undefined>>;
}

/** Results go to stdout, everything else to stderr. With `json`, stdout gets one JSON document and nothing else. */
export class Output {
  readonly json: boolean;
  readonly #options: OutputOptions;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.json = options.json;
  }

  /** Whether someone is watching: stderr is a terminal that may be redrawn. */
  get animated(): boolean {
    return this.#options.progress && !this.#options.quiet && isInteractive(process.stderr, this.#options.env);
  }

  /** The one result of a command: a document for programs, or text for people (without its last newline). */
  result(document: unknown, text: (style: Style) => string): void {
    const shown = this.json ? JSON.stringify(document, null, 2) : text(this.#style(process.stdout));
    if (shown !== '') write(process.stdout, shown);
  }

  /** One of many results of a command that goes on: a line of its own, also as JSON. */
  line(document: unknown, text: () => string): void {
    write(process.stdout, this.json ? JSON.stringify(document) : text());
  }

  /** A piece of a result that is too large to hold; resolves when there is room for more. */
  async raw(text: string): Promise<void> {
    await new Promise((resolve) => opened(process.stdout).write(text, resolve));
  }

  /** Something the person should know though the command goes on. */
  notice(message: string): void {
    if (!this.#options.quiet) write(process.stderr, `${this.#style(process.stderr).yellow('note:')} ${message}`);
  }

  /** What a person is told before anything else; not with `--quiet`. */
  greeting(message: string): void {
    if (!this.#options.quiet) write(process.stdout, message);
  }

  /** Only with `--verbose`. */
  detail(message: string): void {
    if (this.#options.verbose) write(process.stderr, message);
  }

  /** What failed, and what to do. */
  error(given: unknown): void {
    const error = toLlmspellError(given);
    this.failure(toPlainError(error));
    if (this.#options.verbose) write(process.stderr, stackOf(error));
  }

  /** As `error`; programs get `document` as well, people the traceback of a script. */
  failure(error: PlainError & { traceback?: string }, document: object = {}): void {
    const { code, message, hint, traceback } = error;
    if (this.json) write(process.stdout, JSON.stringify({ error: { code, message, hint }, ...document }, null, 2));
    else write(process.stderr, failureText({ code, message, hint }, traceback, this.#style(process.stderr)));
  }

  #style(stream: NodeJS.WriteStream): Style {
    // Importing a CommonJS module costs 6 ms before its first line; a script that prints by itself needs no colours.
    const { createColors } = createRequire(import.meta.url)('picocolors') as Picocolors;
    return createColors(this.#options.color && isInteractive(stream, this.#options.env));
  }
}

/** https://no-color.org: any value that is not empty counts. */
const isInteractive = (stream: NodeJS.WriteStream, env: OutputOptions['env']): boolean =>
  stream.isTTY === true && !env.NO_COLOR && !env.CI && env.TERM !== 'dumb';

/** What Lua itself says of a script tells all: there is no hint below it. */
function failureText({ code, message, hint }: PlainError, traceback: string | undefined, style: Style): string {
  const ofScript = code === 'SCRIPT_ERROR' || code === 'SCRIPT_SYNTAX';
  const lines = [`${style.red('llmspell:')} ${message}`, traceback, ofScript ? undefined : style.dim(hint)];
  return lines.filter((line) => line !== undefined && line !== '').join('\n');
}

function stackOf(error: LlmspellError): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : '';
  return `${error.stack}${cause}`;
}

/** The streams are touched when something is written: opening them costs a script that prints by itself some of its start. */
const streams = new Set<NodeJS.WriteStream>();
let failure: Error | undefined;

const write = (stream: NodeJS.WriteStream, text: string): boolean => opened(stream).write(`${text}\n`);

/** Help and version, as they are. */
export const printHelp = (text: string): void => void opened(process.stdout).write(text);

function opened(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (!streams.has(stream)) {
    streams.add(stream);
    // A reader that goes away (`| head`) is no failure; a full disk behind `>` is.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') failure = error;
    });
  }
  return stream;
}

/** Resolves when everything written has left the process; throws where it could not be written. */
export async function flushOutput(): Promise<void> {
  await Promise.all([...streams].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  if (!failure) return;
  throw new LlmspellError('OUTPUT_FAILED', `The output could not be written: ${failure.message}.`);
}
