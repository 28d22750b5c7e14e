/**
 * Contexts: credentials, root, working directory, umask and descriptors of their own, over the one tree. A context
 * lives in the shared memory until it is closed; its handle passes it to another thread.
 */

import { AT_FDCWD } from "../../abi/flags.js";
import { IO_SIZE } from "../../abi/limits.js";
import { ABI_VERSION, ACL_ENTRY_ID, ACL_ENTRY_PERM, ACL_ENTRY_SIZE } from "../../abi/memory.js";
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  CAPS_OF_UID,
} from "../../abi/permissions.js";
import type { Attachment } from "../bridge/attachment.js";
import type { VfsHandle } from "../bridge/handle.js";
import { invalidArgType, outOfRange, systemCallError } from "../errors/errors.js";
import { toInteger, toMode, toPath, toUint32 } from "../node-fs/args.js";
import { makeSync } from "../node-fs/sync.js";
import { SystemCalls } from "../node-fs/system-calls.js";
import type { FsSync, PathLike } from "../node-fs/types.js";

/** The properties of a new context. Default: those of the tree's own context: uid 0, umask 0o022, "/". */
export interface ContextOptions {
  uid?: number | undefined;
  gid?: number | undefined;
  /** Supplementary groups. */
  groups?: readonly number[] | undefined;
  umask?: number | undefined;
  /** Working directory, as seen from `root`. */
  cwd?: PathLike | undefined;
  /** Root directory, as seen from the context that creates this one. */
  root?: PathLike | undefined;
  /** Bit mask of Linux's CAP_* numbers (`1 << CAP_DAC_OVERRIDE` ...). Default: all for uid 0, none for others. */
  caps?: number | undefined;
}

/** Tags of ACL entries, as in Linux's `posix_acl.h`. */
export const ACL_TAG = Object.freeze({
  USER_OBJ: ACL_USER_OBJ,
  USER: ACL_USER,
  GROUP_OBJ: ACL_GROUP_OBJ,
  GROUP: ACL_GROUP,
  MASK: ACL_MASK,
  OTHER: ACL_OTHER,
});

/** One entry of a POSIX access ACL (acl(5)). */
export interface AclEntry {
  /** One of {@link ACL_TAG}. */
  tag: number;
  /** User or group, for the tags that name one. */
  id?: number | undefined;
  /** Bits 4 read, 2 write, 1 execute. */
  perm: number;
}

const MAX_ACL_ENTRIES = IO_SIZE / ACL_ENTRY_SIZE;
const MAX_GROUPS = IO_SIZE / 4;

/** A context in this thread. */
export class Context {
  /** The calls of `node:fs`, made by this context. */
  readonly fs: FsSync;
  readonly #attachment: Attachment;
  readonly #calls: SystemCalls;
  readonly #owned: boolean;

