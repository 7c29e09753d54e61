export { type ErrorCode, LlmspellError } from './errors.js';
