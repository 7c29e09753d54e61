import type { OutputStream } from '../channel/output.js';
import type { OutputSink } from '../host/output-pump.js';

/** Keeps what a script prints, for the one document that a program asked for. */
export class OutputCapture {
  readonly #parts: Record<OutputStream, Uint8Array[]> = { 1: [], 2: [] };

  readonly sink: OutputSink = (stream, bytes) => {
    this.#parts[stream].push(bytes.slice());
  };

  /** As text; what is not UTF-8 is replaced. */
  document(): { stdout: string; stderr: string } {
    return { stdout: Buffer.concat(this.#parts[1]).toString(), stderr: Buffer.concat(this.#parts[2]).toString() };
  }
}
