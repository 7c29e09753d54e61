// Runs a script that nobody has read: no files, no processes, two seconds, 32 MiB, and a state of its own to play with.
//
//   node examples/limits.js [script.lua]
import { readFile } from 'node:fs/promises';
import { openHost } from 'llmspell';

const endless = 'State.set("tried", "to run for ever") while true do end';
const source = process.argv[2] === undefined ? endless : await readFile(process.argv[2], 'utf8');

const host = await openHost({
  settings: {
    engines: { lua: { sandbox_mode: true, memory_limit: 32 * 1024 * 1024 } },
    runtime: { script_timeout_seconds: 2, state_persistence: { backend_type: 'memory' } },
  },
});
try {
  const { exitCode, error, durationMs } = await host.run({ source });
  console.log(`ended with ${exitCode} after ${(durationMs / 1000).toFixed(1)} s`);
  if (error) console.log(`${error.code}: ${error.message}`);
  for (const key of await host.state.list('global')) console.log(`${key} = ${await host.state.get('global', key)}`);
} finally {
  await host.close();
}
