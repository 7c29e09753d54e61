import type { MachineSettings } from '../../src/channel/start.js';
import { ScriptHost, type ScriptHostOptions, type ScriptResult, type ScriptRun } from '../../src/host/script-host.js';

export const MACHINE: MachineSettings = {
  sandbox: { stdlib: 'full', fileAccess: true, allowedPaths: [], processSpawn: false, environment: {} },
  limits: { memoryBytes: 0, maxInstructions: 0, maxOutputBytes: 0, maxValueBytes: 10_000_000, maxValueDepth: 100 },
  state: false,
  calls: [],
};

/** A host for tests: 20 seconds, no state, unless told otherwise. */
export const scriptHost = (options: Partial<ScriptHostOptions> = {}): ScriptHost =>
  new ScriptHost({ machine: MACHINE, timeoutSeconds: 20, maxConcurrentScripts: 4, ...options });

export interface Outcome extends ScriptResult {
  /** Standard output and standard error, in the order they were written. */
  text: string;
}

/** Runs a script and collects what it prints. */
export async function runScript(host: ScriptHost, script: string | ScriptRun): Promise<Outcome> {
  const parts: Uint8Array[] = [];
  const run = typeof script === 'string' ? { source: script } : script;
  const result = await host.run({ output: (_, bytes) => void parts.push(bytes), ...run });
  return { ...result, text: Buffer.concat(parts).toString('latin1') };
}
