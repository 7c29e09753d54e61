import { creationOf } from '../../backup/chain.js';
import type { BackupRecord } from '../../backup/types.js';
import { loadConfig } from '../../config/load.js';
import { Host } from '../../host/host.js';
import { printable, textOf, utf8 } from '../../util/bytes.js';
import { byteCount, localTime } from '../format.js';
import type { Candidate, LiveCompletion } from './words.js';

const MOST_KEYS = 200;

/** Asks the backups or the state. Nobody waits at a Tab: where the state is held by another process, there is nothing to offer. */
export async function liveCandidates(wanted: LiveCompletion, configFile: string | undefined): Promise<Candidate[]> {
  const { config } = await loadConfig({
    ...(configFile !== undefined && { path: configFile }),
    cwd: process.cwd(),
    env: process.env,
  });
  await using host = new Host({ config, readOnly: true, lockTimeoutSeconds: 0 });
  if (wanted.kind === 'backups' || wanted.kind === 'tags') return ofBackups(host, wanted.kind);
  if (config.runtime.state_persistence.backend_type === 'memory') return [];
  const store = await host.store();
  const names =
    wanted.kind === 'scopes'
      ? await store.scopes()
      : await store.list(utf8(wanted.scope), { prefix: utf8(wanted.prefix), limit: MOST_KEYS });
  return names.filter(canBeTyped).map((name) => ({ value: printable(name) }));
}

async function ofBackups(host: Host, kind: 'backups' | 'tags'): Promise<Candidate[]> {
  const records = (await (await host.archives()).list()).reverse();
  if (kind === 'tags') return [...new Set(records.flatMap(({ tags }) => tags))].map((value) => ({ value }));
  const newest = records.length === 0 ? [] : [{ value: 'latest', description: 'the newest backup' }];
  return newest.concat(records.map((record) => ({ value: record.id, description: describe(record) })));
}

function describe(record: BackupRecord): string {
  const { isIncremental, sizeBytes, description } = record;
  const createdAtMs = creationOf(record);
  const kind =
    createdAtMs === undefined ? ['damaged'] : [isIncremental ? 'incremental' : 'full', localTime(createdAtMs)];
  return [...kind, byteCount(sizeBytes), ...(description === '' ? [] : [description])].join(', ');
}

/** Text without control characters: what is left out can be named on a command line by no shell's rules. */
function canBeTyped(name: Uint8Array): boolean {
  const text = textOf(name);
  return text !== undefined && !/\p{Cc}/u.test(text);
}
