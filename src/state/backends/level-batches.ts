import type { Level } from 'level';
import type { Bytes } from '../../util/bytes.js';

type Database = Level<Bytes, Bytes>;

/** What abstract-level has every implementation's batch do: the part under the public one, which can be written once only. */
interface NativeBatch {
  _put(key: Bytes, value: Bytes, options: object): void;
  _del(key: Bytes, options: object): void;
  _clear(): void;
  _write(options: { sync: boolean }): Promise<void>;
}

/** Larger ones are not kept. */
export const KEPT_BYTES = 4 << 20;
const KEPT_BATCHES = 4;
const NO_OPTIONS = {};

/**
 * Batches that are used again. The bytes of one lie outside of JavaScript's heap, where its collector does not see them, and are freed only
 * when it happens to collect the old generation: a process that only wrote would grow by what it wrote.
 */
export class LevelBatches {
  readonly #database: Database;
  readonly #spare: NativeBatch[] = [];
  /** Through all batches. */
  writtenBytes = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  take(): LevelBatch {
    const native = this.#spare.pop() ?? (this.#database as unknown as { _chainedBatch(): NativeBatch })._chainedBatch();
    return new LevelBatch(native, this.#database, (sizeBytes) => {
      this.writtenBytes += sizeBytes;
      if (sizeBytes > KEPT_BYTES || this.#spare.length === KEPT_BATCHES) return;
      native._clear();
      this.#spare.push(native);
    });
  }
}

/** Operations that take effect together, once. */
export class LevelBatch {
  readonly #native: NativeBatch;
  readonly #database: Database;
  readonly #done: (sizeBytes: number) => void;
  #sizeBytes = 0;

  constructor(native: NativeBatch, database: Database, done: (sizeBytes: number) => void) {
    this.#native = native;
    this.#database = database;
    this.#done = done;
  }

  put(key: Bytes, value: Bytes): this {
    this.#sizeBytes += key.length + value.length;
    this.#native._put(key, value, NO_OPTIONS);
    return this;
  }

  del(key: Bytes): this {
    this.#sizeBytes += key.length;
    this.#native._del(key, NO_OPTIONS);
    return this;
  }

  /** May not be used after it. */
  async write(options: { sync: boolean }): Promise<void> {
    // Where it is closed there is nothing under it to write to.
    if (this.#database.status !== 'open') throw Object.assign(new Error('closed'), { code: 'LEVEL_DATABASE_NOT_OPEN' });
    await this.#native._write(options);
    this.#done(this.#sizeBytes);
  }
}
