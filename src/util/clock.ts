/** Where the time comes from; tests hand in their own. Milliseconds since 1970, UTC. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** Milliseconds from some moment on, whatever is done to the time of day. (Touching `performance` loads six of Node's modules.) */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