  /** @internal */
  constructor(attachment: Attachment, ctx: number, owned: boolean) {
    this.#attachment = attachment;
    this.#calls = new SystemCalls(attachment, ctx);
    this.#owned = owned;
    this.fs = makeSync(this.#calls);
  }

  /** Post this to a worker and pass it to `attachVfs`: the `fs` there is then this context's. */
  get handle(): VfsHandle {
    const { module, memory } = this.#attachment;
    return { module, memory, version: ABI_VERSION, ctx: this.#calls.ctx };
  }

  /** @internal */
  get calls(): SystemCalls {
    return this.#calls;
  }

  /** Changes the working directory (chdir(2)). @throws system call errors with syscall "chdir" */
  chdir(path: PathLike): void {
    const checked = toPath(path);
    const length = this.#calls.putPath(checked, "chdir");
    this.#calls.check(this.#calls.core.sysChdir(this.#calls.ctx, AT_FDCWD, length), "chdir", checked);
  }

  /**
   * Changes the root directory (chroot(2)); the working directory stays. @throws system call errors with syscall
   * "chroot"
   */
  chroot(path: PathLike): void {
    const checked = toPath(path);
    const length = this.#calls.putPath(checked, "chroot");
    this.#calls.check(this.#calls.core.sysChroot(this.#calls.ctx, AT_FDCWD, length), "chroot", checked);
  }

  /** Sets the umask if one is given. Returns the previous one, as Node's process.umask. */
  umask(mask?: number | string): number {
    this.#calls.checkOpen();
    const { core, ctx } = this.#calls;
    if (mask !== undefined) return this.#calls.check(core.sysUmask(ctx, toMode(mask, "mask") & 0o777), "umask");
    const before = this.#calls.check(core.sysUmask(ctx, 0), "umask");
    core.sysUmask(ctx, before);
    return before;
  }

  /** The working directory's path (getcwd(2)). @throws ENOENT when it was removed */
  getcwd(): string {
    return this.#calls.cwd();
  }

  /** Sets the access ACL of a file; no entries remove it. */
  setfacl(path: PathLike, entries: readonly AclEntry[]): void {
    const checked = toPath(path);
    if (!Array.isArray(entries)) throw invalidArgType("entries", "an instance of Array", entries);
    if (entries.length > MAX_ACL_ENTRIES) throw outOfRange("entries.length", `<= ${MAX_ACL_ENTRIES}`, entries.length);
    const raw = new DataView(new ArrayBuffer(entries.length * ACL_ENTRY_SIZE));
    entries.forEach(({ tag, id, perm }, i) => {
      raw.setUint16(i * ACL_ENTRY_SIZE, toInteger(tag, "tag", 1, 32), true);
      raw.setUint16(i * ACL_ENTRY_SIZE + ACL_ENTRY_PERM, toInteger(perm, "perm", 0, 7), true);
      raw.setUint32(i * ACL_ENTRY_SIZE + ACL_ENTRY_ID, toUint32(id ?? 0xffffffff, "id"), true);
    });
    const length = this.#calls.putPath(checked, "setfacl");
    this.#attachment.io.set(new Uint8Array(raw.buffer));
    const { core, ctx } = this.#calls;
    this.#calls.check(core.sysSetacl(ctx, AT_FDCWD, length, entries.length), "setfacl", checked);
  }

  /** The access ACL of a file; empty when it has none. */
  getfacl(path: PathLike): AclEntry[] {
    const checked = toPath(path);
    const length = this.#calls.putPath(checked, "getfacl");
    const { core, ctx } = this.#calls;
    const count = this.#calls.check(core.sysGetacl(ctx, AT_FDCWD, length), "getfacl", checked);
    const raw = new DataView(this.#attachment.io.slice(0, count * ACL_ENTRY_SIZE).buffer);
    return Array.from({ length: count }, (_, i) => ({
      tag: raw.getUint16(i * ACL_ENTRY_SIZE, true),
      id: raw.getUint32(i * ACL_ENTRY_SIZE + ACL_ENTRY_ID, true),
      perm: raw.getUint16(i * ACL_ENTRY_SIZE + ACL_ENTRY_PERM, true),
    }));
  }

  /**
   * Closes the context in this thread. The thread that created it also removes it and its descriptors from the tree.
   * Idempotent; later calls of its `fs` fail with ERR_THREADFS_CLOSED.
   */
  close(): void {
    if (this.#calls.closed) return;
    this.#calls.close();
    if (this.#owned && this.#attachment.state === 0) this.#attachment.core.contextDestroy(this.#calls.ctx);
  }
}

interface Credentials {
  uid: number;
  gid: number;
  groups: readonly number[];
  umask: number;
  caps: number;
}

const MAX_ID = 2 ** 32 - 2;

function credentialsOf(options: ContextOptions): Credentials {
  const groups = options.groups ?? [];
  if (!Array.isArray(groups)) throw invalidArgType("options.groups", "an instance of Array", groups);
  if (groups.length > MAX_GROUPS) throw outOfRange("options.groups.length", `<= ${MAX_GROUPS}`, groups.length);
  for (const group of groups) toInteger(group, "options.groups", 0, MAX_ID);
  return {
    uid: toInteger(options.uid ?? 0, "options.uid", 0, MAX_ID),
    gid: toInteger(options.gid ?? 0, "options.gid", 0, MAX_ID),
    groups,
    umask: toMode(options.umask ?? 0o022, "options.umask") & 0o777,
    caps: options.caps === undefined ? CAPS_OF_UID : toInteger(options.caps, "options.caps", 0, 2 ** 31 - 1),
  };
}

function create(attachment: Attachment, from: number, credentials: Credentials): number {
  new Uint32Array(attachment.io.buffer, attachment.io.byteOffset, credentials.groups.length).set(credentials.groups);
  const made = attachment.core.contextCreate(
    from,
    credentials.uid,
    credentials.gid,
    credentials.umask,
    credentials.groups.length,
    credentials.caps,
  );
  if (made < 0) throw systemCallError(made, "context");
  return made;
}

/**
 * Creates a context. Changes to its root and working directory with all capabilities, as a supervisor would before it
 * drops its privileges: a context may start in a directory that it could not have entered itself.
 * @internal
 */
export function createContext(attachment: Attachment, from: number, options: ContextOptions): Context {
  attachment.check();
  const credentials = credentialsOf(options);
  if (options.root === undefined && options.cwd === undefined) {
    return new Context(attachment, create(attachment, from, credentials), true);
  }
  const supervisor = create(attachment, from, { uid: 0, gid: 0, groups: [], umask: 0, caps: CAPS_OF_UID });
  const prepared = new Context(attachment, supervisor, true);
  try {
    if (options.root !== undefined) prepared.chroot(options.root);
    prepared.chdir(options.cwd ?? "/");
    return new Context(attachment, create(attachment, supervisor, credentials), true);
  } finally {
    prepared.close();
  }
}
