import type { Bytes } from '../util/bytes.js';

/** How a process ended, as Lua tells it: `exit` with its code, `signal` with the signal's number. */
export interface ExitStatus {
  how: 'exit' | 'signal';
  code: number;
}

/**
 * What a script has the host's thread do because it takes its time: a thread that sleeps in a system call cannot be ended, one that
 * waits for the host's answer can. The worker sees these operations as they stand, synchronous; the host answers them in its own time.
 */
export interface SystemPort {
  /** The next bytes of stdin, as soon as there are any; none at its end. */
  readStdin(): Bytes;
  /** Runs a shell command to its end. */
  runProcess(command: Bytes): ExitStatus;
  /** Starts a shell command whose output the script reads (`r`) or whose input it writes (`w`); returns its id. */
  openProcess(command: Bytes, mode: 'r' | 'w'): number;
  /** The next bytes that the process has printed; none at their end. */
  readProcess(id: number): Bytes;
  /** False where nobody reads them. */
  writeProcess(id: number, bytes: Bytes): boolean;
  /** Closes the pipe. */
  hangUpProcess(id: number): void;
  /** Returns when it has ended; after that the id means nothing. */
  waitProcess(id: number): ExitStatus;
}

export type SystemOperation = keyof SystemPort;

/** The worker's side, over any way of asking the host for an operation and waiting. */
export function systemPort(call: (operation: SystemOperation, args: readonly unknown[]) => unknown): SystemPort {
  return {
    readStdin: () => call('readStdin', []) as Bytes,
    runProcess: (command) => call('runProcess', [command]) as ExitStatus,
    openProcess: (command, mode) => call('openProcess', [command, mode]) as number,
    readProcess: (id) => call('readProcess', [id]) as Bytes,
    // A view into the VM's memory would be cloned with all of the memory.
    writeProcess: (id, bytes) => call('writeProcess', [id, bytes.slice()]) as boolean,
    hangUpProcess: (id) => void call('hangUpProcess', [id]),
    waitProcess: (id) => call('waitProcess', [id]) as ExitStatus,
  };
}
