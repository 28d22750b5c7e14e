/** The operations on the two trees with advisory locks: on one all requests are refused at once, on the other they wait, and each operation gives up what it has. */
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_RDWR,
} from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall, ResultReference } from "../../model/call.js";
import { fstat } from "../calls.js";
import { open } from "../setup-calls.js";

/** Descriptors of both contexts: of "/f", of "/g"; of context 0 also another of "/f". */
const F = 3;
const G = 4;
const AGAIN = 5;
/** The contexts. */
const OWN = 0;
const OTHER = 1;

export const flock = (op: number, fd = F, ctx = OWN): ProgramCall => ({ call: "sysFlock", fd, op, ctx });
const range = (
  type: number,
  start: number,
  len: number,
  more: { fd?: number | ResultReference; ctx?: number } = {},
) => ({
  ...{ fd: F, ctx: OWN, type, start, len },
  ...more,
});
type More = { fd?: number | ResultReference; ctx?: number; ofd?: boolean; wait?: boolean };
export const set = (type: number, start: number, len: number, more: More = {}): ProgramCall => ({
  call: "setLock",
  ...range(type, start, len, more),
});
const get = (ctx: number, ofd = false, fd = F): ProgramCall => ({
  call: "getLock",
  ...range(F_WRLCK, 0, 0, { ctx, fd }),
  ofd,
});
const close = (fd: number | ResultReference, ctx = OWN): ProgramCall => ({ call: "sysClose", fd, ctx });
const openAny: ProgramCall = { ...open("/g", O_RDWR), any: true };
const destroy: ProgramCall = { call: "contextDestroy", ctx: OTHER };

/** At first descriptor F of context 0 has a shared flock and a read lock on bytes 0 to 99, context 1 a write lock on 200 to 299. */
export const LOCKED: Record<string, (ProgramCall | ProgramCall[])[]> = {
  flock: [
    flock(LOCK_EX | LOCK_NB),
    flock(LOCK_EX | LOCK_NB, AGAIN),
    flock(LOCK_SH | LOCK_NB, F, OTHER),
    [flock(LOCK_SH | LOCK_NB, AGAIN), flock(LOCK_EX | LOCK_NB, AGAIN)],
  ],
  unlock: [flock(LOCK_UN), set(F_UNLCK, 20, 10), set(F_UNLCK, 0, 0), set(F_UNLCK, 250, 100, { ctx: OTHER })],
  lock: [
    set(F_WRLCK, 50, 100),
    set(F_RDLCK, 100, 10),
    set(F_WRLCK, 50, 100, { ctx: OTHER }),
    set(F_RDLCK, 210, 10, { ctx: OTHER }),
    set(F_RDLCK, 0, 0, { fd: AGAIN, ofd: true }),
    set(F_WRLCK, 0, 10, { fd: G }),
    // By a descriptor that has another lock than G, which is still open then.
    [openAny, set(F_RDLCK, 5, 10, { fd: { of: 0 } }), fstat(G)],
    [set(F_WRLCK, 400, 10, { ofd: true }), set(F_UNLCK, 0, 0, { ofd: true })],
  ],
  look: [
    get(OTHER),
    get(OWN, true),
    [set(F_WRLCK, 0, 20, { fd: G, ctx: OTHER }), set(F_UNLCK, 0, 0, { fd: G, ctx: OTHER })],
  ],
  close: [
    close(F),
    close(AGAIN),
    close(F, OTHER),
    [close(G), get(OTHER, false, G)],
    [openAny, close({ of: 0 })],
    [open("/f", O_RDWR), close(F)],
  ],
  destroy: [destroy],
  unlink: [{ call: "sysUnlink", path: "/f" }],
};

const wait = (fd = F, ctx = OWN): ProgramCall => set(F_WRLCK, 0, 10, { fd, ctx, wait: true });
const unlock = (fd = F, ctx = OWN): ProgramCall => set(F_UNLCK, 0, 0, { fd, ctx });

export const WAITING: Record<string, ProgramCall[][]> = {
  flock: [
    [flock(LOCK_EX), flock(LOCK_UN)],
    [flock(LOCK_SH, AGAIN), flock(LOCK_UN, AGAIN)],
    [flock(LOCK_EX, F, OTHER), close(F, OTHER)],
    [flock(LOCK_EX | LOCK_NB, F, OTHER), flock(LOCK_UN, F, OTHER)],
  ],
  lock: [
    [wait(), unlock()],
    [wait(F, OTHER), close(F, OTHER)],
    [set(F_RDLCK, 5, 0, { fd: AGAIN, ofd: true, wait: true }), set(F_UNLCK, 0, 0, { fd: AGAIN, ofd: true })],
  ],
  /** In both orders: one of two that wait for each other is refused. */
  both: [
    [wait(F), wait(G), unlock(F), unlock(G)],
    [wait(G, OTHER), wait(F, OTHER), unlock(G, OTHER), unlock(F, OTHER)],
  ],
  destroy: [
    [flock(LOCK_EX, F, OTHER), wait(G, OTHER), destroy],
    [wait(F, OTHER), destroy],
  ],
};
