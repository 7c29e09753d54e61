// Backs the state up on an interval and proves, after every fourth backup, that the newest one restores. Ctrl-C ends it cleanly.
//
//   node examples/schedule.js [llmspell.toml] [seconds]
import { setTimeout } from 'node:timers/promises';
import { openHost } from 'llmspell';

const [configFile = 'llmspell.toml', seconds = '900'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

const host = await openHost({ configFile, lockTimeoutSeconds: 60 });
try {
  const backups = await host.backups();
  for (let made = 1; !stop.signal.aborted; made++) {
    const { backup, warnings } = await backups.create({ incremental: true, tags: ['scheduled'], signal: stop.signal });
    console.log(`${backup.id} ${backup.isIncremental ? 'incremental' : 'full'} ${backup.sizeBytes} bytes`);
    for (const warning of warnings) console.log(warning);
    if (made % 4 === 0) {
      const proof = await backups.validate(backup.id, { signal: stop.signal });
      console.log(proof.isValid ? `${backup.id} is sound` : proof.errors.join('\n'));
    }
    await setTimeout(Number(seconds) * 1000, undefined, { signal: stop.signal });
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await host.close();
}
