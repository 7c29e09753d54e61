import { setTimeout as delay } from 'node:timers/promises';
import { LlmspellError } from '../errors.js';
import type { StateStore } from '../state/types.js';
import { Link, type LinkEvents, OtherVersion } from './link.js';
import type { GuestFacts } from './protocol.js';
import { StateServer } from './server.js';
import { hasSocket } from './socket.js';

/** What this process is to the state: its holder, who serves the others, or a guest of the holder. */
export type Role = Holder | Guest;
export interface Holder {
  kind: 'holder';
  store: StateStore;
  server: StateServer;
}
export interface Guest {
  kind: 'guest';
  link: Link;
}

export interface MembershipOptions {
  /** Of the state. */
  directory: string;
  guest: GuestFacts;
  /** Takes the state's lock and opens it. Throws `STATE_LOCKED` where another process has it. */
  openStore(): Promise<StateStore>;
  /** Waiting ends when this says no. */
  isWanted(): boolean;
}

/** How often to look whether the holder has let go or begun to serve. */
const LOOK_MS = 20;
/** The holder has this long to greet, however little is left of the time to wait. */
const GREETING_MS = 500;

/**
 * Becomes the state's holder or a guest of its holder, whichever can be; waits where neither can. Throws `STATE_LOCKED` after
 * `timeoutMs`, and what opening throws.
 *
 * @param serveAfterMs when a holder begins to serve
 */
export async function join(
  options: MembershipOptions,
  events: LinkEvents,
  timeoutMs: number,
  serveAfterMs: number,
): Promise<Role> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const leftMs = Math.max(deadlineMs - Date.now(), GREETING_MS);
    const guest = await visit(options, events, leftMs);
    if (guest !== undefined && 'kind' in guest) return guest;
    const holder = await hold(options, serveAfterMs);
    if ('kind' in holder) return holder;
    if (Date.now() >= deadlineMs || !options.isWanted()) throw guest === undefined ? holder : foreign(holder);
    await delay(LOOK_MS);
  }
}

async function visit(
  { directory, guest }: MembershipOptions,
  events: LinkEvents,
  timeoutMs: number,
): Promise<Guest | OtherVersion | undefined> {
  if (!(await hasSocket(directory))) return undefined;
  try {
    const link = await Link.open(directory, guest, events, timeoutMs);
    return link && { kind: 'guest', link };
  } catch (error) {
    if (error instanceof OtherVersion) return error;
    throw error;
  }
}

async function hold(
  { directory, openStore }: MembershipOptions,
  serveAfterMs: number,
): Promise<Holder | LlmspellError> {
  let store: StateStore;
  try {
    store = await openStore();
  } catch (error) {
    if (error instanceof LlmspellError && error.code === 'STATE_LOCKED') return error;
    throw error;
  }
  try {
    return { kind: 'holder', store, server: await StateServer.start(directory, store, serveAfterMs) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

const foreign = ({ message, subject, cause }: LlmspellError): LlmspellError =>
  new LlmspellError('STATE_LOCKED', message.replace(/\.$/, ', which is another version of llmspell.'), {
    hint: 'Processes of one version share a state; wait for the other one to end, or stop it.',
    ...(subject !== undefined && { subject }),
    cause,
  });
