import { LlmspellError } from '../errors.js';
import type { LoadRange, StateBackend } from './backend.js';
import type { PackedPage } from './packed-page.js';

/** Pages that wait while the backend is busy with another one. */
const WAITING_PAGES = 2;

/** A load under way (`StateBackend.load`), which takes its pages as they are made. */
export class Loading {
  readonly #pages: PackedPage[] = [];
  readonly #done: Promise<void>;
  #failure: Error | undefined;
  #isOver = false;
  /** Has whoever waits look again. */
  #wake: () => void = () => undefined;
  #changed = Promise.resolve();

  constructor(backend: Required<Pick<StateBackend, 'load'>>, range: LoadRange) {
    this.#done = backend.load(range, this.#handedOver());
    this.#done.catch((error: Error) => this.#fail(error));
  }

  /** Resolves when the backend has room for more. Throws what the load does. */
  async push(page: PackedPage): Promise<void> {
    this.#pages.push(page);
    this.#tell();
    while (this.#pages.length >= WAITING_PAGES && this.#failure === undefined) await this.#changed;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when everything is visible and on disk. */
  async finish(): Promise<void> {
    this.#isOver = true;
    this.#tell();
    await this.#done;
  }

  /** Resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.#fail(new LlmspellError('ABORTED', 'What was being written is not wanted any more.'));
    await this.#done.catch(() => undefined);
  }

  async *#handedOver(): AsyncGenerator<PackedPage> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const page = this.#pages.shift();
      if (page === undefined && this.#isOver) return;
      this.#tell();
      if (page === undefined) await this.#changed;
      else yield page;
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#tell();
  }

  #tell(): void {
    this.#wake();
    this.#changed = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
