import { type Host, openHost } from '../dist/index.js';
import { atRest, seconds } from './harness.js';

const SETS = 400_000;
const SCRIPT = `
for i = 1, tonumber(arg[1]) do State.set("writer", "key" .. i % 1000, { number = i, text = "what a script keeps" }) end
State.flush()
`;

/**
 * How much longer a script takes that writes without pause while one full backup follows the other: the time during backups divided by that
 * without any, both the smallest of the runs. Works on the state and the backups below the directory.
 */
export async function writerSlowdown(directory: string, runs: number): Promise<number> {
  const settings = { runtime: { state_persistence: { path: 'state', backup: { backup_dir: 'backups' } } } };
  const host = await openHost({ settings, directory });
  try {
    return await slowdownOf(host, runs);
  } finally {
    await host.close();
  }
}

async function slowdownOf(host: Host, runs: number): Promise<number> {
  const backups = await host.backups();
  const script = async () => {
    const { error } = await host.run({ source: SCRIPT, args: [String(SETS)] });
    if (error) throw new Error(error.message);
  };
  let [alone, during] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < runs; run++) {
    await atRest();
    alone = Math.min(alone, await seconds(script));
    await atRest();
    let isWriting = true;
    const backingUp = (async () => {
      while (isWriting) await backups.create();
    })();
    during = Math.min(during, await seconds(script));
    isWriting = false;
    await backingUp;
  }
  return during / alone;
}
