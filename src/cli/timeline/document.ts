import type { RestoreWay, Timeline } from '../../recovery/timeline.js';
import { printable } from '../../util/bytes.js';
import { backupDocument } from '../documents.js';

/** A timeline as programs get it, and as the page carries it. */
export const timelineDocument = (timeline: Timeline) => ({
  from_ms: timeline.fromMs,
  to_ms: timeline.toMs,
  bucket_ms: timeline.bucketMs,
  scopes: timeline.scopes.map(printable),
  buckets: timeline.buckets.map(({ startMs, sets, deletes, byScope, way }) => ({
    start_ms: startMs,
    sets,
    deletes,
    by_scope: byScope,
    restore: wayDocument(way),
  })),
  restores: timeline.restores.map(({ timeMs, description }) => ({ at_ms: timeMs, to: description })),
  backups: timeline.backups.map((backup) => ({ ...backupDocument(backup), created_at_ms: backup.createdAtMs })),
  warnings: timeline.warnings,
});

export type TimelineDocument = ReturnType<typeof timelineDocument>;

/** Every way has every field, so that programs need not tell them apart before they read. */
const wayDocument = (way: RestoreWay) => ({
  from: way.from,
  chain: way.from === 'backups' ? way.chain : [],
  size_bytes: way.from === 'backups' ? way.sizeBytes : 0,
  unreachable: way.from === 'nowhere' ? way.reason : null,
});
