import { incrementIn } from '../state/increment.js';
import type {
  ActivatedGeneration,
  Change,
  HistoryItem,
  HistoryOptions,
  ListOptions,
  ReadCheck,
  Receipt,
  RollbackPoint,
  StateStore,
  StoredValue,
  Written,
} from '../state/types.js';
import type { Bytes } from '../util/bytes.js';

/** What can be asked of a state with one request, whoever holds it. As the methods of `StateStore`, but for the writer. */
export interface Operations {
  get(scope: Bytes, key: Bytes): Promise<StoredValue | undefined>;
  has(scope: Bytes, key: Bytes): Promise<boolean>;
  list(scope: Bytes, options: ListOptions): Promise<Bytes[]>;
  scopes(): Promise<Bytes[]>;
  readAhead(scope: Bytes, from: { gte: Bytes } | { gt: Bytes }, limit: number): Promise<Bytes[]>;
  writeIf(reads: readonly ReadCheck[], changes: readonly Change[]): Promise<Written | undefined>;
  increment(scope: Bytes, key: Bytes, by: Bytes): Promise<Bytes>;
  clear(scope: Bytes): Promise<number>;
  flush(): Promise<void>;
  seqAtTime(timeMs: number): Promise<number>;
  schemaVersion(): Promise<string | undefined>;
  history(scope: Bytes, key: Bytes, options: HistoryOptions): Promise<HistoryItem[]>;
  releaseHistory(seq: number): Promise<void>;
  rollbackPoints(): Promise<RollbackPoint[]>;
  rollback(id: string): Promise<ActivatedGeneration>;
  getMeta(name: string): Promise<Bytes | undefined>;
  setMeta(name: string, value: Bytes | null): Promise<void>;
}

export type OperationName = keyof Operations;

/** Makes the receipt of one request, from what is to be answered. */
export type ReceiptMaker = <Effect>(answerOf: (effect: Effect) => unknown) => Receipt<Effect>;

export interface Asker {
  /** As `write` has it: who changes something. */
  writer?: unknown;
  /** Of a guest's request; its changes then survive the holder. */
  receipt?: ReceiptMaker;
}

/** The operations on the store itself, for one request. */
export function operationsOn(store: StateStore, { writer, receipt }: Asker): Operations {
  return {
    get: (scope, key) => store.get(scope, key),
    has: (scope, key) => store.has(scope, key),
    list: (scope, options) => store.list(scope, options),
    scopes: () => store.scopes(),
    readAhead: (scope, from, limit) => store.readAhead(scope, from, limit),
    writeIf: (reads, changes) => store.writeIf(reads, changes, writer, receipt?.<Written>(itself)),
    increment: (scope, key, by) => incrementIn(store, { scope, key, by }, writer, (sum) => receipt?.(() => sum)),
    clear: (scope) =>
      store.clear(
        scope,
        receipt?.<Written>(({ effective }) => effective),
      ),
    flush: () => store.flush(),
    seqAtTime: (timeMs) => store.seqAtTime(timeMs),
    schemaVersion: () => store.schemaVersion(),
    history: (scope, key, options) => store.history(scope, key, options),
    releaseHistory: (seq) => store.releaseHistory(seq),
    rollbackPoints: () => store.rollbackPoints(),
    rollback: (id) => store.rollback(id, receipt?.(itself)),
    getMeta: (name) => store.getMeta(name),
    setMeta: (name, value) => store.setMeta(name, value),
  };
}

const itself = <T>(effect: T): T => effect;
