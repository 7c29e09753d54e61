import type { Pointer } from './api.js';
import type { LuaVm } from './vm.js';

/** The address of a `FILE` of the machine's C library. (No object of ours stands for it: one would be made for each line that is read.) */
export type CFile = Pointer;

// musl's `struct _IO_FILE`, in words, as the machine's C library is compiled.
const READ_AT = 1;
const READ_END = 2;
const BUFFER = 11;
const BUFFER_BYTES = 12;
const DESCRIPTOR = 15;
/** From a file that `fopen` made to its buffer. */
export const BUFFER_OFFSET = 152;
/** `BUFSIZ`. */
export const STOCK_BUFFER_BYTES = 1024;
/** A call of the system costs us ten times what it costs a native program, whose buffer is of 4 kB. */
export const LARGE_BUFFER_BYTES = 32 * 1024;
const LF = 0x0a;
const LF_LF_LF_LF = 0x0a0a0a0a;

/** The file of one of Lua's handles: `luaL_Stream` is `{FILE *f; lua_CFunction closef}`. 0 once it is closed. */
export const fileOfHandle = ({ u32 }: LuaVm, handle: Pointer): CFile =>
  u32[(handle >> 2) + 1] === 0 ? 0 : u32[handle >> 2]!;

/** Whether a file still has the buffer that it came with. Asked of any address: `fopen` puts the buffer {@link BUFFER_OFFSET} behind the file. */
export function hasStockBuffer({ u32 }: LuaVm, file: CFile, buffer: Pointer, descriptor: number): boolean {
  const at = file >> 2;
  return (
    u32[at + BUFFER] === buffer && u32[at + BUFFER_BYTES] === STOCK_BUFFER_BYTES && u32[at + DESCRIPTOR] === descriptor
  );
}

/** Exchanges the buffer. Only where nothing is in it, or what is in it is on its way. */
export function setBuffer({ u32 }: LuaVm, file: CFile, at: Pointer, byteCount: number): void {
  u32[(file >> 2) + BUFFER] = at;
  u32[(file >> 2) + BUFFER_BYTES] = byteCount;
}

export const descriptorOf = ({ u32 }: LuaVm, file: CFile): number => u32[(file >> 2) + DESCRIPTOR]!;

/** Where the next byte is that was read ahead. */
export const readPosition = ({ u32 }: LuaVm, file: CFile): Pointer => u32[(file >> 2) + READ_AT]!;

export function setReadPosition({ u32 }: LuaVm, file: CFile, at: Pointer): void {
  u32[(file >> 2) + READ_AT] = at;
}

/** How many bytes are read ahead. */
export const unreadBytes = ({ u32 }: LuaVm, file: CFile): number =>
  u32[(file >> 2) + READ_END]! - u32[(file >> 2) + READ_AT]!;

/** Where the next line feed is among the bytes that are read ahead; -1: not there. Looks at four bytes at once. */
export function findLineEnd({ u8, u32 }: LuaVm, file: CFile): Pointer {
  const end = u32[(file >> 2) + READ_END]!;
  let at = u32[(file >> 2) + READ_AT]!;
  for (; (at & 3) !== 0 && at < end; at++) if (u8[at] === LF) return at;
  for (; at < end; at += 4) {
    const x = u32[at >> 2]! ^ LF_LF_LF_LF;
    // Nonzero where a byte of x is 0.
    if (((x - 0x01010101) & ~x & 0x80808080) !== 0) break;
  }
  for (; at < end; at++) if (u8[at] === LF) return at;
  return -1;
}
