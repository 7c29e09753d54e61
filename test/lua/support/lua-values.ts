import fc from 'fast-check';

/** Lua source for any value that can be stored, in ASCII: every integer and float, any bytes, tables of all shapes. */
const integer = fc
  .oneof(
    fc.integer({ min: -300, max: 300 }).map(BigInt),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constantFrom(2n ** 53n, -(2n ** 53n) - 1n, 2n ** 31n, 2n ** 32n, 65535n, 65536n, 2n ** 63n - 1n, -(2n ** 63n)),
  )
  .map((n) => (n === -(2n ** 63n) ? 'math.mininteger' : `(${n})`));

const float = fc
  .oneof(fc.double(), fc.float(), fc.integer().map(Number), fc.constantFrom(-0, 0, Infinity, -Infinity, NaN, 1e100))
  .map((n) => {
    if (Number.isNaN(n)) return '(0/0)';
    if (!Number.isFinite(n)) return n > 0 ? 'math.huge' : '(-math.huge)';
    if (Object.is(n, -0)) return '(-0.0)';
    return `(${Number.isInteger(n) && !String(n).includes('e') ? `${n}.0` : n})`;
  });

const quoted = (bytes: Uint8Array): string => `"${[...bytes].map((b) => `\\${String(b).padStart(3, '0')}`).join('')}"`;

const text = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map(quoted),
  fc.string({ unit: 'binary', maxLength: 40 }).map((s) => quoted(Buffer.from(s))),
  fc
    .tuple(fc.constantFrom('e', '\\195\\169', '\\255'), fc.constantFrom(31, 32, 255, 256, 65535, 65536))
    .map(([character, count]) => `("${character}"):rep(${count})`),
);

const scalar = fc.oneof(integer, float, text, fc.constantFrom('true', 'false'));

const notNaN = float.filter((source) => source !== '(0/0)');
const key = fc.oneof(integer, notNaN, text, fc.constantFrom('true', 'false'));

const field = ([key, value]: [string, string]): string => `[${key}]=${value}`;

const fromBehind = (items: string[]): string =>
  `(function() local t = {} ${items.map((item, i) => `t[${items.length - i}] = ${item}`).join(' ')} return t end)()`;

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    // Arrays, also with holes.
    fc.array(fc.oneof(tie('value'), fc.constant('nil')), { maxLength: 8 }).map((items) => `{${items.join(',')}}`),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map((pairs) => `{${pairs.map(field).join(',')}}`),
    // Both, and arrays that are filled from behind.
    fc
      .tuple(fc.array(tie('value'), { maxLength: 6 }), fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }))
      .map(([items, pairs]) => `{${[...pairs.map(field), ...items].join(',')}}`),
    fc.array(tie('value'), { minLength: 1, maxLength: 8 }).map(fromBehind),
  ),
}));

export const luaValue = value;

/** Defines `same(a, b)`: equal in every bit that Lua can tell, numbers by their type too. */
export const SAME = `
  local function count(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
  function same(a, b)
    if type(a) ~= type(b) or math.type(a) ~= math.type(b) then return false end
    if type(a) == "number" then return a ~= a and b ~= b or string.pack("n", a) == string.pack("n", b) and a == b end
    if type(a) ~= "table" then return a == b end
    if count(a) ~= count(b) then return false end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end
    return true
  end`;
