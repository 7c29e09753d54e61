import { join } from 'node:path';
import { describe, test } from 'vitest';
import { createLevelBackend } from '../../../src/state/backends/level.js';
import { createMemoryBackend } from '../../../src/state/backends/memory.js';
import { testStateBackend } from '../../../src/testing/index.js';
import { temporaryDirectory } from '../temporary.js';

describe('memory', () => testStateBackend({ test, create: async () => createMemoryBackend() }));

describe('level', () => {
  let directory = '';
  const onDirectory = () => createLevelBackend({ directory });
  testStateBackend({
    test,
    create: async () => {
      directory = join(await temporaryDirectory(), 'state');
      return onDirectory();
    },
    reopen: async () => onDirectory(),
  });
});
