/** Calls on descriptors, and on the FileHandles of the promises' form. */
import fc from "fast-check";
import type { Actor, Handle } from "./actor.js";
import { call, calls } from "./call.js";
import { data, dataOf, filePath, flags, gid, mode, textEncoding, textOf, time, timeOf, uid } from "./operands.js";

const slot = fc.nat({ max: 2 });
const size = fc.constantFrom(0, 1, 3, 100, 4095, 4096, 5000, 70_000);
const position = fc.constantFrom(null, null, undefined, 0, 2, 4096, 9000);
const bigint = fc.constantFrom(undefined, true);

async function close(actor: Actor, n: number, form: "sync" | "callback" | "promise"): Promise<unknown> {
  const open = actor.empty(n);
  if (typeof open !== "number") return open.close();
  return form === "sync" ? actor.sync("close", open) : actor.callback("close", open);
}

/** What is read into memory: a count, and the memory. */
function readInto(actor: Actor, { slot, size, position }: Reading, form: "sync" | "callback" | "promise"): unknown {
  const buffer = Buffer.alloc(size);
  if (form === "sync") return [actor.sync("read", actor.fd(slot), buffer, 0, size, position), buffer];
  const handle = actor.handle(slot);
  if (form === "promise" && handle) return method(handle, "read")({ buffer, position });
  return actor.callback("read", actor.fd(slot), buffer, 0, size, position);
}

interface Reading {
  readonly slot: number;
  readonly size: number;
  readonly position: number | null | undefined;
}

function method(handle: Handle, name: string): (...args: unknown[]) => unknown {
  return (...args) => (Reflect.get(handle, name) as (...args: unknown[]) => unknown).apply(handle, args);
}

const sizes = fc.array(fc.constantFrom(0, 1, 3, 4096, 5000), { minLength: 1, maxLength: 3 });

async function linesOf(handle: Handle): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of method(handle, "readLines")({ autoClose: false }) as AsyncIterable<string>) lines.push(line);
  return lines;
}

async function streamed(handle: Handle): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of method(handle, "readableWebStream")() as AsyncIterable<ArrayBuffer>)
    chunks.push(new Uint8Array(chunk));
  return Buffer.concat(chunks);
}

export const DESCRIPTORS = calls({
  open: call(
    14,
    fc.record({ slot, path: filePath, flags, mode: fc.option(mode, { nil: undefined }) }),
    async (actor, { slot, path, flags, mode }, form) => {
      await close(actor, slot, form).catch(() => {});
      const open = await actor.call(form, "open", actor.path(path), flags, mode);
      actor.fill(slot, open as number | Handle);
      return "open";
    },
  ),
  close: call(2, slot, (actor, slot, form) => close(actor, slot, form)),
  read: call(4, fc.record({ slot, size, position }), readInto),
  write: call(5, fc.record({ slot, size, position }), (actor, { slot, size, position }, form) =>
    actor.onSlot(form, slot, "write", "write", Buffer.from(textOf(size)), 0, null, position),
  ),
  writeText: call(2, fc.record({ slot, size, position }), (actor, { slot, size, position }, form) =>
    actor.onSlot(form, slot, "write", "write", textOf(size), position),
  ),
  readv: call(2, fc.record({ slot, sizes, position }), async (actor, { slot, sizes, position }, form) => {
    const buffers = sizes.map((size) => Buffer.alloc(size));
    return [await actor.onSlot(form, slot, "readv", "readv", buffers, position), buffers];
  }),
  writev: call(2, fc.record({ slot, sizes, position }), (actor, { slot, sizes, position }, form) => {
    const buffers = sizes.map((size) => Buffer.from(textOf(size)));
    return actor.onSlot(form, slot, "writev", "writev", buffers, position);
  }),
  fstat: call(3, fc.record({ slot, bigint }), (actor, { slot, bigint }, form) =>
    actor.onSlot(form, slot, "fstat", "stat", { bigint }),
  ),
  ftruncate: call(2, fc.record({ slot, size }), (actor, { slot, size }, form) =>
    actor.onSlot(form, slot, "ftruncate", "truncate", size),
  ),
  fchmod: call(2, fc.record({ slot, mode }), (actor, { slot, mode }, form) =>
    actor.onSlot(form, slot, "fchmod", "chmod", mode),
  ),
  fchown: call(1, fc.record({ slot, uid, gid }), (actor, { slot, uid, gid }, form) =>
    actor.onSlot(form, slot, "fchown", "chown", uid, gid),
  ),
  futimes: call(2, fc.record({ slot, atime: time, mtime: time }), (actor, { slot, atime, mtime }, form) =>
    actor.onSlot(form, slot, "futimes", "utimes", timeOf(atime), timeOf(mtime)),
  ),
  fsync: call(1, slot, (actor, slot, form) => actor.onSlot(form, slot, "fsync", "sync")),
  fdatasync: call(1, slot, (actor, slot, form) => actor.onSlot(form, slot, "fdatasync", "datasync")),
  readOpen: call(3, fc.record({ slot, encoding: textEncoding }), (actor, { slot, encoding }, form) =>
    actor.onSlot(form, slot, "readFile", "readFile", { encoding }),
  ),
  writeOpen: call(3, fc.record({ slot, data, encoding: textEncoding }), (actor, { slot, data, encoding }, form) =>
    actor.onSlot(form, slot, "writeFile", "writeFile", dataOf(data, form === "promise" && !!actor.handle(slot)), {
      encoding,
    }),
  ),
  appendOpen: call(2, fc.record({ slot, data, encoding: textEncoding }), (actor, { slot, data, encoding }, form) =>
    actor.onSlot(form, slot, "appendFile", "appendFile", dataOf(data, form === "promise" && !!actor.handle(slot)), {
      encoding,
    }),
  ),
  readLines: call(1, slot, (actor, slot) => {
    const handle = actor.handle(slot);
    return handle ? linesOf(handle) : "no handle";
  }),
  readableWebStream: call(1, slot, (actor, slot) => {
    const handle = actor.handle(slot);
    if (handle === undefined || !isReadable(actor, handle.fd)) return "no handle";
    return streamed(handle);
  }),
});

/** Whether a read succeeds: Node's handle is never closed after a stream of the web whose read failed (docs/differences.md). */
function isReadable(actor: Actor, fd: number): boolean {
  try {
    actor.sync("read", fd, Buffer.alloc(1), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}
