/**
 * A private copy of a tree's memory, taken at one moment, in which this thread alone goes on: a snapshot is read from it while other
 * threads change the tree. It takes as much memory as the tree uses.
 */
import * as ERRNO from "../../abi/errno.js";
import { CHUNK } from "../../abi/limits.js";
import { ABI_VERSION } from "../../abi/memory.js";
import { Attachment } from "../bridge/attachment.js";
import { reserve } from "../bridge/memory.js";
import { timeoutError } from "../bridge/waiting.js";
import type { SharedMemory } from "../bridge/wasm.js";
import { bare } from "../errors/bare.js";
import { systemCallError } from "../errors/errors.js";
import type { SystemCalls } from "../node-fs/system-calls.js";

/** Chunks behind the copied ones, for what reading takes: open files. */
const SPARE_CHUNKS = 64;
/** How long one attempt waits for the calls of other threads, the first and the longest. */
const WAIT_MS = 1;
const WAIT_MAX_MS = 16;

/** The present length of a memory in chunks. */
function chunksOf(memory: SharedMemory): number {
  // This thread's buffer object may be outdated.
  memory.grow(0);
  return memory.buffer.byteLength / CHUNK;
}

/** An empty memory with room for a copy. @throws RangeError ERR_THREADFS_MEMORY */
export function roomFor(chunks: number): SharedMemory {
  const memory = reserve(Math.min(chunks + SPARE_CHUNKS, 65536));
  memory.grow(chunks - memory.buffer.byteLength / CHUNK);
  return memory;
}

/**
 * The system calls of this context on a copy of its tree. The moment of the copy is within this call, which waits without blocking
 * its thread until no other thread is in a call.
 * @param now the clock of the copy
 * @throws EPERM without CAP_SYS_ADMIN; Error ERR_THREADFS_TIMEOUT; RangeError ERR_THREADFS_MEMORY
 */
export async function copyArena(calls: SystemCalls, now: () => number): Promise<Attachment> {
  const { attachment } = calls;
  const until = performance.now() + attachment.limit.ms;
  let room: SharedMemory | undefined;
  for (let waitMs = WAIT_MS; ; waitMs = Math.min(waitMs * 2, WAIT_MAX_MS)) {
    calls.checkOpen();
    const chunks = chunksOf(attachment.memory);
    if (room === undefined || chunksOf(room) < chunks) room = roomFor(chunks);
    const copy = copyNow(calls, now, room, waitMs);
    if (copy !== undefined) return copy;
    if (performance.now() >= until) throw timeoutError(attachment.limit.ms, -1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/**
 * One attempt, in the thread's own turn. undefined: another thread stays in a call for longer than `waitMs`, or the arena has grown
 * beyond the room. @throws EPERM
 */
export function copyNow(
  { attachment, core, ctx }: SystemCalls,
  now: () => number,
  room: SharedMemory,
  waitMs: number,
): Attachment | undefined {
  const image = new Uint8Array(room.buffer);
  const copied = attachment.transfer.runImage(image, () => core.arenaCopy(ctx, waitMs));
  if (copied >= 0) return attachTo(room, attachment, ctx, now);
  if (copied !== -ERRNO.EAGAIN && copied !== -ERRNO.EFAULT) throw systemCallError(copied, "snapshot");
  return undefined;
}

/** Goes on in the copy as the thread that copied: in its slot, whose locks it releases there. */
function attachTo(memory: SharedMemory, { module, core }: Attachment, ctx: number, now: () => number): Attachment {
  const host = bare({ thread: 0, takeOver: core.threadSlot(), keepOwned: true, now });
  return Attachment.attach({ module, memory, version: ABI_VERSION, ctx }, host, true);
}
