/** What the tests of bad input share: trees that are closed in the end, and every call that takes a path. */
import assert from "node:assert/strict";
import { after } from "node:test";
import { createVfs } from "../../dist/src/index.js";
import { codeOf } from "./tree.js";

/** Attachments to close when the file's tests are done. */
export const open = [];
after(() => {
  for (const vfs of open) vfs.close();
});
export async function tree(options = {}) {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  open.push(vfs);
  return vfs;
}

/** The run fails, with this code. */
export function refused(code, run, message) {
  assert.equal(codeOf(run), code, message);
}

/** Every call that takes a path, with the path (and another, good one) as its argument. */
export const PATH_CALLS = {
  accessSync: (fs, path) => fs.accessSync(path),
  statSync: (fs, path) => fs.statSync(path),
  lstatSync: (fs, path) => fs.lstatSync(path),
  realpathSync: (fs, path) => fs.realpathSync(path),
  "realpathSync.native": (fs, path) => fs.realpathSync.native(path),
  readdirSync: (fs, path) => fs.readdirSync(path),
  opendirSync: (fs, path) => fs.opendirSync(path),
  mkdirSync: (fs, path) => fs.mkdirSync(path),
  rmdirSync: (fs, path) => fs.rmdirSync(path),
  rmSync: (fs, path) => fs.rmSync(path),
  openSync: (fs, path) => fs.openSync(path),
  "openSync w": (fs, path) => fs.openSync(path, "w"),
  readFileSync: (fs, path) => fs.readFileSync(path),
  writeFileSync: (fs, path) => fs.writeFileSync(path, "x"),
  appendFileSync: (fs, path) => fs.appendFileSync(path, "x"),
  truncateSync: (fs, path) => fs.truncateSync(path),
  "renameSync from": (fs, path) => fs.renameSync(path, "/to"),
  "renameSync to": (fs, path) => fs.renameSync("/f", path),
  "linkSync from": (fs, path) => fs.linkSync(path, "/to"),
  "linkSync to": (fs, path) => fs.linkSync("/f", path),
  "symlinkSync body": (fs, path) => fs.symlinkSync(path, "/to"),
  "symlinkSync place": (fs, path) => fs.symlinkSync("body", path),
  readlinkSync: (fs, path) => fs.readlinkSync(path),
  unlinkSync: (fs, path) => fs.unlinkSync(path),
  chmodSync: (fs, path) => fs.chmodSync(path, 0o600),
  chownSync: (fs, path) => fs.chownSync(path, 0, 0),
  lchownSync: (fs, path) => fs.lchownSync(path, 0, 0),
  utimesSync: (fs, path) => fs.utimesSync(path, 1, 1),
  lutimesSync: (fs, path) => fs.lutimesSync(path, 1, 1),
  "copyFileSync from": (fs, path) => fs.copyFileSync(path, "/to"),
  "copyFileSync to": (fs, path) => fs.copyFileSync("/f", path),
};

/** Calls of the tree itself that take a path. */
export const TREE_CALLS = {
  "mount at": (vfs, path) => vfs.mount("none", path, "tmpfs"),
  "bind from": (vfs, path) => vfs.mount(path, "/d", "bind"),
  umount: (vfs, path) => vfs.umount(path),
  "context root": (vfs, path) => vfs.context({ root: path }),
  "context cwd": (vfs, path) => vfs.context({ cwd: path }),
  setfacl: (vfs, path) => vfs.setfacl(path, []),
  getfacl: (vfs, path) => vfs.getfacl(path),
};

export async function withFile() {
  const vfs = await tree();
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.mkdirSync("/d");
  return vfs;
}

export function untouched({ fs }) {
  assert.deepEqual(fs.readdirSync("/"), ["d", "f"]);
  assert.deepEqual(fs.readdirSync("/d"), []);
  assert.equal(fs.readFileSync("/f", "utf8"), "x");
}
