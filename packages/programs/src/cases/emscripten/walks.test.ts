/**
 * FS.lookupPath() of a path in a tree is one lookup, and finds what FS's own finds, whatever other threads have changed since the last call. The build that the Closure compiler has been
 * through has FS's own function, so it is what the other one is compared with.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createVfs, type Vfs } from "threadfs";
import { threadfs } from "threadfs/emscripten";
import { randomBelow } from "../../../../cli/dist/support/random.js";
import { errnoOf } from "./one-thread.js";
import { mountTree, type Program, type ProgramFs, start } from "./program.js";

const ENOENT = 44;
/** Also of a file on the way, in this version of Emscripten. */
const EACCES = 2;

interface Node {
  parent: Node;
  mode: number;
  node_ops: { lookup(parent: Node, name: string): Node; getattr(node: Node): { size: number; mode: number } };
}

/** What this build has beside. */
interface OwnFs extends ProgramFs {
  lookupPath(path: string, options?: object): { path: string; node: Node };
  getPath(node: Node): string;
  chdir(path: string): void;
  filesystems: { MEMFS: object };
}

interface Side {
  FS: OwnFs;
  vfs: Vfs;
  /** How often the tree was asked for one name, since the last call of this. */
  lookups(): number;
}

async function started(t: TestContext): Promise<Side> {
  const program: Program = await start("sql-wasm-debug");
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  const FS = mountTree(program, vfs) as OwnFs;
  const { node_ops: ops } = FS.lookupPath("/mnt").node;
  const { lookup } = ops;
  let count = 0;
  ops.lookup = (parent, name) => {
    count++;
    return lookup(parent, name);
  };
  const lookups = (): number => {
    const before = count;
    count = 0;
    return before;
  };
  return { FS, vfs, lookups };
}

/** Size of a file, or the error. */
function sizeAt(FS: ProgramFs, path: string): number | string {
  let size = -1;
  const errno = errnoOf(FS, () => {
    size = FS.stat(path).size;
  });
  return errno === undefined ? size : `error ${errno}`;
}

test("a plain path is walked at once; links, dots and nested mounts are FS's", async (t) => {
  const { FS, vfs, lookups } = await started(t);
  vfs.fs.mkdirSync("/a/b/c", { recursive: true });
  vfs.fs.writeFileSync("/a/b/c/file", "text");
  vfs.fs.symlinkSync("b/c", "/a/relative");
  vfs.fs.symlinkSync("/mnt/a/b", "/a/absolute");
  vfs.fs.symlinkSync("/a/b", "/a/of-the-tree");
  FS.chdir("/mnt/a");
  lookups();
  // Without Walks each of them asks the tree name by name.
  assert.equal(FS.stat("/mnt/a/b/c/file").size, 4);
  assert.equal(FS.stat("b/c/file").size, 4);
  assert.equal(FS.readFile("/mnt/a/b/c/file", { encoding: "utf8" }), "text");
  assert.equal(sizeAt(FS, "/mnt/a/b/c/none"), `error ${ENOENT}`);
  assert.equal(sizeAt(FS, "/mnt/a/none/c/file"), `error ${ENOENT}`);
  assert.equal(FS.readlink("/mnt/a/relative"), "/mnt/a/b/c");
  // Newer versions ask so when they open a file that may be created.
  assert.deepEqual(FS.lookupPath("/mnt/a/b/none", { noent_okay: true }), { path: "/mnt/a/b/none" });
  assert.equal(lookups(), 0);
  const notFound = () => FS.lookupPath("/mnt/a/none/none", { noent_okay: true });
  assert.equal(errnoOf(FS, notFound), ENOENT);
  for (const path of ["/mnt/a/relative/file", "/mnt/a/absolute/c/file", "/mnt/a/./b/../b/c/file", "/mnt//a/b/c/file"]) {
    assert.equal(FS.stat(path).size, 4, path);
  }
  // An absolute link leads to the program's root, where the tree itself would find the file.
  assert.equal(sizeAt(FS, "/mnt/a/of-the-tree/c/file"), `error ${ENOENT}`);
  assert.ok(lookups() > 0);
  FS.mkdir("/mnt/a/b/other");
  FS.mount(FS.filesystems.MEMFS, {}, "/mnt/a/b/other");
  FS.writeFile("/mnt/a/b/other/file", "in MEMFS");
  assert.deepEqual([FS.stat("/mnt/a/b/other/file").size, FS.stat("/mnt/a/b/c/file").size], [8, 4]);
  assert.deepEqual(vfs.fs.readdirSync("/a/b/other"), []);
  FS.unmount("/mnt/a/b/other");
  assert.equal(sizeAt(FS, "/mnt/a/b/other/file"), `error ${ENOENT}`);
});

