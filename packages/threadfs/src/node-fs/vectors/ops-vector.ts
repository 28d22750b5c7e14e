/** `readv` and `writev`: one call for several buffers. */

import * as ERRNO from "../../../abi/errno.js";
import { invalidArgType, systemCallError } from "../../errors/errors.js";
import { toCheckedFd, toFd, toInteger } from "../args.js";
import { bytesLeftOf, isArrayBufferView } from "../arguments/views.js";
import { operation } from "../operation.js";

const MAX_ARRAY_LENGTH = 2 ** 32 - 1;
/** The most buffers that one readv(2) fills (UIO_MAXIOV): libuv leaves the others out, where it writes them by more calls. */
const IOV_MAX = 1024;

/** Checked arguments of a call with several buffers. */
export interface Vector {
  fd: number;
  buffers: Uint8Array[];
  /** -1: the descriptor's position. */
  position: number;
}

/** By index, not by the array's own methods and iterator, which may return views that say anything of themselves. */
function toBuffers(value: unknown): Uint8Array[] {
  const refuse = () => invalidArgType("buffers", "an ArrayBufferView[]", value);
  if (!Array.isArray(value)) throw refuse();
  const buffers: Uint8Array[] = [];
  // A proxy of an array may have any length.
  const count = toInteger(value.length, "buffers.length", 0, MAX_ARRAY_LENGTH);
  for (let i = 0; i < count; i++) {
    const view: unknown = value[i];
    if (!isArrayBufferView(view)) throw refuse();
    // As in Node, a DataView without memory has no bytes here.
    buffers.push(bytesLeftOf(view));
  }
  return buffers;
}

/** Checked arguments; of a form with a callback, whose descriptor Node looks at first and whose callback last, with `check`. */
export function toVector(fd: unknown, buffers: unknown, position: unknown, check?: () => void): Vector {
  const checkedFd = check && toCheckedFd(fd);
  const bytes = toBuffers(buffers);
  check?.();
  return vectorOf(checkedFd ?? fd, bytes, position);
}

function vectorOf(fd: unknown, buffers: Uint8Array[], position: unknown): Vector {
  return { fd: toFd(fd), buffers, position: Number.isSafeInteger(position) ? (position as number) : -1 };
}

/** The bytes read, as one readv(2) or preadv(2). */
export const readv = operation(
  (fd: number, given: readonly NodeJS.ArrayBufferView[], position?: number | null): Vector =>
    toVector(fd, given, position),
  (calls, { fd, buffers, position }): number => {
    calls.checkOpen();
    // What Node gets from libuv for no buffers, whatever the descriptor is, though readv(2) returns 0.
    if (buffers.length === 0) throw systemCallError(-ERRNO.EINVAL, "read");
    return calls.readv(fd, buffers.slice(0, IOV_MAX), position);
  },
);

/** The bytes written, as one writev(2) or pwritev(2): no other write comes between them. */
export const writev = operation(
  (fd: number, given: readonly NodeJS.ArrayBufferView[], position?: number | null): Vector | undefined => {
    const buffers = toBuffers(given);
    // As in Node: without buffers the descriptor is not looked at.
    return buffers.length === 0 ? undefined : vectorOf(fd, buffers, position);
  },
  (calls, vector): number => (vector === undefined ? 0 : calls.writev(vector.fd, vector.buffers, vector.position)),
);
