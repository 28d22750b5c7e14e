/** Calls on the contents of files by their paths. */
import fc from "fast-check";
import type { Actor } from "./actor.js";
import { call, calls } from "./call.js";
import { data, dataOf, down, filePath, flags, mode, type PathOperand, textEncoding } from "./operands.js";

const COPY_EXCL = 1;
const COPY_FICLONE = 2;

const flagOr = fc.oneof(fc.constant(undefined), flags);
const flush = fc.constantFrom(undefined, undefined, true);
const writing = fc.record({
  path: filePath,
  data,
  flag: flagOr,
  mode: fc.option(mode, { nil: undefined }),
  encoding: textEncoding,
  flush,
});

type Look = { isDirectory(): boolean; uid: number };

/** The attributes of a file; undefined: there are none to be had. */
export function look(actor: Actor, path: PathOperand): Look | undefined {
  try {
    return actor.sync("stat", actor.path(path)) as Look;
  } catch {
    return undefined;
  }
}

export const CONTENTS = calls({
  readFile: call(
    4,
    fc.record({ path: filePath, flag: flagOr, encoding: textEncoding }),
    (actor, { path, ...options }, form) => actor.call(form, "readFile", actor.path(path), options),
  ),
  writeFile: call(6, writing, (actor, { path, data, ...options }, form) =>
    actor.call(form, "writeFile", actor.path(path), dataOf(data, form === "promise"), options),
  ),
  appendFile: call(3, writing, (actor, { path, data, ...options }, form) =>
    actor.call(form, "appendFile", actor.path(path), dataOf(data, form === "promise"), options),
  ),
  truncate: call(
    3,
    fc.record({ path: filePath, length: fc.constantFrom(0, 3, 4096, 5001) }),
    (actor, { path, length }, form) => actor.call(form, "truncate", actor.path(path), length),
  ),
  copyFile: call(
    4,
    fc.record({ from: filePath, to: down, how: fc.constantFrom(0, 0, COPY_EXCL, COPY_FICLONE) }),
    (actor, { from, to, how }, form) => {
      // Node removes the destination where these fail (docs/differences.md).
      if (look(actor, from)?.isDirectory()) return "a directory";
      const uid = look(actor, to)?.uid;
      if (uid !== undefined && uid !== actor.side.uid) return "another's file";
      return actor.call(form, "copyFile", actor.path(from), actor.path(to), how);
    },
  ),
  openAsBlob: call(1, filePath, async (actor, path) => {
    if (look(actor, path)?.isDirectory()) return "a directory";
    const blob = (await actor.plain("openAsBlob", actor.path(path), { type: "text/plain" })) as Blob;
    return [blob.size, blob.type, await blob.text()];
  }),
});
