import { LlmspellError } from '../errors.js';

export const toJson = (value: unknown): unknown => value;
export function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LlmspellError('USAGE', `The value is not JSON: ${(error as Error).message}.`, {
      hint: `A string is written in quotes: '"hello"'.`,
    });
  }
}
