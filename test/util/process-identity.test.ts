import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isRunning, pidExists, thisProcess } from '../../src/util/process-identity.js';

test('this process runs', () => {
  expect(isRunning(thisProcess())).toBe(true);
});

test('a process that has ended does not run', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  expect(pidExists(child.pid!)).toBe(false);
  expect(isRunning({ ...thisProcess(), pid: child.pid! })).toBe(false);
});

test('another process that was given the same pid is not the one that was meant', () => {
  expect(isRunning({ ...thisProcess(), startTicks: '1' })).toBe(false);
  expect(isRunning({ ...thisProcess(), bootId: 'an earlier boot' })).toBe(false);
});

test('a process on another machine counts as running', () => {
  expect(isRunning({ ...thisProcess(), host: 'elsewhere.example', pid: 1, startTicks: '1' })).toBe(true);
});
