const BUCKETS = 1024;

/** How many buckets names fall into. */
export const NAME_BUCKETS = BUCKETS;

/** Which of the {@link NAME_BUCKETS} a name falls into, by its hash (`hashOfName`). */
export const bucketOf = (hash: number): number => hash & (BUCKETS - 1);

/** A set of names, roughly: the buckets they fall into. It may have names that nobody added; it misses none. */
export class NameSet {
  readonly #isIn = new Uint8Array(BUCKETS);
  readonly #buckets: number[] = [];

  /** In the order they were added; good until the next change. */
  get buckets(): readonly number[] {
    return this.#buckets;
  }

  add(hash: number): void {
    const bucket = bucketOf(hash);
    if (this.#isIn[bucket] === 1) return;
    this.#isIn[bucket] = 1;
    this.#buckets.push(bucket);
  }

  clear(): void {
    for (const bucket of this.#buckets) this.#isIn[bucket] = 0;
    this.#buckets.length = 0;
  }
}
