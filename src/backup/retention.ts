import { chainOf, recordsById } from './chain.js';
import type { BackupRecord, RetentionDecision, RetentionPolicy } from './types.js';

/**
 * Decides which backups stay; pure. A backup stays where it is
 * - among the newest `maxBackups` and not older than `maxAgeSeconds` (0: no limit), or
 * - the last one of one of the newest `keepHourly` hours, `keepDaily` days, … that have any, as restic keeps them (in UTC;
 *   weeks are those of ISO 8601), or
 * - pinned, the newest of all, the newest sound full one, or one that cannot be read (a person decides about that), or
 * - something that one of these rests on.
 *
 * @param records with `damage` set wherever something is known to be wrong; any order.
 * @returns one decision a backup, oldest first, each with its reason.
 */
export function decideRetention(
  records: readonly BackupRecord[],
  policy: RetentionPolicy,
  nowMs: number,
): RetentionDecision[] {
  const newestFirst = [...records].sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
  const reasons = new Map<string, string>();
  const keep = (record: BackupRecord | undefined, reason: string) => {
    if (record && !reasons.has(record.id)) reasons.set(record.id, reason);
  };
  for (const record of newestFirst) {
    if (record.pinned) keep(record, 'it is pinned');
    if (record.damage !== undefined) keep(record, 'it is damaged: rescue what is in it, or delete it by hand');
  }
  const readable = newestFirst.filter((record) => record.damage === undefined);
  keep(readable[0], 'it is the newest');
  const remove = new Map<string, string>();
  for (const [index, record] of readable.entries()) {
    const excess = excessOf(record, index, policy, nowMs);
    if (excess === undefined) keep(record, withinLimits(policy));
    else remove.set(record.id, excess);
  }
  for (const period of PERIODS) keepLastOfEach(period, policy[period.setting], readable, keep);
  const soundFull = readable.find((record) => !record.isIncremental);
  keep(soundFull, 'it is the newest sound full backup');
  keepAncestors(newestFirst, reasons);
  return newestFirst.reverse().map(({ id }) => {
    const reason = reasons.get(id);
    return { id, keep: reason !== undefined, reason: reason ?? remove.get(id)! };
  });
}

/** Why the plain limits do not hold a backup, or undefined where they do. */
function excessOf(record: BackupRecord, index: number, policy: RetentionPolicy, nowMs: number): string | undefined {
  if (policy.maxBackups > 0 && index >= policy.maxBackups) return `it is not among the newest ${policy.maxBackups}`;
  const ageSeconds = (nowMs - record.createdAtMs) / 1000;
  if (policy.maxAgeSeconds > 0 && ageSeconds > policy.maxAgeSeconds) {
    return `it is older than ${durationText(policy.maxAgeSeconds)}`;
  }
  return undefined;
}

function withinLimits({ maxBackups, maxAgeSeconds }: RetentionPolicy): string {
  const newest = maxBackups > 0 ? [`among the newest ${maxBackups}`] : [];
  const young = maxAgeSeconds > 0 ? [`not older than ${durationText(maxAgeSeconds)}`] : [];
  const limits = [...newest, ...young].join(' and ');
  return limits ? `it is ${limits}` : 'no limit is set';
}

function durationText(seconds: number): string {
  const [size, unit] = [[86_400, 'day'] as const, [3600, 'hour'] as const].find(([s]) => seconds >= s) ?? [1, 'second'];
  const count = Math.round((seconds / size) * 10) / 10;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

interface Period {
  setting: 'keepHourly' | 'keepDaily' | 'keepWeekly' | 'keepMonthly';
  name: string;
  /** The same text for all moments of one period. */
  of: (date: Date) => string;
}

const PERIODS: readonly Period[] = [
  { setting: 'keepHourly', name: 'hour', of: (date) => `${date.toISOString().slice(0, 13)}h` },
  { setting: 'keepDaily', name: 'day', of: (date) => date.toISOString().slice(0, 10) },
  { setting: 'keepWeekly', name: 'week', of: isoWeek },
  { setting: 'keepMonthly', name: 'month', of: (date) => date.toISOString().slice(0, 7) },
];

function keepLastOfEach(
  period: Period,
  count: number,
  newestFirst: readonly BackupRecord[],
  keep: (record: BackupRecord, reason: string) => void,
): void {
  const seen = new Set<string>();
  for (const record of newestFirst) {
    const name = period.of(new Date(record.createdAtMs));
    if (seen.has(name)) continue;
    if (seen.size >= count) return;
    seen.add(name);
    keep(record, `it is the last of the ${period.name} ${name}`);
  }
}

/** ISO 8601: the week belongs to the year that its Thursday is in. */
function isoWeek(date: Date): string {
  const thursday = new Date(date);
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const week = Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7);
  return `${year}-W${String(week).padStart(2, '0')}`;
}

function keepAncestors(newestFirst: readonly BackupRecord[], reasons: Map<string, string>): void {
  const byId = recordsById(newestFirst);
  for (const record of newestFirst) {
    if (!reasons.has(record.id)) continue;
    for (const ancestor of chainOf(record, byId).records) {
      if (!reasons.has(ancestor.id)) reasons.set(ancestor.id, `${record.id}, which is kept, rests on it`);
    }
  }
}
