// Runs a script that writes without end and prints now and then; its parent kills it. Runs on the build.
import { openHost } from '../../dist/index.js';

const [directory] = process.argv.slice(2);
const settings = { runtime: { state_persistence: { backend_type: 'level', path: directory, flush_interval_ms: 20 } } };
const host = await openHost({ settings, directory });
await host.run({
  source: `
    for i = (State.get("n") or 0) + 1, 1e9 do
      State.set("n", i) State.set("k" .. i % 10, i)
      if i % 1000 == 0 then print(i) io.flush() end
    end`,
});