test("what another thread has changed since the last call is seen by the next", async (t) => {
  const { FS, vfs } = await started(t);
  const { fs } = vfs.context();
  fs.mkdirSync("/d/sub", { recursive: true });
  fs.writeFileSync("/d/sub/file", "one");
  const size = (): number | string => sizeAt(FS, "/mnt/d/sub/file");
  assert.equal(size(), 3);
  fs.unlinkSync("/d/sub/file");
  assert.equal(size(), `error ${ENOENT}`);
  fs.writeFileSync("/d/sub/new", "longer");
  fs.renameSync("/d/sub/new", "/d/sub/file");
  assert.equal(size(), 6);
  fs.chmodSync("/d/sub/file", 0o600);
  assert.equal(FS.stat("/mnt/d/sub/file").mode & 0o777, 0o600);
  assert.equal(FS.lookupPath("/mnt/d/sub/file").node.mode & 0o777, 0o600);
  fs.chmodSync("/d/sub", 0o500);
  assert.equal(FS.lookupPath("/mnt/d/sub").node.mode & 0o777, 0o500);
  // A directory of which FS has nodes becomes a link, whose body means another place in the program than in the tree.
  fs.renameSync("/d/sub", "/d/was");
  fs.symlinkSync("/d/was", "/d/sub");
  assert.equal(size(), `error ${ENOENT}`);
  fs.unlinkSync("/d/sub");
  fs.symlinkSync("/mnt/d/was", "/d/sub");
  assert.equal(size(), 6);
  fs.unlinkSync("/d/sub");
  fs.writeFileSync("/d/sub", "");
  assert.equal(size(), `error ${EACCES}`);
  fs.unlinkSync("/d/sub");
  fs.mkdirSync("/d/sub");
  vfs.mount("tmpfs", "/d/sub", "tmpfs");
  fs.writeFileSync("/d/sub/file", "mounted over");
  assert.equal(size(), 12);
  vfs.umount("/d/sub");
  assert.equal(size(), `error ${ENOENT}`);
});

test("the tree decides who may search the directories on the way", async (t) => {
  const { FS, vfs } = await started(t);
  vfs.fs.mkdirSync("/closed/d", { recursive: true });
  vfs.fs.writeFileSync("/closed/d/file", "text");
  vfs.fs.chmodSync("/closed", 0o600);
  const user = vfs.context({ uid: 1000 });
  FS.mkdir("/user");
  FS.mount(threadfs, { context: user, FS }, "/user");
  assert.deepEqual([sizeAt(FS, "/mnt/closed/d/file"), sizeAt(FS, "/user/closed/d/file")], [4, `error ${EACCES}`]);
  vfs.fs.chmodSync("/closed", 0o711);
  assert.deepEqual([sizeAt(FS, "/mnt/closed/d/file"), sizeAt(FS, "/user/closed/d/file")], [4, 4]);
});

test("attributes are read once in a call of FS.stat(), and anew for a node that was found before", async (t) => {
  const { FS, vfs } = await started(t);
  vfs.fs.writeFileSync("/file", "text");
  const { node } = FS.lookupPath("/mnt/file");
  vfs.fs.truncateSync("/file", 1);
  vfs.fs.chmodSync("/file", 0o600);
  // Without isInStat these would be the attributes of the lookup.
  assert.deepEqual([node.node_ops.getattr(node).size, node.node_ops.getattr(node).mode], [1, 0o100600]);
  const other = FS.lookupPath("/mnt/file").node;
  assert.equal(sizeAt(FS, "/mnt/none"), `error ${ENOENT}`);
  vfs.fs.truncateSync("/file", 3);
  assert.equal(other.node_ops.getattr(other).size, 3);
  assert.equal(FS.lstat("/mnt/file").size, 3);
});

test("a mount is found where it is: after a rename above it, after another mount there, below another tree's", async (t) => {
  const { FS, vfs } = await started(t);
  const other = await createVfs({ maxBytes: 1 << 24 });
  t.after(() => other.close());
  vfs.fs.writeFileSync("/file", "text");
  other.fs.writeFileSync("/file", "of the other");
  FS.mkdir("/up");
  FS.mkdir("/up/here");
  FS.mount(threadfs, { vfs: other, FS }, "/up/here");
  assert.deepEqual([sizeAt(FS, "/up/here/file"), sizeAt(FS, "/mnt/file")], [12, 4]);
  FS.rename("/up", "/moved");
  // Without isReached() the old path would lead to the tree still.
  assert.deepEqual([sizeAt(FS, "/up/here/file"), sizeAt(FS, "/moved/here/file")], [`error ${ENOENT}`, 12]);
  FS.mkdir("/up");
  FS.mkdir("/up/here");
  FS.writeFile("/up/here/file", "x");
  assert.equal(sizeAt(FS, "/up/here/file"), 1);
  FS.unmount("/mnt");
  FS.mount(threadfs, { vfs: other, FS }, "/mnt");
  assert.equal(sizeAt(FS, "/mnt/file"), 12);
  FS.mkdir("/mnt/below");
  FS.mount(threadfs, { vfs, FS }, "/mnt/below");
  assert.deepEqual([sizeAt(FS, "/mnt/below/file"), sizeAt(FS, "/mnt/file")], [4, 12]);
  FS.unmount("/mnt");
  assert.equal(sizeAt(FS, "/mnt/file"), `error ${ENOENT}`);
});

