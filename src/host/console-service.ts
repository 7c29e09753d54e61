import type { Completions, ConsolePort, ConsoleSettings, LineInput } from '../channel/console.js';
import type { Answering } from '../channel/protocol.js';
import type { Handlers } from '../channel/responder.js';
import type { ProcessService } from './process-service.js';
import { callInThreads } from './thread-call.js';

/** Somebody at a prompt. */
export interface LineTerminal {
  /**
   * Asks for a line.
   *
   * @param complete what the text before the cursor may become
   */
  readLine(prompt: string, complete: (text: string) => Promise<Completions>): Promise<LineInput>;
  /** Called once, with what ends the line that runs; for Ctrl-C. It returns false where none runs. */
  onStart(interrupt: () => boolean): void;
}

export interface SessionOptions {
  /** Without it the lines are read from stdin, without prompts. */
  terminal?: LineTerminal;
}

export interface ConsoleServiceOptions extends SessionOptions {
  settings: ConsoleSettings;
  /** How long each line may run; 0: as long as it likes. */
  timeoutSeconds: number;
  processes: ProcessService | null;
  /** Aborted when the session has ended. */
  ending: AbortSignal;
  /** Ends the thread: nothing else has ended its line. */
  giveUp: () => void;
}

/** How often a line that goes on is interrupted again. */
const AGAIN_MS = 200;
/** From this attempt on the line cannot catch it any more, and its processes are killed. */
const HARD_FROM = 3;
const MOST_ATTEMPTS = 15;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Gives a session its lines, and ends the one that runs where somebody wants that or its time is up. */
export class ConsoleService {
  readonly #options: ConsoleServiceOptions;
  #answer: (input: LineInput) => void = () => undefined;
  #completed: (completions: Completions) => void = () => undefined;
  #line: AbortController | undefined;
  #limit: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(options: ConsoleServiceOptions) {
    this.#options = options;
    options.terminal?.onStart(() => this.#interrupt('interrupted!'));
  }

  get handlers(): Handlers {
    const port: Answering<ConsolePort> = {
      readLine: (prompt) => this.#readLine(prompt),
      completed: (completions) => {
        const next = this.#next();
        this.#completed(completions);
        return next;
      },
    };
    return {
      readLine: ([prompt]) => port.readLine(prompt as string),
      completed: ([completions]) => port.completed(completions as Completions),
      lineBegins: () => this.#begin(),
      lineEnds: () => this.#end(),
    };
  }

  /** Aborted when what the line waits for is to end. */
  get signal(): AbortSignal {
    const { ending } = this.#options;
    return this.#line ? AbortSignal.any([ending, this.#line.signal]) : ending;
  }

  close(): void {
    this.#end();
  }

  #next(): Promise<LineInput> {
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  #readLine(prompt: string): Promise<LineInput> {
    const { terminal } = this.#options;
    if (terminal === undefined) return Promise.resolve({ end: true });
    const next = this.#next();
    const complete = (text: string) =>
      new Promise<Completions>((resolve) => {
        this.#completed = resolve;
        this.#answer({ complete: text });
      });
    void terminal.readLine(prompt, complete).then(
      (input) => this.#answer(input),
      () => this.#answer({ end: true }),
    );
    return next;
  }

  #begin(): void {
    this.#line = new AbortController();
    const { timeoutSeconds } = this.#options;
    if (timeoutSeconds === 0) return;
    const late = () =>
      void this.#interrupt(
        `interrupted: it ran longer than ${timeoutSeconds} second${timeoutSeconds === 1 ? '' : 's'}`,
      );
    this.#limit = setTimeout(late, Math.min(timeoutSeconds * 1000, LONGEST_TIMER_MS));
  }

  #end(): void {
    this.#line = undefined;
    clearTimeout(this.#limit);
    clearInterval(this.#again);
    this.#again = undefined;
  }

  /** Interrupts the line until it ends; a second wish for it is heard as one that is in earnest. */
  #interrupt(message: string): boolean {
    if (this.#line === undefined) return false;
    let attempts = this.#again === undefined ? 0 : HARD_FROM;
    clearInterval(this.#again);
    const attempt = () => {
      attempts++;
      this.#attempt(message, attempts >= HARD_FROM);
      if (attempts === MOST_ATTEMPTS) this.#options.giveUp();
    };
    this.#again = setInterval(attempt, AGAIN_MS);
    attempt();
    return true;
  }

  #attempt(message: string, isHard: boolean): void {
    const { settings, processes } = this.#options;
    callInThreads(settings.interruptName, message, isHard).catch(this.#options.giveUp);
    if (isHard) processes?.kill();
    else processes?.interrupt();
    this.#line?.abort();
  }
}
