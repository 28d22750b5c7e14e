/**
 * The drivers that a thread has registered. The core calls a hook through the host's `driverCall`. Names and attributes are in
 * the calling thread's SCRATCH.DRIVER area (NODE_* and DRIVER_*, abi/memory.ts).
 *
 * The tree knows a driver by its name; each thread has its own object for it, which it registers. The numbers of nodes are
 * the driver's in all threads. A call of a thread that has not registered it fails with ERR_THREADFS_NO_DRIVER.
 */

import * as DRIVER_OP from "../../abi/driver-ops.js";
import * as ERRNO from "../../abi/errno.js";
import { IO_SIZE, NAME_MAX, PATH_MAX } from "../../abi/limits.js";
import {
  ATTR_MODE,
  ATTR_OWNER,
  ATTR_SIZE,
  DIRENT_ALIGN,
  DIRENT_NAME,
  DIRENT_NAME_LENGTH,
  DIRENT_OFF,
  DIRENT_TYPE,
  DRIVER_BODY,
  DRIVER_NAME,
  DRIVER_NAME_LEN,
  DRIVER_NAME1,
  DRIVER_NAME2,
  DRIVER_SIZE,
  DRIVERS,
  NODE_GID,
  NODE_INO,
  NODE_MODE,
  NODE_MTIME,
  NODE_NLINK,
  NODE_SIZE,
  NODE_UID,
  READDIR_NEXT,
} from "../../abi/memory.js";
import { DT_SHIFT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/mode.js";
import * as SCRATCH from "../../abi/scratch.js";
import type { CoreExports } from "../../generated/core-exports.js";
import type { Driver, DriverAttributes, DriverChanges, DriverEntry } from "../api/driver.js";
import { propertyOf } from "../errors/bare.js";
import { codedError, invalidArgType, invalidArgValue, noteHookFailure, systemCallError } from "../errors/errors.js";
import { inspect } from "../errors/inspect.js";
import { checkDriverKeys, flagsOf, hooksOf, isAgain, modeOf, present } from "./driver-properties.js";
import type { SharedMemory } from "./wasm.js";

/** Types that `mount` knows itself. */
const BUILT_IN_TYPES: readonly string[] = ["tmpfs", "bind"];

/** The method of each hook of the core. */
const HOOK_NAME: Readonly<Record<number, keyof Driver>> = {
  [DRIVER_OP.ROOT]: "root",
  [DRIVER_OP.LOOKUP]: "lookup",
  [DRIVER_OP.HASH]: "hash",
  [DRIVER_OP.COMPARE]: "compare",
  [DRIVER_OP.REVALIDATE]: "revalidate",
  [DRIVER_OP.PERMISSION]: "permission",
  [DRIVER_OP.CHECK_ACL]: "checkAcl",
  [DRIVER_OP.READLINK]: "readlink",
  [DRIVER_OP.PUT_LINK]: "putLink",
  [DRIVER_OP.IPUT]: "iput",
  [DRIVER_OP.READDIR]: "readdir",
  [DRIVER_OP.READ]: "read",
  [DRIVER_OP.WRITE]: "write",
  [DRIVER_OP.CREATE]: "create",
  [DRIVER_OP.UNLINK]: "unlink",
  [DRIVER_OP.DELETE]: "deleteUnused",
  [DRIVER_OP.SETATTR]: "setattr",
};

/** The name of a hook (DRIVER_OP). */
export function hookName(op: number): string {
  return HOOK_NAME[op] ?? "a hook";
}

/** Hooks whose result no call returns. */
const CANNOT_FAIL: ReadonlySet<number> = /* @__PURE__ */ new Set([
  DRIVER_OP.HASH,
  DRIVER_OP.COMPARE,
  DRIVER_OP.PUT_LINK,
  DRIVER_OP.IPUT,
  DRIVER_OP.DELETE,
]);
/** Numbers of the errors that a driver may throw, by their codes. */
const ERRNO_OF: ReadonlyMap<string, number> = /* @__PURE__ */ new Map([
  ...Object.entries(ERRNO),
  // From another tree that the driver uses.
  ["ERR_THREADFS_TIMEOUT", ERRNO.ETIMEDOUT],
]);
const MODE_MAX = 0o177777;
const FILE_TYPES: ReadonlySet<number> = /* @__PURE__ */ new Set([
  S_IFREG,
  S_IFDIR,
  S_IFLNK,
  S_IFIFO,
  S_IFSOCK,
  S_IFCHR,
  S_IFBLK,
]);
/** The largest user or group: the number above means none. */
const ID_MAX = 2 ** 32 - 2;
const NLINK_MAX = 2 ** 31 - 1;
/** The largest descriptor. */
const FD_MAX = 2 ** 20 - 1;
/** Offsets in SCRATCH.DRIVER. */
const NAME1 = SCRATCH.DRIVER + DRIVER_NAME1;
const NAME2 = SCRATCH.DRIVER + DRIVER_NAME2;
const BODY = SCRATCH.DRIVER + DRIVER_BODY;

/** The drivers that a thread has registered. */
export class DriverTable {
  readonly #memory: SharedMemory;
  readonly #byNumber = new Map<number, Driver>();
  readonly #byName = new Map<string, number>();
  #core: CoreExports | undefined;
  /** The source of the mount that is being made. */
  #source: unknown = null;
  /** The number of the driver that this thread lacks, of the last hook of it that the core wanted to call; 0: none. */
  #missing = 0;
  #bytes = new Uint8Array(0);
  #view = new DataView(new ArrayBuffer(0));

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** Called when the thread has its scratch area. */
  attach(core: CoreExports): void {
    this.#core = core;
    const base = core.scratchBase() >>> 0;
    this.#bytes = new Uint8Array(this.#memory.buffer as ArrayBuffer, base, SCRATCH.SIZE);
    this.#view = new DataView(this.#memory.buffer as ArrayBuffer, base, SCRATCH.SIZE);
  }

  /** @throws EEXIST if another driver of this name has other hooks or other properties, ENOSPC if the table is full */
  register(driver: Driver, ctx: number): void {
    if (typeof driver !== "object" || driver === null) throw invalidArgType("driver", "of type object", driver);
    checkDriverKeys(driver);
    if (typeof driver.name !== "string") throw invalidArgType("driver.name", "of type string", driver.name);
    if (typeof driver.root !== "function") throw invalidArgType("driver.root", "of type function", driver.root);
    if (BUILT_IN_TYPES.includes(driver.name)) {
      throw invalidArgValue("driver.name", driver.name, "is the name of a built-in file system type");
    }
    const hooks = hooksOf(driver);
    const core = this.#attached();
    const length = this.#putBytes(SCRATCH.PATH, new TextEncoder().encode(driver.name), PATH_MAX);
    const number = core.driverRegister(ctx, length, hooks, flagsOf(driver, hooks));
    if (number < 0) throw systemCallError(number, "register", driver.name);
    this.#byNumber.set(number, driver);
    this.#byName.set(driver.name, number);
  }

  /** Waits for a grace period. @throws EBUSY while a file system of it exists, ENODEV for an unknown one */
  unregister(name: string, ctx: number): void {
    const number = this.#byName.get(name);
    if (number === undefined) throw systemCallError(-ERRNO.ENODEV, "unregister", name);
    const answer = this.#attached().driverUnregister(ctx, number);
    // Another thread may have unregistered it already. Then only this thread's registration is left.
    if (answer < 0 && answer !== -ERRNO.ENODEV) throw systemCallError(answer, "unregister", name);
    this.#byNumber.delete(number);
    this.#byName.delete(name);
  }

  find(name: string): number | undefined {
    return this.#byName.get(name);
  }

  /** Makes a call that mounts a file system of a driver, whose root() gets `source`. */
  withSource<T>(source: unknown, call: () => T): T {
    this.#source = source;
    try {
      return call();
    } finally {
      this.#source = null;
    }
  }

  /**
   * Called after a call of the core has returned ENXIO. @throws Error ERR_THREADFS_NO_DRIVER if it needed a driver that this
   * thread has not registered
   */
  checkRegistered(): void {
    const missing = this.#missing;
    if (missing === 0) return;
    this.#missing = 0;
    const name = this.nameOf(missing);
    const message = `The driver "${name}" of this file system is not registered in this thread. Call registerDriver() in this thread`;
    throw codedError(Error, "ERR_THREADFS_NO_DRIVER", message);
  }

  /** The name of a driver's number in the tree's table (DRIVERS, abi/memory.ts). */
  nameOf(number: number): string {
    const entry = DRIVERS + ((number & 0xff) - 1) * DRIVER_SIZE;
    const bytes = new Uint8Array(this.#memory.buffer as ArrayBuffer, entry, DRIVER_SIZE).slice();
    const length = new DataView(bytes.buffer).getUint32(DRIVER_NAME_LEN, true);
    return new TextDecoder().decode(bytes.subarray(DRIVER_NAME, DRIVER_NAME + length));
  }

  /** The host's `driverCall`: calls a hook of the driver with this number. Returns >= 0 or -errno, and never throws. */
  call(op: number, number: number, a: number, b: number, c: number, d: number): number {
    const driver = this.#byNumber.get(number);
    if (driver === undefined) {
      if (!CANNOT_FAIL.has(op)) this.#missing = number;
      return -ERRNO.ENXIO;
    }
    try {
      return this.#dispatch(driver, op, a, b, c, d);
    } catch (cause) {
      const code = cause instanceof Object ? propertyOf(cause as { code?: unknown }, "code") : undefined;
      const errno = typeof code === "string" ? ERRNO_OF.get(code) : undefined;
      if (errno !== undefined) return -errno;
      noteHookFailure({ driver: driver.name, hook: hookName(op), cause });
      return -ERRNO.EIO;
    }
  }

  /** @throws TypeError for a result that the hook may not return, besides what the hook throws */
  #dispatch(driver: Driver, op: number, a: number, b: number, c: number, d: number): number {
    switch (op) {
      case DRIVER_OP.ROOT:
        return this.#putAttributes(present(driver.root(this.#source as Parameters<Driver["root"]>[0])));
      case DRIVER_OP.LOOKUP: {
        const name = this.#text(NAME1, b);
        const found = name === undefined ? null : present(driver.lookup?.(a, name));
        return found == null ? -ERRNO.ENOENT : this.#putAttributes(found);
      }
      case DRIVER_OP.HASH:
        // A name that is not UTF-8 cannot be found, so any hash will do.
        return (present(driver.hash?.(a, this.#text(NAME1, b) ?? "")) ?? 0) >>> 0;
      case DRIVER_OP.COMPARE: {
        const [cached, wanted] = [this.#text(NAME1, c), this.#text(NAME2, d)];
        if (cached === undefined || wanted === undefined) return 1;
        return present(driver.compare?.(a, b < 0 ? null : b, cached, wanted)) ? 0 : 1;
      }
      case DRIVER_OP.REVALIDATE: {
        const name = this.#text(NAME1, c) ?? "";
        const node = b < 0 ? null : b;
        const [reval, rcu] = [(d & DRIVER_OP.REVAL) !== 0, (d & DRIVER_OP.IN_RCU) !== 0];
        const answer = driver.revalidate?.(a, node, name, reval, ...modeOf(driver, "revalidate", rcu));
        // Attributes are stored outside of rcu mode.
        if (isAgain(answer, rcu) || (rcu && typeof answer === "object")) return -ERRNO.ECHILD;
        return this.#revalidated(answer);
      }
      case DRIVER_OP.PERMISSION:
        return isAgain(driver.permission?.(a, b, ...modeOf(driver, "permission", c !== 0)), c !== 0)
          ? -ERRNO.ECHILD
          : 0;
      case DRIVER_OP.CHECK_ACL: {
        const answer = driver.checkAcl?.(a, b, ...modeOf(driver, "checkAcl", c !== 0));
        if (isAgain(answer, c !== 0)) return -ERRNO.ECHILD;
        return answer === undefined ? -ERRNO.EAGAIN : answer ? 0 : -ERRNO.EACCES;
      }
      case DRIVER_OP.READLINK: {
        const rcu = b === DRIVER_OP.IN_RCU;
        const target = present(driver.readlink?.(a, ...modeOf(driver, "readlink", rcu)));
        // Any text may be a link's, so that to be asked again is no text.
        return rcu && target === null ? -ERRNO.ECHILD : this.#putLink(target);
      }
      case DRIVER_OP.PUT_LINK:
        present(driver.putLink?.(a));
        return 0;
      case DRIVER_OP.IPUT:
        present(driver.iput?.(a, b));
        return 0;
      case DRIVER_OP.DELETE:
        return present(driver.deleteUnused?.(a < 0 ? null : a, this.#text(NAME1, b) ?? "")) ? 1 : 0;
      case DRIVER_OP.READDIR:
        return this.#putEntries(checkEntries(driver.readdir?.(a)), b);
      case DRIVER_OP.READ: {
        const into = new Uint8Array(c);
        const n = checkLength(driver.read?.(a, b, into), c);
        this.#bytes.set(into.subarray(0, n), SCRATCH.IO);
        return n;
      }
      case DRIVER_OP.WRITE:
        return checkLength(driver.write?.(a, b, this.#bytes.slice(SCRATCH.IO, SCRATCH.IO + c)), c);
      case DRIVER_OP.CREATE: {
        const [name, target] = [this.#text(NAME1, b), d > 0 ? this.#text(BODY, d) : undefined];
        if (name === undefined || (d > 0 && target === undefined)) return -ERRNO.EINVAL;
        const made = present(driver.create?.(a, name, c, target));
        if (made?.mode !== undefined && (made.mode & S_IFMT) !== (c & S_IFMT)) {
          throw new TypeError("it returned a node of another type");
        }
        return this.#putAttributes(made);
      }
      case DRIVER_OP.UNLINK:
        present(driver.unlink?.(a, c, this.#text(NAME1, b) ?? ""));
        return 0;
      case DRIVER_OP.SETATTR:
        return this.#putAttributes(present(driver.setattr?.(a, changes(b, c, d))));
      default:
        throw codedError(Error, "ERR_THREADFS_PANIC", `The core called an unknown hook ${op}`);
    }
  }

  /** What readlink() returned: a text, or the descriptor of the file that a magic link leads to. */
  #putLink(target: string | number | null | undefined): number {
    if (isUpTo(target, FD_MAX)) return DRIVER_OP.MAGIC_LINK + (target as number);
    return this.#putBytes(BODY, new TextEncoder().encode(checkLink(target)), PATH_MAX);
  }

  /** What revalidate() returned: whether the entry is valid, or the node's present attributes. */
  #revalidated(reply: boolean | DriverAttributes | "again" | undefined): number {
    if (typeof reply !== "object" || reply === null) return reply ? DRIVER_OP.REVALIDATED : DRIVER_OP.STALE;
    const failed = this.#putAttributes(reply);
    return failed < 0 ? failed : DRIVER_OP.REFRESHED;
  }

  #attached(): CoreExports {
    if (this.#core === undefined) throw codedError(Error, "ERR_THREADFS_CLOSED", "The tree is closed");
    return this.#core;
  }

  /** Text at an offset; undefined: not UTF-8. Copied, because browsers do not decode shared memory. */
  #text(offset: number, length: number): string | undefined {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        this.#bytes.slice(offset, offset + length),
      );
    } catch {
      return undefined;
    }
  }

  #putBytes(offset: number, bytes: Uint8Array, max: number): number {
    if (bytes.length > max) return -ERRNO.ENAMETOOLONG;
    this.#bytes.set(bytes, offset);
    return bytes.length;
  }

  #putAttributes(attributes: DriverAttributes | undefined): number {
    if (typeof attributes !== "object" || attributes === null) throw wrongResult(attributes);
    const { ino, mode } = attributes;
    const type = mode & S_IFMT;
    const given = (key: "uid" | "gid" | "nlink" | "size" | "mtimeMs", otherwise: number) =>
      propertyOf(attributes, key) ?? otherwise;
    const [uid, gid, size, mtimeMs] = [given("uid", 0), given("gid", 0), given("size", 0), given("mtimeMs", 0)];
    const nlink = given("nlink", type === S_IFDIR ? 2 : 1);
    const wrong = (key: string, value: unknown) => new TypeError(`it returned the ${key} ${String(value)}`);
    if (!isUpTo(ino, Number.MAX_SAFE_INTEGER)) throw wrong("ino", ino);
    if (!isUpTo(mode, MODE_MAX) || !FILE_TYPES.has(type)) throw wrong("mode", mode);
    if (!isUpTo(uid, ID_MAX)) throw wrong("uid", uid);
    if (!isUpTo(gid, ID_MAX)) throw wrong("gid", gid);
    if (!isUpTo(nlink, NLINK_MAX)) throw wrong("nlink", nlink);
    if (!isUpTo(size, Number.MAX_SAFE_INTEGER)) throw wrong("size", size);
    if (!Number.isFinite(mtimeMs)) throw wrong("mtimeMs", mtimeMs);
    const view = this.#view;
    view.setFloat64(SCRATCH.DRIVER + NODE_INO, ino, true);
    view.setFloat64(SCRATCH.DRIVER + NODE_SIZE, size, true);
    view.setFloat64(SCRATCH.DRIVER + NODE_MTIME, mtimeMs, true);
    view.setUint32(SCRATCH.DRIVER + NODE_MODE, mode, true);
    view.setUint32(SCRATCH.DRIVER + NODE_UID, uid, true);
    view.setUint32(SCRATCH.DRIVER + NODE_GID, gid, true);
    view.setUint32(SCRATCH.DRIVER + NODE_NLINK, nlink, true);
    return 0;
  }

  /** Writes as many entries as fit, from entry `from` on. The number of the next one goes to SCRATCH.DRIVER. */
  #putEntries(entries: readonly DriverEntry[], from: number): number {
    const encoder = new TextEncoder();
    let used = 0;
    let next = from;
    for (; next < entries.length; next++) {
      const { name, ino, mode } = entries[next] as DriverEntry;
      // libuv and readdir(3)'s callers leave them out.
      if (name === "." || name === "..") continue;
      const bytes = encoder.encode(name);
      const need = (DIRENT_NAME + bytes.length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
      if (!isName(name) || bytes.length > NAME_MAX) throw new TypeError(`it returned the name ${inspect(name)}`);
      if (used + need > IO_SIZE) break;
      const at = SCRATCH.IO + used;
      this.#view.setFloat64(at, ino, true);
      this.#view.setFloat64(at + DIRENT_OFF, next + 1, true);
      this.#view.setUint8(at + DIRENT_TYPE, (mode & S_IFMT) >> DT_SHIFT);
      this.#view.setUint8(at + DIRENT_NAME_LENGTH, bytes.length);
      this.#bytes.set(bytes, at + DIRENT_NAME);
      used += need;
    }
    this.#view.setFloat64(SCRATCH.DRIVER + READDIR_NEXT, next, true);
    return used;
  }
}

function wrongResult(result: unknown): TypeError {
  return new TypeError(`it returned ${inspect(result)}`);
}

/** A number of bytes that a hook has transferred, of at most `max`. @throws TypeError */
function checkLength(result: number | undefined, max: number): number {
  if (isUpTo(present(result), max)) return result as number;
  throw new TypeError(`it returned ${inspect(result)} for a number of bytes up to ${max}`);
}

/** The body of a link. @throws TypeError */
function checkLink(result: string | number | null | undefined): string {
  if (typeof result === "string" && !result.includes("\0")) return result;
  throw new TypeError(`it returned ${inspect(result)} for the text of a link`);
}

/** The entries of a directory. @throws TypeError */
function checkEntries(result: readonly DriverEntry[] | undefined): readonly DriverEntry[] {
  if (Array.isArray(present(result))) return result as readonly DriverEntry[];
  throw new TypeError(`it returned ${inspect(result)} for an array of entries`);
}

/** Whether a value is an integer from 0 to `max`. */
function isUpTo(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

/** verify_dirent_name(): a name with a slash would lead a call that follows the listing out of the directory. */
function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "" && !/[/\0]/.test(name);
}

function changes(valid: number, a: number, b: number): DriverChanges {
  if (valid === ATTR_MODE) return { mode: a };
  if (valid === ATTR_OWNER) return { uid: a, gid: b };
  if (valid === ATTR_SIZE) return { size: a };
  return { atimeMs: a, mtimeMs: b };
}
