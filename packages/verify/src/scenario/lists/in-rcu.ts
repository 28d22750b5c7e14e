/**
 * Operations on trees of what is decided in rcu mode: ACLs and directories of a group, a driver's file system with a generation number, and what is
 * in the prefix cache.
 */
import { MNT_DETACH, O_CREAT, O_DIRECTORY, O_RDWR, O_WRONLY } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import { access, chroot, exchange, getdents, rename, rmdir, shrink, stat, umount, unlink } from "../calls.js";
import { NUMBERED_PATH } from "../driver.js";
import {
  bind,
  chmod,
  chown,
  FIRST,
  JUMP,
  mkdir,
  mount,
  ONLY_OTHER,
  open,
  SECOND,
  setacl,
  symlink,
  THIRD,
  WITHOUT_OTHER,
} from "../setup-calls.js";

type Operations = Record<string, (ProgramCall | ProgramCall[])[]>;

/** Walks of user 2000, and the changes of who may search what. */
const ACLS: Operations = {
  stat: [stat("/d/e/f", { ctx: 1 }), stat("/o/f", { ctx: 1 }), stat("/d/e", { ctx: 1 })],
  access: [access("/d", 1, 1), access("/d/e", 3, 1), access("/d/e/f", 1, 1)],
  /** In every state of these two user 2000 may search, or execute: by the ACL, and then as the owner. */
  given: [
    [chown("/d", 2000), setacl("/d", WITHOUT_OTHER)],
    [chown("/d/e/f", 2000), setacl("/d/e/f", WITHOUT_OTHER)],
  ],
  /** The second list takes the memory of the first. */
  acl: [
    [setacl("/d", WITHOUT_OTHER), setacl("/d", ONLY_OTHER)],
    [setacl("/d/e", []), setacl("/d/e", ONLY_OTHER)],
    setacl("/d", []),
    setacl("/d/e/f", [], 1),
  ],
  chmod: [chmod("/d", 0o701), chmod("/d/e", 0o700), chmod("/o", 0o700)],
  chown: [chown("/o", 2000, 2000), chown("/o", 1000, 3000), chown("/d/e/f", 2000)],
  rename: [[rename("/d/e", "/o/e"), setacl("/o/e", WITHOUT_OTHER)]],
  /** A thread that has seen the new mode is bound by it. */
  looks: [
    [stat("/d", { ctx: 1 }), stat("/d/e/f", { ctx: 1 })],
    [stat("/o", { ctx: 1 }), stat("/o/f", { ctx: 1 })],
  ],
};

const invalidate = (path: string, ctx = 0): ProgramCall => ({ call: "sysInvalidate", path, ctx });

const GENERATION: Operations = {
  stat: [stat("/m/f"), stat("/m/s/g"), stat("/m/x"), stat("/m/s/../f")],
  invalidate: [invalidate("/m"), invalidate("/m/s"), invalidate("/m", 1), [invalidate("/m"), stat("/m/s/g")]],
  create: [open("/m/x", O_CREAT | O_WRONLY), mkdir("/m/s/x")],
  unlink: [unlink("/m/f"), rmdir("/m/s"), unlink("/m/s/g")],
  readdir: [[open("/m", O_DIRECTORY), getdents({ of: 0 })]],
  umount: [umount("/m", MNT_DETACH)],
  shrink: [shrink],
  looks: [[stat("/m/s/g"), stat("/m/f")]],
};

const again = open("/m/again", O_CREAT | O_WRONLY);
const FILE = `/m${NUMBERED_PATH}/g`;

/** What is in the prefix cache, and what the driver takes back. */
const NUMBERED: Operations = {
  stat: [stat(FILE), stat(`/m${NUMBERED_PATH}/none`), stat(`/m${NUMBERED_PATH}/../directory-two/g`)],
  invalidate: [invalidate("/m"), [again, invalidate("/m")], [again, invalidate("/m"), stat(FILE)]],
  mount: [[mount(`/m${NUMBERED_PATH}`), umount(`/m${NUMBERED_PATH}`)], umount("/m", MNT_DETACH)],
  looks: [[stat(FILE), stat("/m/again"), stat(FILE)]],
};

