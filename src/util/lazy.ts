/** Opens something when it is first asked for, once; after a failure the next call tries again. */
export class Lazy<T> {
  readonly #open: () => Promise<T>;
  #opening: Promise<T> | undefined;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  async get(): Promise<T> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  /** What has been opened, or is being opened; undefined where nobody asked or opening failed. */
  async opened(): Promise<T | undefined> {
    return await this.#opening?.catch(() => undefined);
  }

  /** As {@link opened}, and forgets it: the next `get` opens anew. */
  async taken(): Promise<T | undefined> {
    const opening = this.#opening;
    this.#opening = undefined;
    return await opening?.catch(() => undefined);
  }
}
