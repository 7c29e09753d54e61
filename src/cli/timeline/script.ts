/**
 * Runs in the page: chooses a moment (pointer, arrow keys) and tells what a restore to it would do. Text is only ever put in as text,
 * so that no name of a scope can become markup.
 */
export const SCRIPT = `
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const chart = document.getElementById('chart');
const cursor = document.getElementById('cursor');
const moment = document.getElementById('moment');
const LEFT = 56, WIDTH = 1200, RIGHT = 12;
// The Swedish form is that of ISO 8601, in the time of where the page is read.
const local = (ms) => new Date(ms).toLocaleString('sv-SE');
const day = 86400000;
const short = (ms) => data.bucket_ms < 60000 ? local(ms).slice(11) : data.to_ms - data.from_ms < 2 * day ? local(ms).slice(5, 16) : local(ms).slice(0, 10);
const number = (n) => n.toLocaleString('en-US');
for (const text of document.querySelectorAll('[data-ms]')) text.textContent = ('short' in text.dataset ? short : local)(Number(text.dataset.ms));
let chosen = data.buckets.length - 1;

function say(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  moment.append(element);
  return element;
}

function undone(at) {
  const sums = new Array(data.scopes.length + 1).fill(0);
  for (const bucket of data.buckets.slice(at + 1)) bucket.by_scope.forEach((count, i) => { sums[i] += count; });
  return sums;
}

function choose(at) {
  chosen = Math.max(0, Math.min(data.buckets.length - 1, at));
  const bucket = data.buckets[chosen];
  if (!bucket) return;
  const step = (WIDTH - LEFT - RIGHT) / data.buckets.length;
  cursor.setAttribute('x', LEFT + chosen * step);
  cursor.setAttribute('width', Math.max(2, step));
  const endMs = bucket.start_ms + data.bucket_ms;
  moment.replaceChildren();
  say('h2', local(bucket.start_ms) + ' – ' + local(endMs));
  say('p', number(bucket.sets) + ' set, ' + number(bucket.deletes) + ' deleted' + shares(bucket.by_scope));
  const sums = undone(chosen);
  const total = sums.reduce((sum, count) => sum + count, 0);
  say('p', total === 0
    ? 'A restore to its end would undo nothing: nothing has changed since.'
    : 'A restore to its end would undo ' + number(total) + (total === 1 ? ' change' : ' changes') + shares(sums) + '.');
  way(bucket.restore, endMs - 1);
}

function shares(counts) {
  const parts = counts.map((count, i) => count === 0 ? '' : (data.scopes[i] ?? 'others') + ' ' + number(count)).filter(Boolean);
  return parts.length === 0 ? '' : ' (' + parts.join(', ') + ')';
}

function way(restore, timeMs) {
  for (const row of document.querySelectorAll('tr.rests')) row.classList.remove('rests');
  if (restore.from === 'nowhere') return say('p', restore.unreachable, 'dim');
  if (restore.from === 'history') say('p', 'It would be taken from the history of the state itself.');
  else {
    say('p', 'It would read ' + restore.chain.length + (restore.chain.length === 1 ? ' backup' : ' backups') + ', ' + size(restore.size_bytes) + ': ' + restore.chain.join(' → '));
    for (const id of restore.chain) document.getElementById('b-' + id)?.classList.add('rests');
  }
  say('p', '').append(Object.assign(document.createElement('code'), {
    textContent: 'llmspell backup restore --to ' + new Date(Math.min(timeMs, data.to_ms)).toISOString() + ' --dry-run',
  }));
}

function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; bytes >= 1024 && i < units.length - 1; i++) bytes /= 1024;
  return (i === 0 ? bytes : bytes.toFixed(1)) + ' ' + units[i];
}

chart.addEventListener('pointermove', (event) => {
  const box = chart.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * WIDTH;
  choose(Math.floor(((x - LEFT) / (WIDTH - LEFT - RIGHT)) * data.buckets.length));
});
chart.addEventListener('keydown', (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  choose(chosen + step);
});
choose(chosen);
`;