/** What is in the prefix cache for every user. */
const PREFIXES: Operations = {
  stat: [
    stat(`${THIRD}/file-one`),
    stat(`${THIRD}/none`),
    stat(`${THIRD}/file-one`, { ctx: 1 }),
    stat(`/m${THIRD}/file-one`),
  ],
  open: [open(`${THIRD}/file-one`, O_RDWR)],
  create: [open(`${THIRD}/made-by-them`, O_CREAT | O_WRONLY), mkdir(`/m${THIRD}/none`)],
  unlink: [unlink(`${THIRD}/file-one`), [unlink(`/m${THIRD}/file-one`), rmdir(`/m${THIRD}`)]],
  rename: [
    rename(FIRST, "/moved"),
    rename(SECOND, "/o/moved"),
    rename(THIRD, `${FIRST}/cccccccc`),
    rename(`${THIRD}/file-one`, "/f"),
    rename(`/m${SECOND}`, "/m/moved"),
  ],
  exchange: [exchange(FIRST, "/o"), exchange(SECOND, "/o/bbbbbbbb"), exchange(`/m${FIRST}`, `/m${THIRD}/file-one`)],
  /** Away and back, and another in its place. */
  again: [
    [rename(FIRST, "/moved"), rename("/moved", FIRST)],
    [rename(SECOND, "/moved"), rename("/o/bbbbbbbb", SECOND)],
    [rename(THIRD, "/moved"), symlink("/moved", THIRD)],
  ],
  chmod: [chmod(SECOND, 0o700)],
  /** After the first one an entry's directories are looked at again, and the second one changes them. */
  counted: [[chmod("/o", 0o711), rename(FIRST, "/moved")]],
  mount: [mount(THIRD), bind("/o", FIRST)],
  umount: [umount("/m"), umount("/m", MNT_DETACH)],
  shrink: [shrink],
  looks: [
    [stat(`${THIRD}/file-one`), stat("/o/bbbbbbbb/cccccccc/file-one")],
    [stat(SECOND, { ctx: 1 }), stat(`${THIRD}/file-one`, { ctx: 1 })],
    [stat(`${THIRD}/none`), stat(`${THIRD}/file-one`)],
    /** After the second lookup the directory is in the prefix cache of every thread. */
    [stat(`${THIRD}/file-one`), stat(`${THIRD}/file-one`), stat(`${THIRD}/file-one`)],
    /** Once the directory is at its new place, it is not at the old one. */
    [stat(`${THIRD}/file-one`), stat("/moved"), stat(`${THIRD}/file-one`)],
    /** The same by a path that no thread has looked up before. */
    [stat(`/${THIRD}/file-one`), stat(`/${THIRD}/file-one`), stat("/moved"), stat(`/${THIRD}/file-one`)],
  ],
};

const DEEP = `${THIRD}/file-one`;
const JUMPED = `${JUMP}/file-of-the-target`;

/** What is in the prefix cache for user 2000, and the changes of who may search it. */
const PRIVATE: Operations = {
  stat: [
    stat(DEEP, { ctx: 1 }),
    stat(`${THIRD}/none`, { ctx: 1 }),
    stat(DEEP, { ctx: 2 }),
    stat(DEEP),
    stat(`${SECOND}/../bbbbbbbb/cccccccc/file-one`, { ctx: 1 }),
  ],
  chmod: [chmod(THIRD, 0o700), chmod(SECOND, 0o755), chmod(FIRST, 0o700), chmod(THIRD, 0o755)],
  chown: [chown(THIRD, 2000), chown(THIRD, 1000, 3000)],
  acl: [setacl(SECOND, WITHOUT_OTHER), setacl(SECOND, []), [setacl(SECOND, WITHOUT_OTHER), setacl(SECOND, ONLY_OTHER)]],
  rename: [rename(THIRD, "/o/moved"), [rename(SECOND, "/moved"), rename("/o", SECOND)]],
  unlink: [[unlink(DEEP), rmdir(THIRD)]],
  /** A thread that has seen the new mode is bound by it; and contexts in turn. */
  looks: [
    [stat(SECOND, { ctx: 1 }), stat(DEEP, { ctx: 1 })],
    [stat(DEEP, { ctx: 2 }), stat(DEEP, { ctx: 1 })],
    [stat(THIRD), stat(DEEP, { ctx: 1 })],
  ],
};

/** Through a link to the root, which changes while the directory behind the link has another name. */
const ROOTS: Operations = {
  stat: [stat(JUMPED, { ctx: 1 }), stat(JUMPED, { ctx: 2 })],
  chroot: [chroot("/j", 2), [rename("/j/t", "/j/u"), chroot("/j", 2)], [chroot("/j", 2), rename("/t", "/u", 0, 2)]],
  again: [[rename("/j/t", "/j/u"), chroot("/j", 2), rename("/j/u", "/j/t")]],
  looks: [[stat(JUMPED, { ctx: 2 }), stat("/j/t")]],
};

/** By tree. */
export const IN_RCU: Record<string, Operations> = {
  acls: ACLS,
  prefixes: PREFIXES,
  private: PRIVATE,
  roots: ROOTS,
  generation: GENERATION,
  numbered: NUMBERED,
};
