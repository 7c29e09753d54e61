import { type FunctionReference, KEY, optional, parameter, SCOPE, type Section } from './model.js';

const NOT_STORED =
  'a value that cannot be stored, naming the path inside it; one larger than `max_state_size_bytes`; a state that is read-only or out of reach';
const READING = 'a state that is out of reach or damaged';

const VALUE = parameter('value', 'llmspell.Value', 'no functions, coroutines or userdata, and no cycles');
const UPDATE = parameter('fn', 'fun(old: llmspell.Value): llmspell.Value', 'returns the new value; nil deletes');

const get: FunctionReference = {
  name: 'get',
  aliases: ['load'],
  text: 'Returns the value of a key. A table is a fresh one each time: changing it does not change the state.',
  parameters: [SCOPE, KEY, optional('default', 'llmspell.Value', 'what is returned where there is no value')],
  withoutScope: [KEY],
  result: { type: 'llmspell.Value', text: 'the value, or `default`, or nil' },
  raises: READING,
  example: `State.set("user", "name", "Ada")
print(State.get("user", "name"))             --> Ada
print(State.get("user", "age", "unknown"))   --> unknown
print(State.get("name"))                     --> nil`,
};

const set: FunctionReference = {
  name: 'set',
  aliases: ['save'],
  text: 'Stores a value: nil deletes, and what comes out later is exactly what went in.',
  parameters: [SCOPE, KEY, VALUE],
  withoutScope: [KEY, VALUE],
  raises: NOT_STORED,
  example: `State.set("agent:planner", "memory", { facts = { "the sky is blue" }, runs = 1 })
State.set("greeting", "hello")               -- in the scope "global"
State.set("greeting", nil)
print(State.get("agent:planner", "memory").facts[1], State.has("greeting"))
--> the sky is blue	false
print((pcall(State.set, "a", "b", { f = print })))   --> false`,
};

const remove: FunctionReference = {
  name: 'delete',
  text: 'Deletes a key. Of several scripts that delete one key at once, exactly one is told that there was something.',
  parameters: [SCOPE, KEY],
  withoutScope: [KEY],
  result: { type: 'boolean', text: 'whether there was a value' },
  raises: 'a state that is read-only or out of reach',
  example: `State.set("cache", "page", "…")
print(State.delete("cache", "page"), State.delete("cache", "page"))   --> true	false`,
};

const has: FunctionReference = {
  name: 'has',
  text: 'Tells whether a key has a value.',
  parameters: [SCOPE, KEY],
  withoutScope: [KEY],
  result: { type: 'boolean', text: 'whether there is a value' },
  raises: READING,
  example: `State.set("user", "newsletter", false)
print(State.has("user", "newsletter"), State.has("user", "phone"))   --> true	false`,
};

const list: FunctionReference = {
  name: 'list',
  aliases: ['list_keys'],
  text: 'Returns the keys of a scope in byte order.',
  parameters: [
    optional('scope', 'string', 'default `global`'),
    optional('options', 'llmspell.ListOptions', 'which keys'),
  ],
  result: { type: 'string[]', text: 'the keys' },
  raises: READING,
  example: `for _, key in ipairs { "task:1", "task:2", "name" } do State.set("agent:a", key, true) end
print(table.concat(State.list("agent:a"), " "))                         --> name task:1 task:2
print(table.concat(State.list("agent:a", { prefix = "task:" }), " "))   --> task:1 task:2`,
};

const scopes: FunctionReference = {
  name: 'scopes',
  text: 'Returns the scopes that hold anything, in byte order.',
  parameters: [],
  result: { type: 'string[]', text: 'the scopes' },
  raises: READING,
  example: `State.set("user", "name", "Ada")
State.set("visits", 1)
print(table.concat(State.scopes(), " "))   --> global user`,
};

const clear: FunctionReference = {
  name: 'clear',
  text: 'Deletes every key of a scope.',
  parameters: [SCOPE],
  result: { type: 'integer', text: 'how many entries there were' },
  raises: 'a state that is read-only or out of reach',
  example: `State.set("cache", "a", 1)
State.set("cache", "b", 2)
print(State.clear("cache"), #State.list("cache"))   --> 2	0`,
};

