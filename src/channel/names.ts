import { type Bytes, copyBytes } from '../util/bytes.js';

/**
 * A list of names, or of names and values, on its way through the port, as one block: how many there are and how long each is (32 bits each, in the machine's byte
 * order), then their bytes. Posting an array takes a microsecond for each name on either side.
 */
export function packNames(names: readonly Bytes[]): Bytes {
  const lengths = new Uint32Array(1 + names.length);
  lengths[0] = names.length;
  let size = lengths.byteLength;
  names.forEach((name, i) => {
    lengths[i + 1] = name.length;
    size += name.length;
  });
  const block = new Uint8Array(size);
  block.set(new Uint8Array(lengths.buffer));
  let at = lengths.byteLength;
  for (const name of names) {
    copyBytes(name, 0, name.length, block, at);
    at += name.length;
  }
  return block;
}

/** The reverse of {@link packNames}: views into the block, which is the whole of its buffer. */
export function unpackNames(block: Bytes): Bytes[] {
  const [count = 0] = new Uint32Array(block.buffer, 0, 1);
  const lengths = new Uint32Array(block.buffer, 4, count);
  let at = 4 + lengths.byteLength;
  return Array.from(lengths, (length) => {
    at += length;
    return block.subarray(at - length, at);
  });
}
