import { type Bytes, compareBytes, equalBytes } from '../util/bytes.js';

/** How many entries come with the first of a row; each time that they were not enough, twice as many come with the next. */
const FIRST_ENTRIES = 32;
const MOST_ENTRIES = 512;
/** After how many reads upwards it is tried whether they are one after the other; each time that they were not, after twice as many. */
const LEAST_PATIENCE = 2;
const MOST_PATIENCE = 64;
const NONE: Bytes = new Uint8Array(0);

/** What is to come along with a key, where that is the next one after `after` (undefined: in any case): so many of the entries after it. */
export interface Ahead {
  after: Bytes | undefined;
  limit: number;
}

/**
 * Guesses from the keys that a script had to ask for, and from what it had listed, whether it reads one after the other, as it mostly does after a
 * list. The host brings entries along only where the key is the next one in the order of the state, so that a wrong guess costs little.
 */
export class ReadAhead {
  #scope = NONE;
  /** The last key of the row: asked for, or come along. */
  #last = NONE;
  /** How often the one after it was a later one. */
  #upwards = 0;
  #patience = LEAST_PATIENCE;
  #limit = FIRST_ENTRIES;
  /** Where a list began. */
  #listedScope = NONE;
  #listedKey = NONE;

  /** @param first of the keys that the script has listed */
  listed(scope: Bytes, first: Bytes): void {
    this.#listedScope = scope.slice();
    this.#listedKey = first.slice();
  }

  /** What to bring along with a key that is not known; undefined: nothing. Where it is asked for, {@link brought} tells what came. */
  missed(scope: Bytes, key: Bytes): Ahead | undefined {
    const isFirst = equalBytes(key, this.#listedKey) && equalBytes(scope, this.#listedScope);
    const after = this.#last;
    const isUpwards = equalBytes(scope, this.#scope) && compareBytes(key, after) > 0;
    this.#upwards = isUpwards ? this.#upwards + 1 : 0;
    this.#scope = scope.slice();
    this.#last = key.slice();
    if (isFirst) return this.#begin();
    return this.#upwards < this.#patience ? undefined : { after, limit: this.#limit };
  }

  /** @param last of the keys that came; undefined: none did */
  brought(last: Bytes | undefined): void {
    if (last === undefined) {
      this.#patience = Math.min(2 * this.#patience, MOST_PATIENCE);
      this.#upwards = 0;
      this.#limit = FIRST_ENTRIES;
    } else {
      this.#last = last.slice();
      this.#patience = LEAST_PATIENCE;
      this.#limit = Math.min(2 * this.#limit, MOST_ENTRIES);
    }
  }

  #begin(): Ahead {
    this.#listedKey = NONE;
    // Whatever is read next of it goes on.
    this.#upwards = MOST_PATIENCE;
    this.#limit = FIRST_ENTRIES;
    return { after: undefined, limit: FIRST_ENTRIES };
  }
}
