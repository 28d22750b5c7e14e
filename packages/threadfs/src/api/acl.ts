/** POSIX ACLs as lists of entries. As bytes they are the extended attributes system.posix_acl_access and system.posix_acl_default. */
import { AT_FDCWD } from "../../abi/flags.js";
import { IO_SIZE } from "../../abi/limits.js";
import { ACL_ENTRY_ID, ACL_ENTRY_PERM, ACL_ENTRY_SIZE } from "../../abi/memory.js";
import { ACL_GROUP, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER, ACL_USER, ACL_USER_OBJ } from "../../abi/permissions.js";
import { flagOption, readOptions } from "../bridge/options.js";
import { invalidArgType } from "../errors/errors.js";
import { toInteger, toPath, toUint32 } from "../node-fs/args.js";
import type { SystemCalls } from "../node-fs/system-calls.js";
import type { PathLike } from "../node-fs/types.js";

/** Tags of ACL entries, as in Linux's `posix_acl.h`. */
export const ACL_TAG = Object.freeze({
  USER_OBJ: ACL_USER_OBJ,
  USER: ACL_USER,
  GROUP_OBJ: ACL_GROUP_OBJ,
  GROUP: ACL_GROUP,
  MASK: ACL_MASK,
  OTHER: ACL_OTHER,
});

/** One entry of a POSIX ACL (acl(5)). */
export interface AclEntry {
  /** One of {@link ACL_TAG}. */
  tag: number;
  /** User or group, for the tags that name one. */
  id?: number | undefined;
  /** Bits 4 read, 2 write, 1 execute. */
  perm: number;
}

const MAX_ACL_ENTRIES = IO_SIZE / ACL_ENTRY_SIZE;

/** Options of {@link Vfs.setfacl} and {@link Vfs.getfacl}. */
export interface AclOptions {
  /** The default ACL of a directory, which what is created in it gets, instead of the access ACL. */
  default?: boolean | undefined;
}

const typeOf = (options: AclOptions | undefined): number =>
  flagOption(readOptions<AclOptions>(options, { default: true }).default, "options.default") ? 1 : 0;

/** @internal {@link Vfs.setfacl} */
export function setfacl(calls: SystemCalls, path: PathLike, entries: readonly AclEntry[], options?: AclOptions): void {
  const checked = toPath(path);
  if (!Array.isArray(entries)) throw invalidArgType("entries", "an instance of Array", entries);
  const type = typeOf(options);
  // Read once: an array's length may be a getter of the caller's.
  const count = toInteger(entries.length, "entries.length", 0, MAX_ACL_ENTRIES);
  const raw = new DataView(new ArrayBuffer(count * ACL_ENTRY_SIZE));
  for (let i = 0; i < count; i++) {
    const entry: unknown = entries[i];
    const { tag, id, perm } = readOptions<AclEntry>(entry, { tag: true, id: true, perm: true }, `entries[${i}]`);
    raw.setUint16(i * ACL_ENTRY_SIZE, toInteger(tag, "tag", 1, 32), true);
    raw.setUint16(i * ACL_ENTRY_SIZE + ACL_ENTRY_PERM, toInteger(perm, "perm", 0, 7), true);
    raw.setUint32(i * ACL_ENTRY_SIZE + ACL_ENTRY_ID, toUint32(id ?? 0xffffffff, "id"), true);
  }
  const length = calls.putPath(checked, "setfacl");
  calls.attachment.io.set(new Uint8Array(raw.buffer));
  calls.check(calls.core.sysSetacl(calls.ctx, AT_FDCWD, length, count, type), "setfacl", checked);
}

/** @internal {@link Vfs.getfacl} */
export function getfacl(calls: SystemCalls, path: PathLike, options?: AclOptions): AclEntry[] {
  const checked = toPath(path);
  const type = typeOf(options);
  const length = calls.putPath(checked, "getfacl");
  const count = calls.check(calls.core.sysGetacl(calls.ctx, AT_FDCWD, length, type), "getfacl", checked);
  const raw = new DataView(calls.attachment.io.slice(0, count * ACL_ENTRY_SIZE).buffer);
  return Array.from({ length: count }, (_, i) => ({
    tag: raw.getUint16(i * ACL_ENTRY_SIZE, true),
    id: raw.getUint32(i * ACL_ENTRY_SIZE + ACL_ENTRY_ID, true),
    perm: raw.getUint16(i * ACL_ENTRY_SIZE + ACL_ENTRY_PERM, true),
  }));
}
