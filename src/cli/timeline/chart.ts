import type { TimelineDocument } from './document.js';
import { chainsIn, type PlacedBackup } from './lanes.js';
import { span } from './text.js';

/** In the units of the drawing, which is scaled to the width of the page. */
const WIDTH = 1200;
const LEFT = 56;
const RIGHT = 12;
const BARS = { top: 24, height: 200 };
const REACH = { top: BARS.top + BARS.height + 10, height: 8 };
const AXIS = REACH.top + REACH.height + 18;
const LANES = { top: AXIS + 24, step: 26 };
const TICKS = 6;

type Bucket = TimelineDocument['buckets'][number];

/** The drawing: changes as bars by scope, from where each moment can be had, the time, and the backups below it, a lane for each chain. */
export function chart(timeline: TimelineDocument): string {
  const lanes = chainsIn(timeline.backups);
  const byId = new Map(lanes.placed.map((placed) => [placed.backup.id, placed]));
  const height = LANES.top + Math.max(1, lanes.count) * LANES.step;
  const at = (timeMs: number) =>
    LEFT + ((timeMs - timeline.from_ms) / (timeline.to_ms - timeline.from_ms)) * (WIDTH - LEFT - RIGHT);
  return [
    `<svg id="chart" viewBox="0 0 ${WIDTH} ${height}" role="img" tabindex="0" aria-label="Changes over time, and backups">`,
    ...bars(timeline, at),
    ...timeline.buckets.map((bucket) => reach(bucket, at, timeline.bucket_ms)),
    ...axis(timeline, at),
    ...timeline.restores.map(
      ({ at_ms, to }) =>
        `<g class="restore"><line x1="${n(at(at_ms))}" x2="${n(at(at_ms))}" y1="${BARS.top}" y2="${REACH.top}"/>${title(`Restored: ${to}`)}</g>`,
    ),
    ...lanes.placed.map((placed) => link(placed, byId, at)),
    ...lanes.placed.map((placed) => mark(placed, at)),
    `<rect id="cursor" x="${LEFT}" y="${BARS.top}" width="0" height="${height - BARS.top}"/>`,
    '</svg>',
  ].join('\n');
}

function bars(timeline: TimelineDocument, at: (timeMs: number) => number): string[] {
  const { buckets, bucket_ms } = timeline;
  const most = Math.max(1, ...buckets.map(changes));
  const perMinute = (most * 60_000) / bucket_ms;
  const label = perMinute >= 10 ? Math.round(perMinute).toLocaleString('en-US') : perMinute.toFixed(1);
  const width = Math.max(0.8, at(timeline.from_ms + bucket_ms) - LEFT - 0.6);
  return [
    `<text class="scale" x="${LEFT - 6}" y="${BARS.top + 4}" text-anchor="end">${label}</text>`,
    `<text class="scale" x="${LEFT - 6}" y="${BARS.top + BARS.height}" text-anchor="end">0</text>`,
    `<text class="scale" x="4" y="12">changes per minute, one bar for each ${span(bucket_ms).replace(/^1 /, '')}</text>`,
    `<line class="base" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${BARS.top + BARS.height}" y2="${BARS.top + BARS.height}"/>`,
    ...buckets.flatMap((bucket) => stack(bucket, at(bucket.start_ms), width, BARS.height / most)),
  ];
}

/** The scopes on top of each other. */
function stack({ by_scope }: Bucket, x: number, width: number, unit: number): string[] {
  let y = BARS.top + BARS.height;
  return by_scope.flatMap((count, i) => {
    if (count === 0) return [];
    const height = count * unit;
    y -= height;
    const colour = i === by_scope.length - 1 ? 'other' : `s${i}`;
    return [`<rect class="${colour}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"/>`];
  });
}

function reach({ start_ms, restore }: Bucket, at: (timeMs: number) => number, bucketMs: number): string {
  const [x, end] = [at(start_ms), at(start_ms + bucketMs)];
  return `<rect class="from-${restore.from}" x="${n(x)}" y="${REACH.top}" width="${n(end - x)}" height="${REACH.height}"/>`;
}

function axis({ from_ms, to_ms, bucket_ms }: TimelineDocument, at: (timeMs: number) => number): string[] {
  return Array.from({ length: TICKS + 1 }, (_, i) => {
    const timeMs = from_ms + ((to_ms - from_ms) * i) / TICKS;
    const anchor = i === 0 ? 'start' : i === TICKS ? 'end' : 'middle';
    // The page writes the time of where it is read; this is what stands there without its script.
    return `<text class="time" data-short="" data-ms="${Math.round(timeMs)}" x="${n(at(timeMs))}" y="${AXIS}" text-anchor="${anchor}">${bucket_ms < 60_000 ? seconds(timeMs) : iso(timeMs)}</text>`;
  });
}

const yOf = ({ lane }: PlacedBackup): number => LANES.top + lane * LANES.step;

function link(
  { backup, lane }: PlacedBackup,
  all: ReadonlyMap<string, PlacedBackup>,
  at: (timeMs: number) => number,
): string {
  const parent = backup.parent_id === null ? undefined : all.get(backup.parent_id);
  if (!parent) return '';
  const y = LANES.top + lane * LANES.step;
  return `<line class="link" x1="${n(at(parent.backup.created_at_ms))}" y1="${yOf(parent)}" x2="${n(at(backup.created_at_ms))}" y2="${y}"/>`;
}

function mark(placed: PlacedBackup, at: (timeMs: number) => number): string {
  const { backup } = placed;
  const [x, y] = [at(backup.created_at_ms), yOf(placed)];
  const shape = backup.is_incremental
    ? `<rect x="${n(x - 4.5)}" y="${n(y - 4.5)}" width="9" height="9" transform="rotate(45 ${n(x)} ${n(y)})"/>`
    : `<circle cx="${n(x)}" cy="${n(y)}" r="7"/>`;
  const classes = ['backup', backup.damage === null ? '' : 'damaged', backup.pinned ? 'pinned' : ''].join(' ').trim();
  return `<a href="#b-${backup.id}" class="${classes}">${shape}${title(`${backup.id} · ${iso(backup.created_at_ms)}`)}</a>`;
}

export const changes = ({ sets, deletes }: Bucket): number => sets + deletes;
export const iso = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ');
const seconds = (timeMs: number): string => new Date(timeMs).toISOString().slice(11, 19);
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const title = (text: string): string => `<title>${escapeHtml(text)}</title>`;
/** Two decimals are more than a screen shows. */
const n = (value: number): string => String(Math.round(value * 100) / 100);
