import type { Readable } from 'node:stream';
import type { Answering } from '../channel/protocol.js';
import type { Handlers } from '../channel/responder.js';
import type { SystemPort } from '../channel/system.js';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import type { ProcessService } from './process-service.js';
import { readSome } from './stream-reader.js';

/**
 * Answers what a script asks of the machine.
 *
 * @param stdin asked for only when the script reads
 * @param processes null where the script may not start any: it is refused here too, whatever the worker does
 * @param signal what ends a read that begins now
 */
export function systemHandlers(
  stdin: () => Readable,
  processes: ProcessService | null,
  signal: () => AbortSignal,
): Handlers {
  const allowed = (): ProcessService => {
    if (processes === null) throw new LlmspellError('USAGE', 'This script may not start processes.');
    return processes;
  };
  const answering: Answering<SystemPort> = {
    readStdin: () => readHolding(stdin(), signal()),
    runProcess: (command) => allowed().run(command),
    openProcess: (command, mode) => allowed().open(command, mode),
    readProcess: (id) => allowed().read(id),
    writeProcess: (id, bytes) => allowed().write(id, bytes),
    hangUpProcess: (id) => allowed().hangUp(id),
    waitProcess: (id) => allowed().wait(id),
  };
  return Object.fromEntries(
    Object.entries(answering).map(([name, answer]) => [
      name,
      (args: readonly unknown[]) => (answer as (...args: readonly unknown[]) => unknown)(...args),
    ]),
  );
}

interface Terminal {
  isTTY?: boolean;
  ref?(): void;
  unref?(): void;
}

const LF = 0x0a;

/** Reads, and lets the stream keep this process alive only meanwhile. A terminal gives one line, as the system has it, also of what was typed before. */
async function readHolding(stdin: Readable & Terminal, signal: AbortSignal): Promise<Bytes> {
  stdin.ref?.();
  try {
    const bytes = await readSome(stdin, signal);
    const end = stdin.isTTY === true ? bytes.indexOf(LF) + 1 : 0;
    if (end > 0 && end < bytes.length) stdin.unshift(bytes.subarray(end));
    return end > 0 ? bytes.subarray(0, end) : bytes;
  } finally {
    stdin.unref?.();
  }
}
