/** How a FileHandle gets streams: each surface says how it makes them, because the classes of streams know handles, not the reverse. */
import { nodeModule } from "../../bridge/node.js";
import { codedError } from "../../errors/errors.js";
import type { SystemCalls } from "../system-calls.js";

interface Makers {
  read(options: object): object;
  write(options: object): object;
}

const makers = /* @__PURE__ */ new WeakMap<SystemCalls, Makers>();

/** Says how the streams of a surface are made. */
export function registerStreams(calls: SystemCalls, make: Makers): void {
  makers.set(calls, make);
}

/** A stream on a handle. */
export function streamOn(calls: SystemCalls, kind: keyof Makers, handle: object, options: unknown): object | undefined {
  return makers.get(calls)?.[kind]({ ...(options as object | undefined), fd: handle });
}

/** The lines of a stream. @throws Error ERR_THREADFS_NO_STREAMS in a host without node:readline */
export function linesOf(input: object | undefined): object {
  const readline = nodeModule("node:readline");
  if (readline !== undefined) return readline.createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  throw codedError(Error, "ERR_THREADFS_NO_STREAMS", "readLines() needs node:readline, which this host has not");
}
