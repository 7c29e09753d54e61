import { type Builder, MessagePackWriter, readMessagePack } from '../state/msgpack.js';
import { type Bytes, textOf, utf8 } from '../util/bytes.js';

/**
 * Plain data as it travels: text, bytes, numbers (safe integers or floats), booleans, null, arrays, and objects, whose undefined fields are
 * left out. Unlike a stored value it keeps text and bytes apart.
 */
export function encodeMessage(message: unknown): Bytes {
  const writer = new MessagePackWriter();
  write(writer, message);
  return writer.finish();
}

/** The bytes in it lie in `frame`. Throws `VALUE_INVALID` where it is no message. */
export const decodeMessage = (frame: Bytes): unknown => readMessagePack(frame, builder);

function write(writer: MessagePackWriter, value: unknown): void {
  if (value === null || value === undefined) writer.nil();
  else if (value instanceof Uint8Array) writer.string(value, false);
  else if (typeof value === 'string') writer.string(utf8(value), true);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (Array.isArray(value)) {
    writer.array(value.length);
    for (const item of value) write(writer, item);
  } else writeFields(writer, value);
}

function writeNumber(writer: MessagePackWriter, value: number): void {
  if (Number.isSafeInteger(value)) writer.integer(value);
  else writer.float(value);
}

function writeFields(writer: MessagePackWriter, value: object): void {
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  writer.map(fields.length);
  for (const [name, field] of fields) {
    writer.string(utf8(name), true);
    write(writer, field);
  }
}

const builder: Builder<unknown> = {
  nil: () => null,
  boolean: (value) => value,
  integer: (value) => value,
  float: (value) => value,
  string: (bytes) => textOf(bytes) ?? '',
  binary: (bytes) => bytes,
  array: (items) => items,
  map: (entries) => Object.fromEntries(entries) as unknown,
};
