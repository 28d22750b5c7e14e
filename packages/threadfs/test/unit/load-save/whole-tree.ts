/** Everything that can be seen of a tree, for comparing two trees. */
import { createHash } from "node:crypto";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import type { AclEntry, Vfs } from "../../../dist/src/index.js";

/** What a walk sees of a file. Files with several names share `names`, where others have their own path alone. */
export interface Seen {
  type: number;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  size: bigint;
  blocks: bigint;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
  birthtime: bigint;
  names: string;
  acl?: AclEntry[];
  xattrs: string[];
  target?: string;
  contents?: string;
}

/** A path as it stands here: a character a byte. */
const bytesOf = (path: string): Buffer => Buffer.from(path, "latin1");

/** All files by their paths. Attributes are looked at first: reading changes times of access. */
export function wholeTree(vfs: Vfs): Map<string, Seen> {
  const { fs } = vfs;
  const seen = new Map<string, Seen>();
  const names = new Map<bigint, string[]>();
  const inos = new Map<string, bigint>();
  const pending = ["/"];
  // A listing changes a directory's time of access, so attributes of all are taken in front of its listing.
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const s = fs.lstatSync(bytesOf(path), { bigint: true });
    const mode = Number(s.mode);
    seen.set(path, {
      type: mode >> 12,
      mode: mode & 0o7777,
      uid: Number(s.uid),
      gid: Number(s.gid),
      nlink: Number(s.nlink),
      size: s.size,
      blocks: s.blocks,
      atime: s.atimeNs,
      mtime: s.mtimeNs,
      ctime: s.ctimeNs,
      birthtime: s.birthtimeNs,
      names: "",
      xattrs: [],
    });
    inos.set(path, s.ino);
    if (!s.isDirectory()) names.set(s.ino, [...(names.get(s.ino) ?? []), path]);
    else
      for (const name of fs.readdirSync(bytesOf(path), "latin1")) pending.push(`${path === "/" ? "" : path}/${name}`);
  }
  for (const [path, file] of seen) {
    file.names = (names.get(inos.get(path) ?? 0n) ?? [path]).sort().join();
    const { linux } = vfs;
    const values = linux.listxattrSync(bytesOf(path), { nofollow: true }).map((name) => {
      return `${name}=${linux.getxattrSync(bytesOf(path), name, { nofollow: true }).toString("latin1")}`;
    });
    file.xattrs = values.sort();
    if (file.type === 0o12) file.target = fs.readlinkSync(bytesOf(path));
    else file.acl = vfs.getfacl(bytesOf(path));
    if (file.type === 0o10)
      file.contents = createHash("sha256")
        .update(fs.readFileSync(bytesOf(path)))
        .digest("hex");
  }
  return seen;
}

/** What the arena's checker has to say. */
export function problemsOf(vfs: Vfs): unknown[] {
  return check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems;
}
