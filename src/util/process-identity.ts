import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Which process, beyond doubt: a pid alone is used again after a while (and at once after a reboot or in a container), so the
 * time the process started, the boot it belongs to and the machine go with it.
 */
export interface ProcessIdentity {
  pid: number;
  host: string;
  /** Linux' boot id; empty where the system has none. */
  bootId: string;
  /** Start in clock ticks since boot (field 22 of /proc/PID/stat); empty where the system does not tell. */
  startTicks: string;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), bootId: bootId(), startTicks: startTicks(process.pid) };
}

/** Whether that process still runs. One on another machine counts as running: nobody here can tell. */
export function isRunning(holder: ProcessIdentity): boolean {
  if (holder.host !== hostname()) return true;
  if (holder.bootId !== bootId()) return false;
  return pidExists(holder.pid) && startTicks(holder.pid) === holder.startTicks;
}

/** Whether any process has this pid now. */
export function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const bootId = (): string => readSystemFile('/proc/sys/kernel/random/boot_id').trim();

/** The command name in the second field may hold blanks and parentheses: what follows the last one is counted. */
function startTicks(pid: number): string {
  const stat = readSystemFile(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function readSystemFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
