/** What the tests of bad input share: trees that are closed in the end, and every call that takes a path. */
import assert from "node:assert/strict";
import { after } from "node:test";
import { type CreateOptions, createVfs, type FsSync, type Vfs } from "../../dist/src/index.js";

/** Attachments to close when the file's tests are done. */
export const open: Vfs[] = [];
after(() => {
  for (const vfs of open) vfs.close();
});

export async function tree(options: Partial<CreateOptions> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  open.push(vfs);
  return vfs;
}

/** Every call that takes a path, with the path (and another, good one) as its argument. */
export const PATH_CALLS = {
  accessSync: (fs: FsSync, path: string) => fs.accessSync(path),
  statSync: (fs: FsSync, path: string) => fs.statSync(path),
  lstatSync: (fs: FsSync, path: string) => fs.lstatSync(path),
  realpathSync: (fs: FsSync, path: string) => fs.realpathSync(path),
  "realpathSync.native": (fs: FsSync, path: string) => fs.realpathSync.native(path),
  readdirSync: (fs: FsSync, path: string) => fs.readdirSync(path),
  opendirSync: (fs: FsSync, path: string) => fs.opendirSync(path),
  mkdirSync: (fs: FsSync, path: string) => fs.mkdirSync(path),
  rmdirSync: (fs: FsSync, path: string) => fs.rmdirSync(path),
  rmSync: (fs: FsSync, path: string) => fs.rmSync(path),
  // Node's types ask for flags, its call does not.
  openSync: (fs: FsSync, path: string) => (fs.openSync as (path: string) => number)(path),
  "openSync w": (fs: FsSync, path: string) => fs.openSync(path, "w"),
  readFileSync: (fs: FsSync, path: string) => fs.readFileSync(path),
  writeFileSync: (fs: FsSync, path: string) => fs.writeFileSync(path, "x"),
  appendFileSync: (fs: FsSync, path: string) => fs.appendFileSync(path, "x"),
  truncateSync: (fs: FsSync, path: string) => fs.truncateSync(path),
  "renameSync from": (fs: FsSync, path: string) => fs.renameSync(path, "/to"),
  "renameSync to": (fs: FsSync, path: string) => fs.renameSync("/f", path),
  "linkSync from": (fs: FsSync, path: string) => fs.linkSync(path, "/to"),
  "linkSync to": (fs: FsSync, path: string) => fs.linkSync("/f", path),
  "symlinkSync body": (fs: FsSync, path: string) => fs.symlinkSync(path, "/to"),
  "symlinkSync place": (fs: FsSync, path: string) => fs.symlinkSync("body", path),
  readlinkSync: (fs: FsSync, path: string) => fs.readlinkSync(path),
  unlinkSync: (fs: FsSync, path: string) => fs.unlinkSync(path),
  chmodSync: (fs: FsSync, path: string) => fs.chmodSync(path, 0o600),
  chownSync: (fs: FsSync, path: string) => fs.chownSync(path, 0, 0),
  lchownSync: (fs: FsSync, path: string) => fs.lchownSync(path, 0, 0),
  utimesSync: (fs: FsSync, path: string) => fs.utimesSync(path, 1, 1),
  lutimesSync: (fs: FsSync, path: string) => fs.lutimesSync(path, 1, 1),
  "copyFileSync from": (fs: FsSync, path: string) => fs.copyFileSync(path, "/to"),
  "copyFileSync to": (fs: FsSync, path: string) => fs.copyFileSync("/f", path),
} as const satisfies Record<string, (fs: FsSync, path: string) => unknown>;

/** Calls of the tree itself that take a path. */
export const TREE_CALLS = {
  "mount at": (vfs: Vfs, path: string) => vfs.mount("none", path, "tmpfs"),
  "bind from": (vfs: Vfs, path: string) => vfs.mount(path, "/d", "bind"),
  umount: (vfs: Vfs, path: string) => vfs.umount(path),
  "context root": (vfs: Vfs, path: string) => vfs.context({ root: path }),
  "context cwd": (vfs: Vfs, path: string) => vfs.context({ cwd: path }),
  setfacl: (vfs: Vfs, path: string) => vfs.setfacl(path, []),
  getfacl: (vfs: Vfs, path: string) => vfs.getfacl(path),
} as const satisfies Record<string, (vfs: Vfs, path: string) => unknown>;

/** A tree with a file /f, which holds "x", and an empty directory /d. */
export async function treeWithFile(): Promise<Vfs> {
  const vfs = await tree();
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.mkdirSync("/d");
  return vfs;
}

/** The tree is as treeWithFile() made it. */
export function untouched({ fs }: Vfs): void {
  assert.deepEqual(fs.readdirSync("/"), ["d", "f"]);
  assert.deepEqual(fs.readdirSync("/d"), []);
  assert.equal(fs.readFileSync("/f", "utf8"), "x");
}
