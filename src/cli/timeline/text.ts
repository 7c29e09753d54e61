import type { Timeline, TimelineBucket } from '../../recovery/timeline.js';
import { columns, counted, localTime, terminalWidth } from '../format.js';
import type { Style } from '../output.js';

const [BAR_WIDTH, NARROW_BAR_WIDTH] = [30, 10];
/** The width of a terminal from which on there is room for long bars. */
const ROOMY = 110;
/** What fits a screen; the page has all. */
const MOST_ROWS = 40;

/** A line for each stretch of time in which something happened, oldest first. */
export function timelineText(timeline: Timeline, style: Style): string {
  const { buckets, bucketMs, backups } = timeline;
  if (buckets.length === 0) return 'Nothing has happened yet.';
  const madeIn = ({ startMs }: TimelineBucket) =>
    backups.filter(({ createdAtMs }) => createdAtMs >= startMs && createdAtMs < startMs + bucketMs);
  const restoredIn = ({ startMs }: TimelineBucket) =>
    timeline.restores.filter(({ timeMs }) => timeMs >= startMs && timeMs < startMs + bucketMs);
  const busy = buckets.filter((bucket) =>
    [changesOf(bucket), madeIn(bucket).length, restoredIn(bucket).length].some(Boolean),
  );
  const most = Math.max(1, ...busy.map(changesOf));
  const barWidth = (terminalWidth() ?? ROOMY) < ROOMY ? NARROW_BAR_WIDTH : BAR_WIDTH;
  const rows = busy
    .slice(-MOST_ROWS)
    .map((bucket) => [
      style.dim(localTime(bucket.startMs)),
      style.cyan('█'.repeat(Math.ceil((barWidth * changesOf(bucket)) / most))),
      changesOf(bucket) === 0 ? '' : counted(changesOf(bucket), 'change'),
      [
        ...madeIn(bucket).map(({ id, isIncremental }) => `${isIncremental ? '◆' : '●'} ${id}`),
        ...restoredIn(bucket).map(({ description }) => style.yellow(`↶ ${description}`)),
      ].join('  '),
    ]);
  const left = busy.length - rows.length;
  const legend = `${span(bucketMs)} a line${left > 0 ? `, ${counted(left, 'earlier line')} left out` : ''} · ● full  ◆ incremental  ↶ restored`;
  return `${columns(rows)}\n${style.dim(legend)}`;
}

const changesOf = ({ sets, deletes }: TimelineBucket): number => sets + deletes;

/** As `10 seconds`, `1 minute`, `6 hours`, `2 days`: in the largest unit that fits whole. */
export function span(milliseconds: number): string {
  const [name, length] = UNITS.find(([, unit]) => milliseconds % unit === 0) ?? UNITS.at(-1)!;
  return counted(milliseconds / length, name);
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;
