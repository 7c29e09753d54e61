import { createHash } from 'node:crypto';
import { byteCount, counted, localTime, shortened } from '../format.js';
import { changes, chart, escapeHtml } from './chart.js';
import type { TimelineDocument } from './document.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/**
 * One file that needs nothing else and may load nothing else: its policy names the digests of its own style and script.
 * Without its script it still shows the drawing and the backups.
 */
export function timelinePage(timeline: TimelineDocument, madeAtMs: number): string {
  const policy = `default-src 'none'; style-src '${digest(STYLE)}'; script-src '${digest(SCRIPT)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Timeline of the state</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Timeline of the state</h1>
<p class="dim">${escapeHtml(summary(timeline))} Made ${escapeHtml(localTime(madeAtMs))}.</p>
${timeline.warnings.map((warning) => `<p class="warning">${escapeHtml(warning)}</p>`).join('\n')}
${timeline.buckets.length === 0 ? '<p>Nothing has happened yet.</p>' : body(timeline)}
</body>
</html>
`;
}

function body(timeline: TimelineDocument): string {
  return `${chart(timeline)}
${legend(timeline)}
<div id="moment" aria-live="polite"></div>
<h2>Backups</h2>
<div class="scroll"><table>
<tr><th>id</th><th>type</th><th>created</th><th class="number">size</th><th class="number">brought</th><th>rests on</th><th></th></tr>
${timeline.backups.toReversed().map(row).join('\n')}
</table></div>
<script type="application/json" id="data">${JSON.stringify(timeline).replaceAll('<', '\\u003c')}</script>
<script>${SCRIPT}</script>`;
}

function summary({ buckets, backups, restores }: TimelineDocument): string {
  const total = buckets.reduce((sum, bucket) => sum + changes(bucket), 0);
  const bytes = backups.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  const made = `${counted(backups.length, 'backup')} of ${byteCount(bytes)}`;
  return `${counted(total, 'change')}, ${made}, ${counted(restores.length, 'restore')}.`;
}

function legend({ scopes, buckets }: TimelineDocument): string {
  const hasOthers = buckets.some(({ by_scope }) => (by_scope.at(-1) ?? 0) > 0);
  const others = hasOthers ? [['other', 'other scopes']] : [];
  return line('Changes of', [...scopes.map((scope, i) => [`s${i}`, scope]), ...others]) + line('Each moment', WAYS);
}

const WAYS = [
  ['from-history', 'can be had from the history'],
  ['from-backups', 'from backups'],
  ['from-nowhere', 'not any more'],
];

/** In characters; all of it is shown when the mouse rests on it. */
const WIDEST_LABEL = 40;

function line(title: string, entries: readonly (readonly string[])[]): string {
  const labels = entries.map(
    ([name, label = '']) =>
      `<span title="${escapeHtml(label)}"><i class="${name}"></i>${escapeHtml(shortened(label, WIDEST_LABEL))}</span>`,
  );
  return `<p class="legend"><span class="dim">${title}</span>${labels.join('')}</p>`;
}

function row(backup: TimelineDocument['backups'][number]): string {
  const { record_count: records, entry_count: entries } = backup;
  const changed = records === null ? '' : `${counted(records, 'change')} of `;
  const brought =
    entries === null ? 'unknown' : `${backup.is_incremental ? changed : ''}${counted(entries, 'entry', 'entries')}`;
  const parent =
    backup.parent_id === null ? '' : `<a href="#b-${backup.parent_id}"><code>${backup.parent_id}</code></a>`;
  const remarks = [
    backup.damage === null ? '' : `<span class="warning">damaged: ${escapeHtml(backup.damage)}</span>`,
    backup.pinned ? 'pinned' : '',
    ...backup.tags.map((tag) => escapeHtml(`#${tag}`)),
    escapeHtml(backup.description),
  ];
  return `<tr id="b-${backup.id}"><td><code>${backup.id}</code></td><td>${backup.is_incremental ? 'incremental' : 'full'}</td><td data-ms="${backup.created_at_ms}">${localTime(backup.created_at_ms)}</td><td class="number">${byteCount(backup.size_bytes)}</td><td class="number">${brought}</td><td>${parent}</td><td>${remarks.filter((remark) => remark !== '').join(' · ')}</td></tr>`;
}

const digest = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;
