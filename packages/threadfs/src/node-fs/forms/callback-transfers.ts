/** The calls with a callback that take it in more places than one, or call it back with more than a value. */
import * as ERRNO from "../../../abi/errno.js";
import { bare } from "../../errors/bare.js";
import { systemCallError } from "../../errors/errors.js";
import { type Path, toPath } from "../args.js";
import { callbackReadArguments, callbackWriteArguments } from "../arguments/transfer.js";
import { openedDirectory } from "../ops-dir.js";
import type { SystemCalls } from "../system-calls.js";
import { operations as ops } from "../table.js";
import { toVector } from "../vectors/ops-vector.js";
import { at, type Callback, callbackForm, checkCallback, checkedFirst, optional } from "./callbacks.js";
import { inLaterTurn, runLater } from "./later.js";

/** What `util.promisify` of Node takes in place of the call itself. */
const PROMISIFY = /* @__PURE__ */ Symbol.for("nodejs.util.promisify.custom");

type Call = (...given: unknown[]) => void;

/** Lets promises of a call have an object of its results, by their names. */
function promisedAs(call: Call, names: readonly [string, string]): Call {
  const value = (...given: unknown[]) =>
    new Promise((resolve, reject) => {
      call(...given, (error: unknown, count: unknown, data: unknown) => {
        if (error) reject(error);
        else resolve({ [names[0]]: count, [names[1]]: data });
      });
    });
  return Object.defineProperty(call, PROMISIFY, bare({ value, configurable: true }));
}

/** Calls back with a number of bytes and the data; the number is 0 after an error. */
function endsOf(callback: Callback, data: unknown) {
  return {
    succeeded: (count: number) => inLaterTurn(() => callback(null, count, data)),
    failed: (error: unknown) => inLaterTurn(() => callback(error, 0, data)),
  };
}

/** `read` */
export function readForm(calls: SystemCalls): Call {
  const call: Call = (...given) => {
    // With more than four arguments it is the sixth.
    const last = given.length > 4 ? 5 : Math.max(given.length - 1, 1);
    const { parsed, callback } = callbackReadArguments(given.slice(0, last), () => checked(given[last]));
    runLater(calls, ops.read, parsed, endsOf(callback, parsed.view));
  };
  return promisedAs(call, ["bytesRead", "buffer"]);
}

function checked(callback: unknown): Callback {
  checkCallback(callback);
  return callback;
}

/** `write` */
export function writeForm(calls: SystemCalls): Call {
  const call: Call = (...given) => {
    const { callback, data, ...parsed } = callbackWriteArguments(given, checkCallback);
    runLater(calls, ops.write, parsed, endsOf(callback as Callback, data));
  };
  return promisedAs(call, ["bytesWritten", "buffer"]);
}

/** `readv` and `writev` */
export function vectorForm(calls: SystemCalls, write: boolean): Call {
  const call: Call = (fd, buffers, position, callback) => {
    const parsed = toVector(fd, buffers, position, () => checkCallback(callback || position));
    const done = (callback || position) as Callback;
    const ends = endsOf(done, buffers);
    // As in Node: the system takes no request for no buffers, and its error is there at once.
    if (!write && parsed.buffers.length === 0) done(systemCallError(-ERRNO.EINVAL, "read"), 0, buffers);
    else if (!write) runLater(calls, ops.readv, parsed, ends);
    else runLater(calls, ops.writev, parsed.buffers.length === 0 ? undefined : parsed, ends);
  };
  return promisedAs(call, [write ? "bytesWritten" : "bytesRead", write ? "buffer" : "buffers"]);
}

/** `close`: without a callback its error is an uncaught exception. */
export function closeForm(calls: SystemCalls): Call {
  const close = callbackForm(calls, ops.close, { find: at(1), parse: checkedFirst(ops.close) });
  const fail = (error: unknown): void => {
    if (error !== null) throw error;
  };
  return (fd, callback = fail) => close(fd, callback);
}

/**
 * `exists`: its callback has no error. What existsSync throws, which says nothing of the file (a closed tree, a driver that this thread
 * lacks, a lock that is held for too long), is thrown outside of the call, and rejects the promise of the form that `util.promisify` takes.
 */
export function existsForm(calls: SystemCalls): Call {
  const look = (path: unknown, callback: Callback, failed: (error: unknown) => void): void => {
    let parsed: Path;
    try {
      parsed = toPath(path);
    } catch {
      callback(false);
      return;
    }
    runLater(calls, ops.exists, parsed, { succeeded: (found) => inLaterTurn(() => callback(found)), failed });
  };
  const exists = (path: unknown, callback: unknown): void => {
    checkCallback(callback);
    look(path, callback, (error) => {
      inLaterTurn(() => {
        throw error;
      });
    });
  };
  const value = (path: unknown) => new Promise<unknown>((resolve, reject) => look(path, resolve, reject));
  return Object.defineProperty(exists, PROMISIFY, bare({ value, configurable: true }));
}

/** `opendir` names its callback in full, and the path in its errors. */
export function opendirForm(calls: SystemCalls): Call {
  const { parse } = ops.opendir;
  return callbackForm(calls, openedDirectory, {
    find: optional(1),
    parse: (before, check) => {
      check("callback");
      return parse(...(before as Parameters<typeof parse>));
    },
  });
}
