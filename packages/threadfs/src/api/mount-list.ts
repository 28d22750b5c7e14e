/** The list of mounts (proc(5), /proc/self/mountinfo). */
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_STRICTATIME,
  MS_UNBINDABLE,
} from "../../abi/flags.js";
import {
  MOUNTINFO_ALIGN,
  MOUNTINFO_BLOCKS,
  MOUNTINFO_DEV,
  MOUNTINFO_FIRST,
  MOUNTINFO_FLAGS,
  MOUNTINFO_FROM,
  MOUNTINFO_INODES,
  MOUNTINFO_LENGTHS,
  MOUNTINFO_MASTER,
  MOUNTINFO_PARENT,
  MOUNTINFO_READONLY,
  MOUNTINFO_SEQ,
  MOUNTINFO_SHARED,
  MOUNTINFO_TEXT,
} from "../../abi/memory.js";
import { codedError } from "../errors/errors.js";
import { decodeText } from "../node-fs/bytes.js";
import type { SystemCalls } from "../node-fs/system-calls.js";

/** A mount as {@link Vfs.mounts} lists it: the fields of a line of /proc/self/mountinfo. */
export interface MountInfo {
  /** Its number, which no other mount of the tree ever has. */
  id: number;
  /** The number of the mount that it stands on; its own for the mount of the tree's root. */
  parentId: number;
  /** The number of its file system: `dev` of `stat`. */
  dev: number;
  /** The directory or file of its file system that is its root; with "//deleted" behind it if that has been removed. */
  root: string;
  /** Where it is, as seen from the context's root. */
  mountPoint: string;
  /** "rw" or "ro", and those of "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow" that it has. */
  options: string[];
  /**
   * How it shares what is mounted in it, as the optional fields of proc(5): "shared:N", its peer group; "master:N", the group that it receives from;
   * "propagate_from:N", the nearest group above whose mounts the context can reach; "unbindable". Empty: private. No group has the number of another one, or of a mount.
   */
  propagation: string[];
  /** "tmpfs" or the name of a driver. */
  type: string;
  /** The source that `mount` was given, its first 255 bytes; "none": there was none. */
  source: string;
  /** Of its file system: "rw" or "ro", and where it has limits "size=16k", "nr_inodes=10". */
  superOptions: string[];
}

/** The flags by the names that Linux shows, in its order. */
const NAMES: readonly (readonly [bit: number, name: string])[] = [
  [MS_NOSUID, "nosuid"],
  [MS_NODEV, "nodev"],
  [MS_NOEXEC, "noexec"],
  [MS_NOATIME, "noatime"],
  [MS_NODIRATIME, "nodiratime"],
];

function optionsOf(flags: number): string[] {
  return [
    flags & MS_RDONLY ? "ro" : "rw",
    ...NAMES.filter(([bit]) => flags & bit).map(([, name]) => name),
    ...(flags & (MS_NOATIME | MS_STRICTATIME) ? [] : ["relatime"]),
    ...(flags & MS_NOSYMFOLLOW ? ["nosymfollow"] : []),
  ];
}

/** The optional fields, in Linux's order. */
function propagationOf(view: DataView, at: number, flags: number): string[] {
  const [group, master, from] = [MOUNTINFO_SHARED, MOUNTINFO_MASTER, MOUNTINFO_FROM].map((offset) =>
    view.getFloat64(at + offset, true),
  );
  return [
    ...(group ? [`shared:${group}`] : []),
    ...(master ? [`master:${master}`] : []),
    ...(from && from !== master ? [`propagate_from:${from}`] : []),
    ...(flags & MS_UNBINDABLE ? ["unbindable"] : []),
  ];
}

/** How often a list of several pages is begun again because mounts have changed in between. */
const TRIES = 100;

/** The record at `at`, and where the next one begins. */
function readRecord(io: Uint8Array, view: DataView, at: number): { mount: MountInfo; next: number } {
  let text = at + MOUNTINFO_TEXT;
  const texts = [0, 1, 2, 3].map((n) => {
    const from = text;
    text += view.getUint32(at + MOUNTINFO_LENGTHS + 4 * n, true);
    return decodeText(io.slice(from, text), "utf8");
  });
  const [root = "", mountPoint = "", type = "", source = ""] = texts;
  const [blocks, inodes] = [view.getFloat64(at + MOUNTINFO_BLOCKS, true), view.getFloat64(at + MOUNTINFO_INODES, true)];
  const flags = view.getUint32(at + MOUNTINFO_FLAGS, true);
  const mount = {
    id: view.getFloat64(at, true),
    parentId: view.getFloat64(at + MOUNTINFO_PARENT, true),
    dev: view.getFloat64(at + MOUNTINFO_DEV, true),
    ...{ root, mountPoint, options: optionsOf(flags) },
    propagation: propagationOf(view, at, flags),
    ...{ type, source: source || "none" },
    superOptions: [
      view.getUint32(at + MOUNTINFO_READONLY, true) === 0 ? "rw" : "ro",
      ...(blocks > 0 ? [`size=${blocks * 4}k`] : []),
      ...(inodes > 0 ? [`nr_inodes=${inodes}`] : []),
    ],
  };
  return { mount, next: Math.ceil(text / MOUNTINFO_ALIGN) * MOUNTINFO_ALIGN };
}

/** All pages; undefined: mounts have changed in between. */
function readPages(calls: SystemCalls): MountInfo[] | undefined {
  const { io } = calls.attachment;
  const view = new DataView(io.buffer, io.byteOffset, io.byteLength);
  const list: MountInfo[] = [];
  let seq: number | undefined;
  for (let skip = 0; skip >= 0; ) {
    const bytes = calls.check(calls.core.sysMounts(calls.ctx, skip), "mounts");
    seq ??= view.getFloat64(MOUNTINFO_SEQ, true);
    if (view.getFloat64(MOUNTINFO_SEQ, true) !== seq) return undefined;
    for (let at = MOUNTINFO_FIRST; at < bytes; ) {
      const { mount, next } = readRecord(io, view, at);
      list.push(mount);
      at = next;
    }
    skip = view.getFloat64(0, true);
  }
  return list.sort((a, b) => a.id - b.id);
}

/** @internal {@link Vfs.mounts} */
export function listMounts(calls: SystemCalls): MountInfo[] {
  calls.checkOpen();
  for (let n = 0; n < TRIES; n++) {
    const list = readPages(calls);
    if (list !== undefined) return list;
  }
  throw codedError(Error, "ERR_THREADFS_TIMEOUT", `The mounts have changed ${TRIES} times while they were listed`);
}

/** A field as the file has it: what would end it or its line is three octal digits. */
const field = (text: string, special: RegExp): string =>
  text.replace(special, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);

/** @internal {@link Vfs.mountinfo} */
export function mountinfo(calls: SystemCalls): string {
  return listMounts(calls)
    .map(({ id, parentId, dev, root, mountPoint, options, propagation, type, source, superOptions }) => {
      const paths = [root, mountPoint].map((path) => field(path, /[ \t\n\\]/g));
      const from = [type, source].map((text) => field(text, /[ \t\n\\#]/g));
      return `${[id, parentId, `0:${dev}`, ...paths, options, ...propagation, "-", ...from, superOptions].join(" ")}\n`;
    })
    .join("");
}
