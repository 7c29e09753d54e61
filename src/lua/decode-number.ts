import type { Bytes } from '../util/bytes.js';
import type { Pointer } from './api.js';
import type { LuaVm } from './vm.js';

/** For numbers of 4 and 8 bytes: a view of each one's own bytes would cost more than all the rest. */
const wide = new DataView(new ArrayBuffer(8));

/**
 * Pushes the MessagePack number that begins at `bytes[at]`. Returns how many bytes it takes, which may be more than there are; 0, and nothing
 * pushed, where something else begins there.
 */
export function pushNumber({ lua, small }: LuaVm, L: Pointer, bytes: Bytes, at: number): number {
  const tag = bytes[at]!;
  if (tag <= 0x7f || tag >= 0xe0) {
    small.pushInteger(L, (tag << 24) >> 24);
    return 1;
  }
  switch (tag) {
    case 0xcc:
      small.pushInteger(L, bytes[at + 1]!);
      return 2;
    case 0xcd:
      small.pushInteger(L, (bytes[at + 1]! << 8) | bytes[at + 2]!);
      return 3;
    case 0xce:
      lua.lua_pushinteger(L, BigInt(load(bytes, at, 4).getUint32(0)));
      return 5;
    case 0xd0:
      small.pushInteger(L, (bytes[at + 1]! << 24) >> 24);
      return 2;
    case 0xd1:
      small.pushInteger(L, ((bytes[at + 1]! << 24) >> 16) | bytes[at + 2]!);
      return 3;
    case 0xd2:
      small.pushInteger(L, load(bytes, at, 4).getInt32(0));
      return 5;
    case 0xca:
      lua.lua_pushnumber(L, load(bytes, at, 4).getFloat32(0));
      return 5;
    case 0xcb:
      lua.lua_pushnumber(L, load(bytes, at, 8).getFloat64(0));
      return 9;
    case 0xcf:
    case 0xd3:
      lua.lua_pushinteger(L, load(bytes, at, 8).getBigInt64(0));
      return 9;
    default:
      return 0;
  }
}

/** The `length` bytes after `at`. */
function load(bytes: Bytes, at: number, length: number): DataView {
  for (let i = 0; i < length; i++) wide.setUint8(i, bytes[at + 1 + i]!);
  return wide;
}
