/** Calls on names and attributes. */
import fc from "fast-check";
import { call, calls } from "./call.js";
import { body, down, encoding, filePath, gid, mode, path, time, timeOf, uid } from "./operands.js";

/** Calls that Node makes by one system call: those of several that are begun together are made in their order. */
const SIMPLE = {
  mkdir: ["mkdir", (mode: number) => [mode]],
  rmdir: ["rmdir", () => []],
  unlink: ["unlink", () => []],
  chmod: ["chmod", (mode: number) => [mode]],
  utimes: ["utimes", () => [1, 2]],
  lstat: ["lstat", () => []],
  readlink: ["readlink", () => []],
  access: ["access", () => []],
} as const;

const bigint = fc.constantFrom(undefined, false, true);
const access = fc.constantFrom(undefined, 0, 1, 2, 4, 5, 6, 7);
/** Those in which the path of the run's directory can be found. */
const pathEncoding = fc.constantFrom(undefined, "utf8", "latin1", "buffer");
const recursive = fc.constantFrom(undefined, undefined, true);

export const NAMES = calls({
  access: call(2, fc.record({ path, access }), (actor, { path, access }, form) =>
    actor.call(form, "access", actor.path(path), ...(access === undefined ? [] : [access])),
  ),
  exists: call(1, path, (actor, path, form) => {
    if (form === "sync") return actor.sync("exists", actor.path(path));
    return new Promise((resolve) => actor.plain("exists", actor.path(path), resolve));
  }),
  stat: call(3, fc.record({ path, bigint, noThrow: fc.boolean() }), (actor, { path, bigint, noThrow }, form) =>
    actor.call(form, "stat", actor.path(path), { bigint, throwIfNoEntry: !noThrow }),
  ),
  lstat: call(3, fc.record({ path, bigint, noThrow: fc.boolean() }), (actor, { path, bigint, noThrow }, form) =>
    actor.call(form, "lstat", actor.path(path), { bigint, throwIfNoEntry: !noThrow }),
  ),
  readlink: call(2, fc.record({ path, encoding }), (actor, { path, encoding }, form) =>
    actor.call(form, "readlink", actor.path(path), encoding),
  ),
  realpath: call(2, fc.record({ path, encoding: pathEncoding }), (actor, { path, encoding }, form) => {
    // Node's own walk never ends on some links that lead in a circle.
    if (isLoop(() => actor.sync("stat", actor.path(path)))) return "a loop";
    return actor.call(form === "promise" ? "callback" : form, "realpath", actor.path(path), encoding);
  }),
  realpathNative: call(2, fc.record({ path, encoding: pathEncoding }), (actor, { path, encoding }, form) => {
    if (form === "promise") return actor.promise("realpath", actor.path(path), encoding);
    if (form === "sync") return actor.native("realpathSync", actor.path(path), encoding);
    return new Promise((resolve, reject) => {
      actor.native("realpath", actor.path(path), encoding, (error: unknown, value: unknown) => {
        if (error) reject(error);
        else resolve(value);
      });
    });
  }),
  mkdir: call(5, fc.record({ path, mode, recursive }), (actor, { path, mode, recursive }, form) => {
    // Node never returns.
    if (recursive && actor.isLost()) return "no working directory";
    return actor.call(form, "mkdir", actor.path(path), { mode, recursive });
  }),
  rmdir: call(2, path, (actor, path, form) => actor.call(form, "rmdir", actor.path(path))),
  unlink: call(3, filePath, (actor, path, form) => actor.call(form, "unlink", actor.path(path))),
  rename: call(4, fc.record({ from: path, to: down }), (actor, { from, to }, form) =>
    actor.call(form, "rename", actor.path(from), actor.path(to)),
  ),
  // Many kernels are configured to keep other users from it.
  link: call(
    4,
    fc.record({ from: filePath, to: path }),
    (actor, { from, to }, form) => actor.call(form, "link", actor.path(from), actor.path(to)),
    { rootOnly: true },
  ),
  symlink: call(4, fc.record({ body, path }), (actor, { body, path }, form) =>
    actor.call(form, "symlink", body, actor.path(path)),
  ),
  chmod: call(4, fc.record({ path, mode, text: fc.boolean() }), (actor, { path, mode, text }, form) =>
    actor.call(form, "chmod", actor.path(path), text ? mode.toString(8) : mode),
  ),
  chown: call(3, fc.record({ path, uid, gid }), (actor, { path, uid, gid }, form) =>
    actor.call(form, "chown", actor.path(path), uid, gid),
  ),
  lchown: call(2, fc.record({ path, uid, gid }), (actor, { path, uid, gid }, form) =>
    actor.call(form, "lchown", actor.path(path), uid, gid),
  ),
  utimes: call(3, fc.record({ path, atime: time, mtime: time }), (actor, { path, atime, mtime }, form) =>
    actor.call(form, "utimes", actor.path(path), timeOf(atime), timeOf(mtime)),
  ),
  lutimes: call(2, fc.record({ path, atime: time, mtime: time }), (actor, { path, atime, mtime }, form) =>
    actor.call(form, "lutimes", actor.path(path), timeOf(atime), timeOf(mtime)),
  ),
  chdir: call(1, path, (actor, { at, as }) => {
    try {
      actor.side.chdir(as === "relative" ? at : actor.side.base + at);
      return undefined;
    } catch (error) {
      // The message of process.chdir() has the working directory before.
      return (error as { code?: unknown }).code;
    }
  }),
  umask: call(1, fc.constantFrom(0, 0o022, 0o077, 0o007), (actor, mask) => actor.side.umask(mask)),
  /** Several calls that are begun together, with callbacks and promises. */
  together: call(
    3,
    fc.array(
      fc.record({
        form: fc.constantFrom("callback" as const, "promise" as const),
        name: fc.constantFrom(...(Object.keys(SIMPLE) as (keyof typeof SIMPLE)[])),
        path,
        mode,
      }),
      { minLength: 2, maxLength: 4 },
    ),
    (actor, list) =>
      Promise.allSettled(
        list.map(({ form, name, path, mode }) => {
          const [call, more] = SIMPLE[name];
          return actor.call(form, call, actor.path(path), ...more(mode));
        }),
      ),
  ),
});

function isLoop(look: () => unknown): boolean {
  try {
    look();
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ELOOP";
  }
}
