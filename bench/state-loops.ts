/** The loops of `bench:state`, in each engine's own Lua. */
export interface Loop {
  /** A Lua expression; `TABLE` is a table of 10 fields. */
  value: string;
  keys: number;
  count: number;
  isTable: boolean;
}

export interface Dialect {
  before: string;
  /** The time in seconds. */
  now: string;
  set(key: string, value: string, isTable: boolean): string;
  get(key: string, isTable: boolean): string;
  /** Around every 1,000 sets. */
  begin?: string;
  commit?: string;
  /** When all sets are made; with many keys its time counts. */
  flush?: string;
  /** Tells the list of times `times`. */
  end: string;
}

/** A function that tells the time in seconds. */
export const HERE_NOW = 'local function now() print("time") io.flush() return tonumber(io.read()) end';

export const dialects: Record<'here' | 'redis' | 'tarantool' | 'stock', Dialect> = {
  here: {
    // CPU time would count both threads: the host answers a line with the time.
    before: `local set, get = State.set, State.get ${HERE_NOW}`,
    now: 'now()',
    set: (key, value) => `set(${key}, ${value})`,
    get: (key) => `get(${key})`,
    flush: 'State.flush()',
    end: 'print(table.concat(times, " "))',
  },
  redis: {
    before:
      'local call, pack, unpack = redis.call, cmsgpack.pack, cmsgpack.unpack local function now() local t = redis.call("TIME") return t[1] + t[2] / 1e6 end',
    now: 'now()',
    set: (key, value, isTable) => `call("SET", ${key}, ${isTable ? `pack(${value})` : value})`,
    get: (key, isTable) => (isTable ? `unpack(call("GET", ${key}))` : `call("GET", ${key})`),
    end: 'return table.concat(times, " ")',
  },
  tarantool: {
    before: `
      box.cfg { wal_mode = 'write', memtx_memory = 2 ^ 30, log_level = 0 }
      local space = box.schema.space.create('s')
      space:create_index('primary', { type = 'tree', parts = { { 1, 'string' } } })
      local clock = require('clock').monotonic`,
    now: 'clock()',
    set: (key, value) => `space:replace({ ${key}, ${value} })`,
    get: (key) => `space:get(${key})[2]`,
    begin: 'box.begin()',
    commit: 'box.commit()',
    end: 'print(table.concat(times, " ")) os.exit(0)',
  },
  stock: {
    before: 'local set, get = set, get',
    now: 'os.clock()',
    set: (key, value) => `set(${key}, ${value})`,
    get: (key) => `get(${key})`,
    end: 'return table.concat(times, " ")',
  },
};

const TABLE = `{ id = 17, name = "Ada Lovelace", score = 0.75, active = true, tag = "alpha", n = 123456,
  city = "London", year = 1843, ratio = 1.5, note = "first program" }`;
/** Reads every field: where a get only hands out a reference, this is what it saved. */
const READ = 'local _ = v.id, v.name, v.score, v.active, v.tag, v.n, v.city, v.year, v.ratio, v.note';

/** With few keys; the first one is that of a process that has just begun. */
export const ROUNDS = 4;
export const FEW = 1000;

/**
 * Tells three times in seconds for each round: of all sets, of as many gets, and of as many gets whose fields are read; with many keys of one round, and
 * of the first 20,000 gets.
 */
export function loopSource({ value, keys, count, isTable }: Loop, dialect: Dialect): string {
  const { before, now, set, get, begin = '', commit = '', flush = '', end } = dialect;
  const few = keys <= FEW;
  const key = few ? `keys[i % ${keys} + 1]` : '"key:" .. i';
  const gets = few ? count : 20_000;
  return `
    ${before}
    local t = ${isTable ? TABLE : value.replace('i', '1')}
    local keys, times = {}, {}
    for i = 1, ${few ? keys : 0} do keys[i] = "key:" .. i end
    for round = 1, ${few ? ROUNDS : 1} do
      local a = ${now}
      for from = 1, ${count}, 1000 do
        ${begin}
        for i = from, from + 999 do ${set(key, value === 'i' ? 'i' : 't', isTable)} end
        ${commit}
      end
      ${few ? '' : flush}
      local b = ${now}
      ${flush}
      local c = ${now}
      for i = 1, ${gets} do local _ = ${get(key, isTable)} end
      local d = ${now}
      for i = 1, ${isTable ? gets : 0} do local v = ${get(key, isTable)} ${READ} end
      local e = ${now}
      times[#times + 1], times[#times + 2], times[#times + 3] = b - a, (d - c) * ${count / gets}, (e - d) * ${count / gets}
    end
    ${end}`;
}
