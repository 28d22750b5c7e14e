/**
 * The operations on the two trees with pipes: on one no call waits, on the other they do. There each operation gives back what it takes, bytes or room, or opens
 * both ends: so none waits for ever, whatever the other one does.
 */
import { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLIN, POLLOUT } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall, ResultReference } from "../../model/call.js";
import { open } from "../setup-calls.js";

/** Descriptors of the first tree: to read from "/p", to write to it, both of "/q", which is full. Of the second one: both of "/p", both of "/q". */
const FROM = 3;
const TO = 4;
const FULL = 5;
const TOKEN = 3;
const ROOM = 4;

type Fd = number | ResultReference;
const read = (fd: Fd, n: number, direct = false): ProgramCall => ({ call: "sysRead", fd, n, direct });
const write = (fd: Fd, data: string): ProgramCall => ({ call: "sysWrite", fd, data });
const close = (fd: Fd): ProgramCall => ({ call: "sysClose", fd });
const poll = (fd: Fd, events: number): ProgramCall => ({ call: "sysPoll", fd, events });
const resize = (fd: Fd, size: number): ProgramCall => ({ call: "sysPipeSize", fd, size });

/** At first "/p" has "abc", and "/q" as many bytes as its only page takes. */
export const PIPED: Record<string, (ProgramCall | ProgramCall[])[]> = {
  read: [read(FROM, 2), read(FROM, 100, true), read(FULL, 4096), [read(FROM, 10), read(FROM, 10)]],
  write: [write(TO, "de"), write(TO, "f".repeat(5000)), write(FULL, "g"), [write(TO, "h"), read(FROM, 2)]],
  close: [close(FROM), close(TO), close(FULL), [close(FROM), close(TO)]],
  open: [
    open("/p", O_RDONLY | O_NONBLOCK),
    open("/p", O_WRONLY | O_NONBLOCK),
    [open("/n", O_RDWR), write({ of: 0 }, "i"), close({ of: 0 })],
    [open("/n", O_RDONLY), { call: "sysFifoCancel", fd: { of: 0 } }],
  ],
  pipe: [{ call: "sysPipe", flags: O_NONBLOCK }],
  size: [resize(FROM, 8192), resize(FULL, 16_384), [resize(TO, -1), resize(TO, 4096)]],
  poll: [poll(FROM, POLLIN), poll(FULL, POLLIN | POLLOUT), poll(TO, POLLOUT)],
  unlink: [{ call: "sysUnlink", path: "/p" }],
  stat: [
    { call: "sysFstat", fd: TO },
    { call: "sysStat", path: "/q" },
  ],
};

/** At first "/p" has one byte, and "/q" room for one page. */
export const PIPE_WAITS: Record<string, ProgramCall[][]> = {
  token: [[read(TOKEN, 1), write(TOKEN, "a")]],
  room: [[write(ROOM, "b".repeat(4096)), read(ROOM, 4096)]],
  both: [[read(TOKEN, 1), write(ROOM, "c".repeat(4096)), read(ROOM, 4096, true), write(TOKEN, "d")]],
  /** To the end of the file, when both operations have closed their writers. */
  eof: [[open("/n", O_RDWR), open("/n", O_RDONLY), close({ of: 0 }), read({ of: 1 }, 1)]],
  open: [
    [open("/n", O_RDONLY), open("/n", O_RDWR), { call: "sysFifoWait", fd: { of: 0 } }],
    [open("/n", O_WRONLY), open("/n", O_RDONLY), { call: "sysFifoWait", fd: { of: 0 } }],
  ],
};
