import { createInterface, type Interface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { Completions, LineInput } from '../channel/console.js';
import type { LineTerminal } from '../host/console-service.js';
import type { LineHistory } from './line-history.js';
import { takeInterrupts } from './signals.js';

/** A name, perhaps with fields, at the end of a text. */
const NAME_AT_END = /[A-Za-z_][\w.:]*$/;
const INDENTATION = '  ';
const INTERRUPT = '\u0003';
const END = '\u0004';

/**
 * Lets somebody edit lines on the terminal. While a line runs, the terminal is in its usual mode: what is typed then is the script's to read, and
 * Ctrl-C is a signal. At a prompt one line is taken from the input and no more: of what was pasted, each line runs before the next
 * is shown.
 */
export class Terminal implements LineTerminal {
  readonly #history: LineHistory;
  #interrupt = (): boolean => false;
  #hasBegun = false;

  constructor(history: LineHistory) {
    this.#history = history;
  }

  onStart(interrupt: () => boolean): void {
    // A second Ctrl-C that comes when its line has just ended must not end the session.
    this.#interrupt = () => interrupt() || this.#hasBegun;
    takeInterrupts(this.#interrupt);
  }

  async readLine(prompt: string, complete: Complete): Promise<LineInput> {
    this.#hasBegun = true;
    const keys = new PassThrough();
    const completer = new Completer(complete);
    const { above, last } = partsOf(prompt);
    process.stdout.write(above);
    const editor = createInterface({
      input: Object.assign(keys, { setRawMode: (isRaw: boolean) => process.stdin.setRawMode(isRaw) }),
      output: process.stdout,
      terminal: true,
      history: [...this.#history.lines],
      prompt: last,
      completer: completer.forEditor,
    });
    takeInterrupts(() => {
      keys.write(INTERRUPT);
      return true;
    });
    const release = feed(keys, completer.completed);
    editor.prompt();
    const input = await outcomeOf(editor);
    release();
    takeInterrupts(this.#interrupt);
    if ('line' in input) await this.#history.add(input.line);
    return input;
  }
}

/** Of a prompt of several lines the last one is edited. */
function partsOf(prompt: string): { above: string; last: string } {
  const end = prompt.lastIndexOf('\n') + 1;
  return { above: prompt.slice(0, end), last: prompt.slice(end) };
}

/**
 * Passes on what is typed, up to what ends a line; the rest stays for whoever reads next. Returns what stops it.
 *
 * @param completed resolves when the completion that a Tab has asked for is there: what was typed after it comes after it
 */
function feed(keys: PassThrough, completed: () => Promise<void>): () => void {
  const { stdin } = process;
  let isOver = false;
  const hold = () => stdin.off('data', take).off('end', end).pause();
  const attend = () => {
    if (!isOver) stdin.on('data', take).on('end', end).ref().resume();
  };
  const release = () => {
    isOver = true;
    hold();
  };
  const end = () => void keys.end();
  const take = (typed: Buffer) => {
    // What Ctrl-D leaves in the terminal's buffer while a line runs is a NUL.
    const text = typed.toString('latin1').replace(/\r\n?/g, '\n').replaceAll('\0', END);
    const stop = text.search(/[\n\t\u0003]/);
    keys.write(Buffer.from(stop < 0 ? text : text.slice(0, stop + 1), 'latin1'));
    if (stop < 0) return;
    hold();
    if (stop + 1 < text.length) stdin.unshift(Buffer.from(text.slice(stop + 1), 'latin1'));
    if (text[stop] === '\t') void completed().then(attend);
    else isOver = true;
  };
  attend();
  return release;
}

function outcomeOf(editor: Interface): Promise<LineInput> {
  return new Promise((resolve) => {
    let isDecided = false;
    const end = (input: LineInput, echo = '') => {
      if (isDecided) return;
      isDecided = true;
      process.stdout.write(echo);
      editor.close();
      resolve(input);
    };
    editor.once('line', (line) => end({ line }));
    editor.once('SIGINT', () => end({ cancelled: true }, '^C\n'));
    editor.once('close', () => end({ end: true }, '\n'));
  });
}

type Complete = (text: string) => Promise<Completions>;
type Completed = (error: null, result: [string[], string]) => void;

/** Completes with what it is given; where no name ends, Tab indents: at once, as pasted code needs it. */
class Completer {
  readonly #complete: Complete;
  #completed = Promise.resolve();

  constructor(complete: Complete) {
    this.#complete = complete;
  }

  /** Resolves when the line shows what was asked for. */
  readonly completed = (): Promise<void> => this.#completed;

  readonly forEditor = (text: string, done: Completed): void => {
    if (NAME_AT_END.test(text)) this.#completed = this.#answer(text, done);
    else done(null, [[INDENTATION], '']);
  };

  async #answer(text: string, done: Completed): Promise<void> {
    const { candidates, length } = await this.#complete(text);
    done(null, [[...candidates], text.slice(text.length - length)]);
  }
}
