import { globMatcher } from './pattern.js';
import type { Target } from './types.js';

export const targetOf = (scope: string, key: string): Target => ({
  scope,
  key,
  matchesScope: globMatcher(scope),
  matchesKey: globMatcher(key),
});
