import { Readable } from 'node:stream';
import type { Handlers } from '../channel/responder.js';
import type { MachineSettings, RunReport } from '../channel/start.js';
import { type ErrorCode, LlmspellError } from '../errors.js';
import type { LuaEntry, LuaFile, LuaOutcome, LuaSteps } from '../migration/lua-steps.js';
import { decodeTree, encodeTree, type Tree } from '../migration/tree.js';
import { type Bytes, utf8 } from '../util/bytes.js';
import { ScriptThread } from './script-thread.js';

export interface LuaMigrationOptions {
  /** The machine of ordinary scripts: its sandbox and its limits hold here. */
  machine: MachineSettings;
  /** For the whole migration; 0: no limit. */
  timeoutSeconds: number;
  signal: AbortSignal | undefined;
}

const CALL = 'migration_step';
/** What the driver adds around a value: nesting, and the other entries of a batch. */
const DRIVER_DEPTH = 4;
const BATCH_BYTES = 64 << 20;

/**
 * What runs in the machine. It asks for work with one call, which also takes the results of the work before. First it gets the files and answers
 * with what is wrong with them; then batches of entries. What it needs it keeps: the files may change any global.
 */
const DRIVER = `
local step, pcall, ipairs, load, type, tostring = State.${CALL}, pcall, ipairs, load, type, tostring
local match, format = string.match, string.format
State = nil

local loaded = {}
local function prepare(name, source, exports)
  local chunk, problem = load(source, '@' .. name, 't')
  if not chunk then return problem end
  local ok, exported = pcall(chunk)
  if not ok then return tostring(exported) end
  if type(exported) ~= 'table' then return format('%s: it must return a table with the functions', name) end
  for _, export in ipairs(exports) do
    if type(exported[export]) ~= 'function' then return format('%s: it has no function %s', name, export) end
  end
  loaded[name] = { up = exported.up, down = exported.down }
end

local problem
for _, file in ipairs(step('files')) do problem = problem or prepare(file[1], file[2], file[3]) end

local function storable(results)
  for i, result in ipairs(results) do
    local ok, message = pcall(step, 'probe', result[2])
    if not ok then results[i] = { false, 'what it returned cannot be stored: ' .. (match(message, '%((.*)%)$') or message) } end
  end
  return results
end

local work = step('loaded', problem)
while work do
  local run, results = loaded[work[1]][work[2]], {}
  for i, entry in ipairs(work[3]) do
    local ok, value = pcall(run, entry[3], entry[2], entry[1])
    if ok then results[i] = { true, value } else results[i] = { false, tostring(value) } end
  end
  local ok, next = pcall(step, 'done', results)
  if ok then work = next else work = step('done', storable(results)) end
end
`;

/** A migration has no options for its limits, as scripts have. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  SCRIPT_TIMEOUT: 'Nothing was changed. Give them more time with `runtime.script_timeout_seconds`.',
  SCRIPT_INSTRUCTIONS: 'Nothing was changed. Raise `engines.lua.max_instructions`.',
  SCRIPT_MEMORY: 'Nothing was changed. Raise `engines.lua.memory_limit`.',
};

/** A promise that somebody else keeps. */
class Waiting<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => undefined);
  }
}

/** One machine for one migration, in a thread of its own; entries go through it in batches. */
export class LuaMigration implements LuaSteps {
  readonly #files: readonly LuaFile[];
  readonly #ended: Promise<void>;
  /** What the driver waits for: the next batch, nil at the end. */
  #work = new Waiting<Tree>();
  /** What is waited for from the driver. */
  #answer = new Waiting<Tree>();
  /** How the machine ended. */
  #reason: LlmspellError | undefined;

  /** Starts the machine and loads the files into it. Throws `SCHEMA_INVALID` where they do not load. */
  static async open(files: readonly LuaFile[], options: LuaMigrationOptions): Promise<LuaMigration> {
    const migration = new LuaMigration(files, options);
    const problem = await migration.#answer.promise;
    if (typeof problem !== 'string') return migration;
    await migration.close();
    throw new LlmspellError('SCHEMA_INVALID', `A Lua step does not load: ${problem}.`);
  }

  private constructor(files: readonly LuaFile[], { machine, timeoutSeconds, signal }: LuaMigrationOptions) {
    this.#files = files;
    const { limits } = machine;
    const own = {
      ...limits,
      maxValueBytes: limits.maxValueBytes + BATCH_BYTES,
      maxValueDepth: limits.maxValueDepth + DRIVER_DEPTH,
    };
    const thread = new ScriptThread(
      { ...machine, limits: own, state: true, calls: [CALL] },
      { session: () => this.#session() },
    );
    const request = {
      source: utf8(DRIVER),
      chunkName: '=migration',
      scriptName: 'migration',
      args: [],
      interactive: false,
      stdinIsFile: false,
    };
    const running = thread.run(request, {
      output: (_, bytes) => void process.stderr.write(bytes),
      stdin: () => Readable.from([]),
      timeoutSeconds,
      ...(signal && { signal }),
    });
    this.#ended = running.then((report) => this.#end(report));
  }

  async apply(file: string, direction: 'up' | 'down', entries: readonly LuaEntry[]): Promise<LuaOutcome[]> {
    this.#answer = new Waiting();
    if (this.#reason) this.#answer.reject(this.#reason);
    this.#work.resolve([file, direction, entries.map(({ scope, key, value }) => [scope, key, value])]);
    return ((await this.#answer.promise) as Tree[]).map(outcomeOf);
  }

  async close(): Promise<void> {
    this.#work.resolve(null);
    await this.#ended;
  }

  #session() {
    const handlers: Handlers = {
      open: () => false,
      call: async ([, args]) => encodeTree(await this.#called(decodeTree(args as Bytes) as Tree[])),
    };
    return { handlers, settled: () => undefined, close: async () => undefined };
  }

  async #called([what, given = null]: Tree[]): Promise<Tree> {
    if (what === 'probe') return true;
    if (what === 'files') return this.#files.map(({ name, source, exports }) => [name, source, [...exports]]);
    const work = new Waiting<Tree>();
    this.#work = work;
    this.#answer.resolve(given);
    return await work.promise;
  }

  /** Whoever waits for an answer, now or later, is told how the machine ended. */
  #end({ error }: RunReport): void {
    this.#reason = error
      ? new LlmspellError(error.code, `The Lua steps were stopped: ${decapitalized(error.message)}`, {
          hint: HINTS[error.code] ?? error.hint,
        })
      : new LlmspellError('MIGRATION_FAILED', 'A Lua step ended the machine that it runs in.');
    this.#answer.reject(this.#reason);
  }
}

const decapitalized = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1);

/** An empty result is nil, as is one whose value is. */
function outcomeOf(result: Tree): LuaOutcome {
  const [isDone, value = null] = Array.isArray(result) ? result : [];
  return isDone === true
    ? { value }
    : { error: typeof value === 'string' ? value : 'it raised an error that is no text' };
}
