import { defineConfig } from 'vitest/config';

// Worker threads run the built output (Node cannot start a worker from TypeScript), so `npm test` builds first.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/temporary-directory.ts'],
    setupFiles: ['test/properties.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Every core: much of what the tests do is waiting for processes.
    maxWorkers: '100%',
  },
});
