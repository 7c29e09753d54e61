import type { Bytes } from '../util/bytes.js';

/** A machine that runs lines one after the other instead of one script. */
export interface ConsoleSettings {
  /** Whether somebody types the lines: they are asked for with a prompt; else they are read from stdin, as `io.read` reads it. */
  isTerminal: boolean;
  /** The name, in the thread's JavaScript, of the function that ends the running line ({@link InterruptLine}). */
  interruptName: string;
}

/**
 * @param message what the line's error says
 * @param isHard raise it again and again until the line has ended, whatever catches it
 */
export type InterruptLine = (message: string, isHard: boolean) => void;

/** What comes of asking for a line. */
export type LineInput =
  | { line: string }
  /** The text before the cursor: the worker answers with {@link Completions}, and waits again. */
  | { complete: string }
  /** What was typed so far is not wanted. */
  | { cancelled: true }
  | { end: true };

export interface Completions {
  /** What the last {@link length} characters of the text may become. */
  candidates: readonly string[];
  length: number;
}

/** What a terminal is asked for. The worker sees these operations as they stand, synchronous. */
export interface ConsolePort {
  readLine(prompt: string): LineInput;
  completed(completions: Completions): LineInput;
}

/** The next line, or why there is none. */
export type NextLine = Bytes | 'cancelled' | 'end';
