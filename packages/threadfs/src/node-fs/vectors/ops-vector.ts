/** `readv` and `writev`: one call for several buffers. */

import * as ERRNO from "../../../abi/errno.js";
import { invalidArgType, systemCallError } from "../../errors/errors.js";
import { toFd } from "../args.js";
import { bytesOf, isArrayBufferView } from "../arguments/views.js";
import { operation } from "../operation.js";

/** Checked arguments of a call with several buffers. */
export interface Vector {
  fd: number;
  buffers: Uint8Array[];
  /** -1: the descriptor's position. */
  position: number;
}

function toBuffers(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || !value.every(isArrayBufferView)) {
    throw invalidArgType("buffers", "an ArrayBufferView[]", value);
  }
  return value.map(bytesOf);
}

function toVector(fd: number, given: readonly NodeJS.ArrayBufferView[], position?: number | null): Vector {
  const buffers = toBuffers(given);
  return { fd: toFd(fd), buffers, position: Number.isSafeInteger(position) ? (position as number) : -1 };
}

/** The bytes read, as one readv(2) or preadv(2). */
export const readv = operation(toVector, (calls, { fd, buffers, position }): number => {
  calls.checkOpen();
  // What Node gets from libuv for no buffers, whatever the descriptor is, though readv(2) returns 0.
  if (buffers.length === 0) throw systemCallError(-ERRNO.EINVAL, "read");
  return calls.readv(fd, buffers, position);
});

/** The bytes written, as one writev(2) or pwritev(2): no other write comes between them. */
export const writev = operation(
  (fd: number, given: readonly NodeJS.ArrayBufferView[], position?: number | null): Vector | undefined => {
    const buffers = toBuffers(given);
    // As in Node: without buffers the descriptor is not looked at.
    return buffers.length === 0 ? undefined : toVector(fd, given, position);
  },
  (calls, vector): number => (vector === undefined ? 0 : calls.writev(vector.fd, vector.buffers, vector.position)),
);
