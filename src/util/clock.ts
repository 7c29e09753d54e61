/** Where the time comes from; tests hand in their own. Milliseconds since 1970, UTC. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };
