import fc from 'fast-check';

/**
 * The same cases in every run, so that a failure speaks of the change that was tested. Others are looked for by `npm run test:random`;
 * what it finds is kept as an example of the property.
 */
const seed = process.env.LLMSPELL_TEST_SEED ?? '20261124';
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
