import type { Caller } from '../channel/caller.js';
import type { RunRequest } from '../channel/start.js';
import type { TestEvent, TestPort, TestSettings } from '../channel/tests.js';
import { type Pointer, REGISTRY, STATUS } from '../lua/api.js';
import { withoutPreamble } from '../lua/chunk.js';
import type { OutputFile } from '../lua/stdio.js';
import { ASSERTIONS } from '../lua/unit/assertions.js';
import { BLOCKS } from '../lua/unit/blocks.js';
import { VALUES } from '../lua/unit/values.js';
import type { LuaVm } from '../lua/vm.js';
import type { Bytes } from '../util/bytes.js';

export interface TestRunnerOptions {
  settings: TestSettings;
  caller: Caller;
  stdout: OutputFile;
  stderr: OutputFile;
}

/** Runs the tests that a script describes, each with a state of its own, and tells of each. */
export class TestRunner {
  readonly #vm: LuaVm;
  readonly #options: TestRunnerOptions;
  readonly #port: TestPort;
  readonly #main: number;
  readonly #report: number;
  readonly #fresh: number;

  /** Takes what it needs of the libraries: made before anything of them is taken away. */
  constructor(vm: LuaVm, options: TestRunnerOptions) {
    this.#vm = vm;
    this.#options = options;
    this.#port = testPort(options.caller);
    this.#main = vm.keep(VALUES + ASSERTIONS + BLOCKS);
    this.#report = vm.register((L) => this.#tell(L));
    this.#fresh = vm.register(() => {
      this.#port.freshState();
      return 0;
    });
  }

  /** What the tests do is told, not thrown; but an `Unwind` goes through. */
  run({ source, chunkName }: Pick<RunRequest, 'source' | 'chunkName'>): void {
    const { lua } = this.#vm;
    const status = this.#vm.protect((L) => {
      lua.lua_rawgeti(L, REGISTRY, BigInt(this.#main));
      lua.lua_pushcclosure(L, this.#report, 0);
      lua.lua_pushcclosure(L, this.#fresh, 0);
      this.#pushAll(L, [withoutPreamble(source), Buffer.from(chunkName), Buffer.from(this.#options.settings.filter)]);
      lua.lua_callk(L, 5, 0, 0, 0);
      return 0;
    }, 0);
    if (status === STATUS.ok) return;
    this.#port.testEvent({ kind: 'begin', place: '', path: [] });
    this.#port.testEvent(eventOf(['failed', this.#vm.text(this.#vm.L, -1)]));
    this.#port.testEvent({ kind: 'done' });
  }

  #pushAll(L: Pointer, texts: readonly Bytes[]): void {
    for (const text of texts) this.#vm.pushBytes(L, text);
  }

  /** `report(kind, …)` of the framework. What a test has printed comes before its end. */
  #tell(L: Pointer): number {
    const { stdout, stderr } = this.#options;
    const texts = Array.from({ length: this.#vm.lua.lua_gettop(L) }, (_, i) => this.#vm.text(L, i + 1));
    stdout.flush();
    stderr.flush();
    this.#port.testEvent(eventOf(texts));
    return 0;
  }
}

function eventOf([kind = '', ...texts]: readonly string[]): TestEvent {
  const [first = '', second = '', third = '', fourth = ''] = texts;
  if (kind === 'begin') return { kind, place: first, path: texts.slice(1) };
  if (kind === 'passed') return { kind: 'end', outcome: { status: 'passed' } };
  if (kind === 'pending') return { kind: 'end', outcome: { status: 'pending', reason: first } };
  if (kind === 'done') return { kind };
  const outcome = { status: 'failed', message: first, place: second, details: third, traceback: fourth } as const;
  return { kind: 'end', outcome };
}

const testPort = (caller: Caller): TestPort => ({
  testEvent: (event) => void caller.call('testEvent', [event]),
  freshState: () => void caller.call('freshState', []),
});
