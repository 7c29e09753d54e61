import type { OperationOptions, Progress } from '../backup/types.js';
import type { Context } from './context.js';
import { span } from './format.js';

/** At most ten times a second: more is noise, and costs the work it shows. */
const REDRAW_MS = 100;
const BAR_WIDTH = 20;
const ERASE_LINE = '\r\u001b[K';

/** Does long work that can be stopped; on a terminal with a bar that shows how far it is, how fast, and how long it will take. */
export async function withProgress<T>(context: Context, work: (watching: OperationOptions) => Promise<T>): Promise<T> {
  const { signal, out } = context;
  if (!out.animated) return work({ signal });
  let drawnAtMs = 0;
  let current = { phase: '', startedAtMs: 0 };
  const onProgress = (progress: Progress) => {
    const nowMs = Date.now();
    // What is counted differs from phase to phase, and so does its rate.
    if (progress.phase !== current.phase) current = { phase: progress.phase, startedAtMs: nowMs };
    if (nowMs - drawnAtMs < REDRAW_MS) return;
    drawnAtMs = nowMs;
    const line = progressLine(progress, nowMs - current.startedAtMs, process.stderr.columns || 80);
    process.stderr.write(ERASE_LINE + line);
  };
  try {
    return await work({ signal, onProgress });
  } finally {
    if (drawnAtMs > 0) process.stderr.write(ERASE_LINE);
  }
}

/** One line that fits the terminal, whatever its width. */
export function progressLine({ phase, done, total, percent }: Progress, elapsedMs: number, width: number): string {
  const rate = (done * 1000) / Math.max(1, elapsedMs);
  const speed = `${Math.round(rate).toLocaleString('en-US')}/s`;
  const parts = [phase];
  if (percent !== undefined) parts.push(bar(percent), `${Math.floor(percent)} %`);
  if (rate > 0) parts.push(speed);
  if (total !== undefined && rate > 0) parts.push(`${span(((total - done) * 1000) / rate)} left`);
  return parts.join('  ').slice(0, Math.max(0, width - 1));
}

function bar(percent: number): string {
  const filled = Math.round((BAR_WIDTH * Math.min(100, Math.max(0, percent))) / 100);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}
