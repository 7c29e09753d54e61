import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { sha256 } from '../util/hash.js';
import { Damage, type FrameType, frameName } from './archive-format.js';
import type { EncryptionKey } from './types.js';

/**
 * How an archive is encrypted, as its header says. The key given (or scrypt of the passphrase) is the master key; HKDF-SHA-256 (RFC 5869)
 * with the archive's own random `salt` makes of it a key that this archive alone has, and `keyId`, which tells a wrong key from damage.
 */
export interface EncryptionHeader {
  cipher: 'aes-256-gcm';
  kdf: ScryptParameters | { name: 'raw' };
  /** 32 bytes, hexadecimal. */
  salt: string;
  /** 8 bytes, hexadecimal: the same for the same master key. */
  keyId: string;
}

interface ScryptParameters {
  name: 'scrypt';
  n: number;
  r: number;
  p: number;
  /** 16 bytes, hexadecimal. */
  salt: string;
}

const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** 32 MiB and about 0.3 s a guess; as hard as the OWASP recommendation (N = 2^17, p = 1) with a quarter of the memory. */
const SCRYPT = { n: 2 ** 15, r: 8, p: 3 } as const;

/** What an archive may ask for at most, so that a forged header cannot take the machine's memory: 128 MiB. */
export const SCRYPT_LIMITS = { n: 2 ** 17, r: 8, p: 16 } as const;

/** Encrypts the payloads of one archive's frames, each bound to its place in this archive. */
export interface FrameCipher {
  seal(type: FrameType, ordinal: number, plain: readonly Bytes[]): Bytes[];
  /** Throws {@link Damage} where the payload was changed, moved, or belongs to another archive. */
  open(type: FrameType, ordinal: number, sealed: Bytes): Bytes;
}

/**
 * For a new archive. All archives of one store share a scrypt salt, made from the store's random id, so that a chain of them costs one
 * derivation and not one each; what tells their keys apart is the archive's own salt.
 */
export async function newEncryption(
  key: EncryptionKey,
  storeId: string,
): Promise<{ header: EncryptionHeader; archiveKey: Bytes }> {
  const scryptSalt = createHash('sha256').update(`llmspell scrypt salt ${storeId}`).digest('hex').slice(0, 32);
  const scryptKdf = { name: 'scrypt', ...SCRYPT, salt: scryptSalt } as const;
  const master = key.kind === 'raw' ? checkedRawKey(key.bytes) : await fromPassphrase(key.passphrase, scryptKdf);
  const kdf = key.kind === 'raw' ? ({ name: 'raw' } as const) : scryptKdf;
  const salt = randomBytes(32);
  const header = { cipher: 'aes-256-gcm', kdf, salt: salt.toString('hex'), keyId: keyIdOf(master) } as const;
  return { header, archiveKey: archiveKeyOf(master, salt) };
}

/** The key of an archive that is there. Throws `BACKUP_KEY` where none or another one is given. */
export async function archiveKeyFor(
  header: EncryptionHeader,
  key: EncryptionKey | undefined,
  name: string,
): Promise<Bytes> {
  if (!key)
    throw new LlmspellError('BACKUP_KEY', `The backup ${name} is encrypted and no key is given.`, { subject: name });
  const master = await masterKey(key, header.kdf);
  if (!master) throw wrongKey(name, `was encrypted with a ${header.kdf.name === 'raw' ? 'raw key' : 'passphrase'}`);
  if (keyIdOf(master) !== header.keyId) throw wrongKey(name, 'was encrypted with another key');
  return archiveKeyOf(master, Buffer.from(header.salt, 'hex'));
}

const wrongKey = (name: string, what: string) =>
  new LlmspellError('BACKUP_KEY', `The key given does not open the backup ${name}: it ${what}.`, { subject: name });

/**
 * AES-256-GCM. The nonce is the frame's ordinal: no key is used for two archives and no ordinal twice in one, so it cannot repeat.
 * Associated data are the SHA-256 of the archive's header, the frame's type and its ordinal: no fact of the header can be
 * changed, and no frame moved, swapped or taken from another archive.
 */
export function frameCipher(archiveKey: Bytes, head: Bytes): FrameCipher {
  const headDigest = sha256(head);
  const parameters = (type: FrameType, ordinal: number) => {
    const place = Buffer.alloc(5);
    place.write(type, 'latin1');
    place.writeUInt32LE(ordinal, 1);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32LE(ordinal);
    return { nonce, associated: Buffer.concat([headDigest, place]) };
  };
  return {
    seal(type, ordinal, plain) {
      const { nonce, associated } = parameters(type, ordinal);
      const cipher = createCipheriv('aes-256-gcm', archiveKey, nonce, { authTagLength: TAG_BYTES }).setAAD(associated);
      return [...plain.map((part) => cipher.update(part)), cipher.final(), cipher.getAuthTag()];
    },
    open(type, ordinal, sealed) {
      const { nonce, associated } = parameters(type, ordinal);
      const end = sealed.length - TAG_BYTES;
      if (end < 0) throw new Damage(`its ${frameName(type, ordinal)} is cut short`);
      const decipher = createDecipheriv('aes-256-gcm', archiveKey, nonce, { authTagLength: TAG_BYTES }).setAAD(
        associated,
      );
      decipher.setAuthTag(sealed.subarray(end));
      const plain = decipher.update(sealed.subarray(0, end));
      try {
        decipher.final();
      } catch {
        throw new Damage(`its ${frameName(type, ordinal)} is not authentic`);
      }
      return plain;
    },
  };
}

const derive = (master: Bytes, salt: Bytes, purpose: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', master, salt, purpose, bytes));

const archiveKeyOf = (master: Bytes, salt: Bytes) => derive(master, salt, 'llmspell archive key', KEY_BYTES);
const keyIdOf = (master: Bytes) => derive(master, new Uint8Array(0), 'llmspell key id', 8).toString('hex');

const scryptAsync = promisify<string, Bytes, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
);

/** The latest derivations: a chain of archives, or a list of them, asks for the same ones again and again. */
const derived = new Map<string, Promise<Bytes>>();
const MAX_DERIVED = 4;

/** Undefined where a key of this kind cannot be the one. */
async function masterKey(key: EncryptionKey, kdf: EncryptionHeader['kdf']): Promise<Bytes | undefined> {
  if (key.kind === 'raw') return kdf.name === 'raw' ? checkedRawKey(key.bytes) : undefined;
  return kdf.name === 'scrypt' ? fromPassphrase(key.passphrase, kdf) : undefined;
}

async function fromPassphrase(passphrase: string, { n, r, p, salt }: ScryptParameters): Promise<Bytes> {
  if (passphrase === '') throw new LlmspellError('BACKUP_KEY', 'The passphrase for backups is empty.');
  const of = createHash('sha256')
    .update(JSON.stringify([passphrase, n, r, p, salt]))
    .digest('hex');
  const known = derived.get(of);
  if (known) return known;
  const options = { N: n, r, p, maxmem: 256 * n * r };
  const master = scryptAsync(passphrase.normalize('NFC'), Buffer.from(salt, 'hex'), KEY_BYTES, options);
  if (derived.size === MAX_DERIVED) derived.delete(derived.keys().next().value!);
  derived.set(of, master);
  // A derivation that failed must not stand in the way of the next try.
  master.catch(() => derived.delete(of));
  return master;
}

function checkedRawKey(bytes: Bytes): Bytes {
  if (bytes.length === KEY_BYTES) return bytes;
  throw new LlmspellError('BACKUP_KEY', `A raw key for backups has ${KEY_BYTES} bytes; this one has ${bytes.length}.`);
}
