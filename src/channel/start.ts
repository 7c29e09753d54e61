import type { MessagePort } from 'node:worker_threads';
import type { PlainError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { ConsoleSettings } from './console.js';
import type { TestSettings } from './tests.js';

/** What a script may see and use of the machine it runs on. */
export interface SandboxSettings {
  /** `safe` leaves out what reaches the system: io, most of os, package.loadlib, debug, binary chunks. */
  stdlib: 'full' | 'safe';
  /** Whether `io`, `require`, `dofile` and `loadfile` reach real files. */
  fileAccess: boolean;
  /** Where not empty: only below these. Absolute. */
  allowedPaths: readonly string[];
  /** Whether `os.execute` and `io.popen` start processes. */
  processSpawn: boolean;
  /** What `os.getenv` sees. */
  environment: Readonly<Record<string, string>>;
}

/** How far a script may go. */
export interface MachineLimits {
  /** What its Lua heap may hold; 0: no limit (but the machine's own, 2 GiB). */
  memoryBytes: number;
  /** VM instructions it may run; 0: no limit, and no cost. */
  maxInstructions: number;
  /** What it may print, to stdout and stderr together; 0: no limit. */
  maxOutputBytes: number;
  /** The largest value it may store, encoded. */
  maxValueBytes: number;
  /** The deepest table it may store. */
  maxValueDepth: number;
}

/** What a machine is built with, before it is known what it will run. Plain data. */
export interface MachineSettings {
  sandbox: SandboxSettings;
  limits: MachineLimits;
  /** Whether there is a `State` global. */
  state: boolean;
  /** The operations beyond the basic ones that `State` has (`create_backup`, …). */
  calls: readonly string[];
  /** Set where it reads and runs lines, after the script where there is one. */
  console?: ConsoleSettings;
  /** Set where its script describes tests. */
  tests?: TestSettings;
}

/** The first message to the worker: the machine it builds. */
export interface WorkerStart {
  version: number;
  port: MessagePort;
  bell: SharedArrayBuffer;
  output: SharedArrayBuffer;
  /** What the script writes to the state. */
  ring: SharedArrayBuffer;
  settings: MachineSettings;
}

/** The second message to the worker: what it runs. A worker runs one script. */
export interface RunRequest {
  source: Bytes;
  /** As Lua has them: `@script.lua`, `=stdin`. */
  chunkName: string;
  /** `arg[0]`. */
  scriptName: string;
  args: readonly string[];
  /** The words of the command line before it: the last is `arg[-1]`. */
  wordsBefore?: readonly string[];
  /** What `io.read` reads is this process's stdin, and that is a file on disk: the script reads it by itself, and seeks in it. */
  stdinIsFile: boolean;
  /** Each printed line is to be written at once: a person is watching. */
  interactive: boolean;
}

/** The worker's only message, its last act. */
export interface RunReport {
  exitCode: number;
  error?: ScriptFailure;
}

export interface ScriptFailure extends PlainError {
  /** As `lua` prints it below the message. */
  traceback?: string;
}
