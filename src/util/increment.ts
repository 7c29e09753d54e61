import { LlmspellError } from '../errors.js';
import type { Bytes } from './bytes.js';

/** A Lua number: integers as bigint, floats as number. */
type LuaNumber = bigint | number;

/** The number that MessagePack bytes hold, or undefined where they hold something else. */
function decodeNumber(bytes: Bytes): LuaNumber | undefined {
  const tag = bytes[0];
  if (tag === undefined) return undefined;
  if (tag <= 0x7f) return BigInt(tag);
  if (tag >= 0xe0) return BigInt(tag - 0x100);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return READERS[tag]?.(view);
}

const READERS: Readonly<Record<number, (view: DataView) => LuaNumber>> = {
  202: (view) => view.getFloat32(1),
  203: (view) => view.getFloat64(1),
  204: (view) => BigInt(view.getUint8(1)),
  205: (view) => BigInt(view.getUint16(1)),
  206: (view) => BigInt(view.getUint32(1)),
  207: (view) => view.getBigUint64(1),
  208: (view) => BigInt(view.getInt8(1)),
  209: (view) => BigInt(view.getInt16(1)),
  210: (view) => BigInt(view.getInt32(1)),
  211: (view) => view.getBigInt64(1),
};

/** The sum as Lua has it: integers stay integers and wrap at 64 bits; with a float it is a float. */
function addNumbers(a: LuaNumber, b: LuaNumber): LuaNumber {
  return typeof a === 'bigint' && typeof b === 'bigint' ? BigInt.asIntN(64, a + b) : Number(a) + Number(b);
}

function encodeNumber(n: LuaNumber): Bytes {
  if (typeof n === 'bigint' && n >= -32n && n <= 127n) return new Uint8Array([Number(n) & 0xff]);
  const bytes = new Uint8Array(9);
  const view = new DataView(bytes.buffer);
  bytes[0] = typeof n === 'bigint' ? 0xd3 : 0xcb;
  if (typeof n === 'bigint') view.setBigInt64(1, n);
  else view.setFloat64(1, n);
  return bytes;
}

/** A stored number plus another one, as Lua adds; `old` undefined is 0. Throws `VALUE_INVALID` where either is no number. */
export function increased(old: Bytes | undefined, by: Bytes): Bytes {
  const number = old === undefined ? 0n : decodeNumber(old);
  const more = decodeNumber(by);
  if (number === undefined || more === undefined)
    throw new LlmspellError('VALUE_INVALID', 'Only a number can be incremented, and the stored value is none.', {
      hint: 'Use State.update for other values.',
    });
  return encodeNumber(addNumbers(number, more));
}