test("nodes have their paths, and those of directories that are kept for that are bounded", async (t) => {
  const { FS, vfs } = await started(t);
  vfs.fs.mkdirSync("/first/below", { recursive: true });
  const parentOf = (path: string): Node => FS.lookupPath(path).node.parent;
  const first = parentOf("/mnt/first/below");
  assert.equal(parentOf("/mnt/first/below"), first);
  assert.equal(FS.getPath(FS.lookupPath("/mnt/first/below").node), "/mnt/first/below");
  for (let n = 0; n < 1100; n++) {
    vfs.fs.mkdirSync(`/${n}/x`, { recursive: true });
    assert.equal(FS.getPath(FS.lookupPath(`/mnt/${n}/x`).node), `/mnt/${n}/x`);
  }
  // Without DIRECTORIES_MAX it would be the same for good.
  assert.notEqual(parentOf("/mnt/first/below"), first);
});

const NAMES = ["a", "b", "c"];
/** None leads through the link itself: this version of Emscripten would follow that one without an end. */
const BODIES = ["a", "b", "../a", "../../b", "/mnt/a", "/mnt/c", "/a", "."];
const MODES = [0o755, 0o555, 0o111, 0o777, 0o644];

/** A path of up to four names, now and then one that is not plain. */
function randomPath(below: (n: number) => number): string {
  const names = Array.from({ length: 1 + below(4) }, () => NAMES[below(NAMES.length)] as string);
  if (below(12) === 0) names.splice(below(names.length), 0, [".", "..", ""][below(3)] as string);
  return `/${names.join("/")}${below(20) === 0 ? "/" : ""}`;
}

/** One change, whose errors do not matter. */
function change(vfs: Vfs, below: (n: number) => number): void {
  const { fs } = vfs;
  const [path, other] = [randomPath(below), randomPath(below)];
  const mode = MODES[below(MODES.length)] as number;
  const calls = [
    () => fs.mkdirSync(path),
    () => fs.mkdirSync(path),
    () => fs.writeFileSync(path, "x".repeat(below(50))),
    () => fs.symlinkSync(BODIES[below(BODIES.length)] as string, path),
    () => fs.renameSync(path, other),
    () => fs.renameSync(path, other),
    () => fs.unlinkSync(path),
    () => fs.rmdirSync(path),
    // A directory that nobody may search is one that FS refuses to everybody, the tree not to uid 0.
    () => fs.lstatSync(path).isDirectory() && fs.chmodSync(path, mode | 0o111),
    () => fs.lstatSync(path).isFile() && fs.chmodSync(path, mode),
  ];
  try {
    calls[below(calls.length)]?.();
  } catch (error) {
    assert.ok((error as { errno?: number }).errno, String(error));
  }
}

/** What a program finds at a path: results, or errors. */
function found(FS: ProgramFs, path: string): unknown[] {
  const results: unknown[] = [];
  const step = (call: () => unknown): void => {
    let value: unknown;
    const errno = errnoOf(FS, () => {
      value = call();
    });
    results.push(errno === undefined ? value : `error ${errno}`);
  };
  const kept = ({ mode, size, ino }: { mode: number; size: number; ino?: number }) => [mode, size, ino];
  step(() => kept(FS.stat(path)));
  step(() => kept(FS.lstat(path)));
  step(() => FS.readlink(path));
  step(() => FS.readdir(path).sort());
  step(() => {
    const stream = FS.open(path, "r");
    const into = new Uint8Array(64);
    const got = FS.read(stream, into, 0, 64);
    FS.close(stream);
    return got;
  });
  return results;
}

describe("random changes by another context", () => {
  for (const seed of [1, 2]) {
    test(`both builds find the same (seed ${seed})`, async (t) => {
      const vfs = await createVfs({ maxBytes: 1 << 26 });
      t.after(() => vfs.close());
      const own = mountTree(await start("sql-wasm-debug"), vfs);
      const plain = mountTree(await start("sql-wasm"), vfs);
      const random = randomBelow(seed);
      const below = (n: number): number => random(n);
      for (let n = 0; n < 600; n++) {
        change(vfs, below);
        const path = `/mnt${randomPath(below)}`;
        assert.deepEqual(found(own, path), found(plain, path), `${path} after ${n} changes`);
      }
    });
  }
});
