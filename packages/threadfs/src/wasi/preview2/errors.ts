/** The errors of the core as those of `wasi:filesystem`, and the errors of streams. */
import * as LINUX from "../../../abi/errno.js";
import type { ErrorCode } from "./types.js";

/** By Linux's numbers. A path that would leave its directory is EXDEV in the core, and "not-permitted" here: see {@link walked}. */
const CODES: ReadonlyMap<number, ErrorCode> = /* @__PURE__ */ new Map<number, ErrorCode>([
  [LINUX.EPERM, "not-permitted"],
  [LINUX.ENOENT, "no-entry"],
  [LINUX.EINTR, "interrupted"],
  [LINUX.EIO, "io"],
  [LINUX.ENXIO, "no-such-device"],
  [LINUX.EBADF, "bad-descriptor"],
  [LINUX.EAGAIN, "would-block"],
  [LINUX.ENOMEM, "insufficient-memory"],
  [LINUX.EACCES, "access"],
  [LINUX.EBUSY, "busy"],
  [LINUX.EEXIST, "exist"],
  [LINUX.EXDEV, "cross-device"],
  [LINUX.ENODEV, "no-device"],
  [LINUX.ENOTDIR, "not-directory"],
  [LINUX.EISDIR, "is-directory"],
  [LINUX.EINVAL, "invalid"],
  // There is no code for too many open files.
  [LINUX.ENFILE, "insufficient-memory"],
  [LINUX.EMFILE, "insufficient-memory"],
  [LINUX.EFBIG, "file-too-large"],
  [LINUX.ENOSPC, "insufficient-space"],
  [LINUX.ESPIPE, "invalid-seek"],
  [LINUX.EROFS, "read-only"],
  [LINUX.EMLINK, "too-many-links"],
  [LINUX.EPIPE, "pipe"],
  [LINUX.EDEADLK, "deadlock"],
  [LINUX.ENAMETOOLONG, "name-too-long"],
  [LINUX.ENOLCK, "no-lock"],
  [LINUX.ENOSYS, "unsupported"],
  [LINUX.ENOTEMPTY, "not-empty"],
  [LINUX.ELOOP, "loop"],
  [LINUX.EOVERFLOW, "overflow"],
  [LINUX.EOPNOTSUPP, "unsupported"],
]);

/** The code of a negative errno; "io" for one that `wasi:filesystem` has not. */
export const codeOf = (result: number): ErrorCode => CODES.get(-result) ?? "io";

/** The result of a call. A component gets what a method throws, a string, as the error of its result. @throws ErrorCode */
export function done(result: number): number {
  if (result < 0) throw codeOf(result);
  return result;
}

/** The same of a call that walks below a directory. @throws ErrorCode "not-permitted" for what leads out of that */
export function walked(result: number): number {
  if (result === -LINUX.EXDEV) throw "not-permitted" satisfies ErrorCode;
  return done(result);
}

/** Whether an object has these methods: streams and pollables of another shim are resources too. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

/** The resource `error` of `wasi:io/error`. */
export class IoError {
  /** What `filesystem-error-code` returns. @internal */
  readonly code: ErrorCode;

  /** @internal */
  constructor(code: ErrorCode) {
    this.code = code;
  }

  /** Errors of other shims are errors too: a component may have standard streams of one. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return hasMethods(value, ["toDebugString"]);
  }

  toDebugString(): string {
    return this.code;
  }
}

/** The error-code of an error of a stream; undefined: it is of a stream of another kind. */
export function filesystemErrorCode(error: IoError): ErrorCode | undefined {
  return Object.getPrototypeOf(error) === IoError.prototype ? error.code : undefined;
}

/** What a stream throws whose end is reached, or that has failed before. */
export const closed = (): { tag: "closed" } => ({ tag: "closed" });

/** What a stream throws that fails. */
export const failed = (result: number): { tag: "last-operation-failed"; val: IoError } => ({
  tag: "last-operation-failed",
  val: new IoError(codeOf(result)),
});

/** jco's name for the method with which a component drops a resource; not every host has the symbol. A unique one for the types: before 5.9 TypeScript takes no other as a name. */
export const DISPOSE: unique symbol = /* @__PURE__ */ (() =>
  (Symbol as { dispose?: symbol }).dispose ?? Symbol.for("dispose"))() as never;