const update: FunctionReference = {
  name: 'update',
  text: 'Reads a value, has a function make the new one, and stores that, as one atomic step. Where somebody else changes the key meanwhile the function is called again.',
  parameters: [SCOPE, KEY, UPDATE],
  withoutScope: [KEY, UPDATE],
  result: { type: 'llmspell.Value', text: 'the new value' },
  raises: `what \`fn\` raises, and then nothing is changed; ${NOT_STORED}`,
  example: `local function append(item)
  return function(old)
    old = old or {}
    old[#old + 1] = item
    return old
  end
end
State.update("queue", "jobs", append("first"))
print(#State.update("queue", "jobs", append("second")))   --> 2`,
};

const increment: FunctionReference = {
  name: 'increment',
  text: 'Adds to a number (0 where there is none), atomically also between scripts. Integers stay integers.',
  parameters: [SCOPE, KEY, optional('by', 'number', 'default 1')],
  withoutScope: [KEY],
  result: { type: 'number', text: 'the new number' },
  raises: 'a value that is no number; a state that is read-only or out of reach',
  example: `print(State.increment("tool:search", "calls"))       --> 1
print(State.increment("tool:search", "calls", 10))   --> 11
print(State.increment("visits"))                     --> 1`,
};

const transaction: FunctionReference = {
  name: 'transaction',
  text: 'Runs a function whose changes become visible together, or, where it raises, not at all. What it reads is what stays true: where somebody else changes that meanwhile, the function is called again.',
  parameters: [parameter('fn', 'fun(): ...', 'reads and changes the state')],
  result: { type: '...', text: 'what `fn` returns' },
  raises: 'what `fn` raises',
  example: `State.set("bank", "a", 100)
State.transaction(function()
  State.set("bank", "a", State.get("bank", "a") - 10)
  State.set("bank", "b", State.get("bank", "b", 0) + 10)
end)
pcall(State.transaction, function()
  State.set("bank", "a", 0)
  error("no")
end)
print(State.get("bank", "a"), State.get("bank", "b"))   --> 90	10`,
};

const flush: FunctionReference = {
  name: 'flush',
  text: "Returns when all of this script's writes are on disk.",
  parameters: [],
  raises: 'a write that failed',
  example: `State.set("job", "step", 3)
State.flush()   -- a power cut does not undo it any more`,
};

const owned = (kind: 'agent' | 'tool' | 'workflow', key: string): readonly FunctionReference[] => [
  {
    name: `${kind}_get`,
    text: `\`State.get("${kind}:" .. id, ${key})\`.`,
    parameters: [parameter('id', 'string', 'not empty'), parameter(key, 'string', 'not empty')],
    result: { type: 'llmspell.Value', text: 'the value, or nil' },
    raises: READING,
    example: `State.set("${kind}:one", "x", 1)
print(State.${kind}_get("one", "x"))   --> 1`,
  },
  {
    name: `${kind}_set`,
    text: `\`State.set("${kind}:" .. id, ${key}, value)\`.`,
    parameters: [
      parameter('id', 'string', 'not empty'),
      parameter(key, 'string', 'not empty'),
      parameter('value', 'llmspell.Value', 'as in `State.set`'),
    ],
    raises: NOT_STORED,
    example: `State.${kind}_set("one", "x", 1)
print(State.get("${kind}:one", "x"))   --> 1`,
  },
];

const workflowList: FunctionReference = {
  name: 'workflow_list',
  text: '`State.list("workflow:" .. id, options)`.',
  parameters: [parameter('id', 'string', 'not empty'), optional('options', 'llmspell.ListOptions', 'which keys')],
  result: { type: 'string[]', text: 'the steps' },
  raises: READING,
  example: `State.workflow_set("etl", "extract", "done")
print(State.workflow_list("etl")[1])   --> extract`,
};

export const entrySections: readonly Section[] = [
  {
    title: 'Entries',
    presence: 'always',
    text: 'Where a scope is given first and may be left out, the call without it means the scope `global`: how many arguments there are decides, as `select("#", ...)` counts them.',
    functions: [get, set, remove, has, list, scopes, clear],
  },
  {
    title: 'Several changes in one',
    presence: 'always',
    text: 'What others see is either all or nothing of it.',
    functions: [update, increment, transaction, flush],
  },
  {
    title: 'Scopes of agents, tools and workflows',
    presence: 'always',
    text: 'Names that older scripts use; the scopes are `agent:<id>`, `tool:<id>` and `workflow:<id>`.',
    functions: [...owned('agent', 'key'), ...owned('tool', 'key'), ...owned('workflow', 'step'), workflowList],
  },
];
