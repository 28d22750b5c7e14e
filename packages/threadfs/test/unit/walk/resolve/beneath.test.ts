/** The option `resolve: "beneath"` of a context: whatever leads out of the context's root is EXDEV, in every call. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  AT_FDCWD,
  type CoreExports,
  ERRNO,
  MODE_BENEATH,
  MS_BIND,
  MS_MOVE,
  O_CREAT,
  O_RDWR,
  POINT,
} from "../../../../dist/abi/abi.js";
import { attachVfs, type Context, createVfs, OPEN_FLAGS, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { codeOf, refused } from "../../../support/errors.js";
import { type HookedVfs, of, type TestScope, walkerOf } from "../../../support/hooked-vfs.js";
import { rawCore } from "../../../support/raw-core.js";

/** /box is the root of contexts; each directory has a file "here" with its name. */
function fill({ fs }: Vfs): void {
  for (const dir of ["/box", "/box/a", "/box/a/b", "/box/a/in", "/box/e", "/out", "/out/a"]) {
    fs.mkdirSync(dir);
    fs.writeFileSync(`${dir}/here`, dir);
  }
  fs.writeFileSync("/here", "/");
  fs.symlinkSync("../here", "/box/a/up");
  fs.symlinkSync("../../here", "/box/a/out");
  fs.symlinkSync("/a", "/box/a/absolute");
  fs.symlinkSync("b", "/box/a/link");
}

const read = ({ fs }: Pick<Context, "fs">, path: string) => fs.readFileSync(path, "utf8");

/** All paths with modes, links and contents, as the superuser sees them. */
function shown({ fs }: Vfs, dir: string): string[] {
  return fs.readdirSync(dir).flatMap((name) => {
    const path = `${dir}/${name}`;
    const { mode, uid, nlink, mtimeMs } = fs.lstatSync(path);
    const line = [path, mode, uid, nlink, mtimeMs].join(" ");
    return (mode & 0o170000) === 0o040000 ? [line, ...shown({ fs } as Vfs, path)] : [line];
  });
}

interface Raw {
  readonly core: CoreExports;
  path(text: string): number;
  path2(text: string): number;
}

/** A call of the core with a path from a descriptor or from the working directory. */
type PathCall = (raw: Raw, ctx: number, from: number, path: string) => number;

const CALLS: Record<string, PathCall> = {
  sysAccess: ({ core, path }, c, from, to) => core.sysAccess(c, from, path(to), 0, 0),
  sysStat: ({ core, path }, c, from, to) => core.sysStat(c, from, path(to), 0),
  sysStatx: ({ core, path }, c, from, to) => core.sysStatx(c, from, path(to), 0),
  sysWalk: ({ core, path }, c, from, to) => core.sysWalk(c, from, path(to), 0, -1, 0),
  sysStatfs: ({ core, path }, c, from, to) => core.sysStatfs(c, from, path(to)),
  sysReadlink: ({ core, path }, c, from, to) => core.sysReadlink(c, from, path(to)),
  sysRealpath: ({ core, path }, c, from, to) => core.sysRealpath(c, from, path(to)),
  sysOpen: ({ core, path }, c, from, to) => core.sysOpen(c, from, path(to), O_CREAT | O_RDWR, 0o644),
  "sysOpen without O_CREAT": ({ core, path }, c, from, to) => core.sysOpen(c, from, path(to), 0, 0),
  "sysOpen with O_TMPFILE": ({ core, path }, c, from, to) =>
    core.sysOpen(c, from, path(to), OPEN_FLAGS.O_TMPFILE | O_RDWR, 0o644),
  "sysOpen with O_PATH": ({ core, path }, c, from, to) => core.sysOpen(c, from, path(to), OPEN_FLAGS.O_PATH, 0),
  sysOpenat2: ({ core, path }, c, from, to) => core.sysOpenat2(c, from, path(to), 0, 0, 0),
  sysOpenAny: ({ core, path }, c, from, to) => core.sysOpenAny(c, from, path(to), 0, 0),
  sysOpenTagged: ({ core, path }, c, from, to) => core.sysOpenTagged(c, from, path(to), 0, 0, 0, 1, 1),
  sysReadFile: ({ core, path }, c, from, to) => core.sysReadFile(c, from, path(to), 4096),
  sysWriteFile: ({ core, path }, c, from, to) => core.sysWriteFile(c, from, path(to), 0, 0o644, 3),
  sysScandir: ({ core, path }, c, from, to) => core.sysScandir(c, from, path(to)),
  sysTruncate: ({ core, path }, c, from, to) => core.sysTruncate(c, from, path(to), 0),
  sysMkdir: ({ core, path }, c, from, to) => core.sysMkdir(c, from, path(to), 0o755),
  sysMknod: ({ core, path }, c, from, to) => core.sysMknod(c, from, path(to), 0o644, 0),
  sysSymlink: ({ core, path, path2 }, c, from, to) => core.sysSymlink(c, path("body"), from, path2(to)),
  sysLink: ({ core, path, path2 }, c, from, to) => core.sysLink(c, from, path(to), AT_FDCWD, path2("/e/new"), 0),
  "sysLink to it": ({ core, path, path2 }, c, from, to) =>
    core.sysLink(c, AT_FDCWD, path("/e/here"), from, path2(to), 0),
  sysUnlink: ({ core, path }, c, from, to) => core.sysUnlink(c, from, path(to), 0),
  sysRename: ({ core, path, path2 }, c, from, to) => core.sysRename(c, from, path(to), AT_FDCWD, path2("/e/new"), 0),
  "sysRename to it": ({ core, path, path2 }, c, from, to) =>
    core.sysRename(c, AT_FDCWD, path("/e/here"), from, path2(to), 0),
  sysChmod: ({ core, path }, c, from, to) => core.sysChmod(c, from, path(to), 0, 0),
  sysChown: ({ core, path }, c, from, to) => core.sysChown(c, from, path(to), 1, 1, 0),
  sysUtimens: ({ core, path }, c, from, to) => core.sysUtimens(c, from, path(to), 1, 0, 1, 0, 0),
  sysSetacl: ({ core, path }, c, from, to) => core.sysSetacl(c, from, path(to), 0, 0),
  sysGetacl: ({ core, path }, c, from, to) => core.sysGetacl(c, from, path(to), 0),
  sysSetxattr: ({ core, path, path2 }, c, from, to) => core.sysSetxattr(c, from, path(to), path2("user.x"), 1, 0, 0),
  sysGetxattr: ({ core, path, path2 }, c, from, to) => core.sysGetxattr(c, from, path(to), path2("user.x"), 0),
  sysListxattr: ({ core, path }, c, from, to) => core.sysListxattr(c, from, path(to), 0),
  sysRemovexattr: ({ core, path, path2 }, c, from, to) => core.sysRemovexattr(c, from, path(to), path2("user.x"), 0),
  sysChdir: ({ core, path }, c, from, to) => core.sysChdir(c, from, path(to)),
  sysChroot: ({ core, path }, c, from, to) => core.sysChroot(c, from, path(to)),
};

/** The same for calls whose paths start at the working directory alone. */
const FROM_CWD: Record<string, PathCall> = {
  sysMount: ({ core, path, path2 }, c, _from, to) => core.sysMount(c, path(to), path2("/e"), MS_BIND),
  "sysMount on it": ({ core, path, path2 }, c, _from, to) => core.sysMount(c, path("/e"), path2(to), MS_BIND),
  "sysMount with MS_MOVE": ({ core, path, path2 }, c, _from, to) => core.sysMount(c, path(to), path2("/e"), MS_MOVE),
  sysMountNew: ({ core, path }, c, _from, to) => core.sysMountNew(c, path(to), 0, 0, 0, 0, 0),
  sysRemount: ({ core, path }, c, _from, to) => core.sysRemount(c, path(to), -1, -1, 0, 0),
  sysUmount: ({ core, path }, c, _from, to) => core.sysUmount(c, path(to), 0),
  sysPivotRoot: ({ core, path, path2 }, c, _from, to) => core.sysPivotRoot(c, path(to), path2("/e")),
  "sysPivotRoot with the old root there": ({ core, path, path2 }, c, _from, to) =>
    core.sysPivotRoot(c, path("/e"), path2(to)),
  sysInvalidate: ({ core, path }, c, _from, to) => core.sysInvalidate(c, path(to)),
};

/** They take the name of a driver, or the length of a range. */
const NO_PATH = ["driverRegister", "lockRequestRange", "sysCopyFileRange", "sysFallocate", "sysFcntlLock"];

test("the calls of this test are all calls that take a path", () => {
  const text = readFileSync(new URL("../../../../dist/generated/core-exports.d.ts", import.meta.url), "utf8");
  const taking = [...text.matchAll(/^ {4}(\w+)\([^)]*\blen: number/gm)].map(([, name]) => name);
  assert.ok(taking.length > 25, `${taking.length} calls`);
  const here = new Set([...Object.keys(CALLS), ...Object.keys(FROM_CWD)].map((name) => name.split(" ")[0]));
  assert.deepEqual([...here, ...NO_PATH].sort(), taking.sort());
});

const ALL = [
  ...Object.entries(CALLS).map(([name, call]) => ({ name, call, dirfd: true })),
  ...Object.entries(FROM_CWD).map(([name, call]) => ({ name, call, dirfd: false })),
];

for (const ref of [0, 1]) {
  // Fails when a call walks without its context's option (path-init.ts), and for the way of each check in step.ts and path-init.ts.
  test(`row 113: every call with a path: ways out of the root are EXDEV and change nothing${ref ? ", in ref mode" : ""}`, async (t) => {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    t.after(() => vfs.close());
    fill(vfs);
    const box = vfs.context({ root: "/box", cwd: "/a", resolve: "beneath" });
    const raw = rawCore(t, box.handle);
    raw.core.walkMode(ref);
    const { ctx } = box.handle;
    const moved = box.fs.openSync("/a/in", "r");
    vfs.fs.renameSync("/box/a/in", "/out/in");
    const before = shown(vfs, "/out").concat(shown(vfs, "/box"));
    const ways: [from: number, path: string][] = [
      [AT_FDCWD, "../../here"],
      [AT_FDCWD, "../../out/here"],
      [AT_FDCWD, "b/../../../box/a/here"],
      [AT_FDCWD, "/../here"],
      [AT_FDCWD, "/a/../../here"],
      [AT_FDCWD, "absolute/here"],
      [AT_FDCWD, "absolute/new"],
      [moved, "here"],
      [moved, "new"],
      [moved, "../here"],
    ];
    for (const { name, call, dirfd } of ALL) {
      for (const [from, path] of ways) {
        if (from !== AT_FDCWD && !dirfd) continue;
        assert.equal(call(raw, ctx, from, path), -ERRNO.EXDEV, `${name} of ${path} from ${from}`);
      }
    }
    // The working directory itself is moved out.
    vfs.fs.renameSync("/box/a", "/out/gone");
    const after = shown(vfs, "/out").concat(shown(vfs, "/box"));
    for (const { name, call } of ALL) {
      for (const path of ["here", "new", "..", "../here", "b/here", "."]) {
        assert.equal(call(raw, ctx, AT_FDCWD, path), -ERRNO.EXDEV, `${name} of ${path} after the move`);
      }
    }
    assert.deepEqual(shown(vfs, "/out").concat(shown(vfs, "/box")), after);
    vfs.fs.renameSync("/out/gone", "/box/a");
    assert.equal(read(box, "here"), "/box/a");
    const times = (lines: string[]) => lines.map((line) => line.split(" ").slice(0, -1).join(" "));
    assert.deepEqual(times(shown(vfs, "/out").concat(shown(vfs, "/box"))).sort(), times(before).sort());
  });
}

// Fails when setNameidata() does not look at the mode.
test("MODE_BENEATH: the paths of all calls of a thread stay below the descriptor that they start at, and links and '..' below it work", async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20 });
  t.after(() => vfs.close());
  fill(vfs);
  const raw = rawCore(t, vfs.handle);
  const { ctx } = vfs.handle;
  const dir = raw.openat(AT_FDCWD, "/box/a", 0);
  const before = shown(vfs, "/box");
  for (const ref of [0, 1]) {
    assert.equal(raw.core.walkMode(ref | MODE_BENEATH) & MODE_BENEATH, 0);
    for (const { name, call, dirfd } of ALL) {
      if (!dirfd || ["sysChdir", "sysChroot"].includes(name)) continue;
      for (const path of ["../here", "b/../../here", "../a/here", "/box/a/here", "absolute/here"]) {
        assert.equal(call(raw, ctx, dir, path), -ERRNO.EXDEV, `${name} of ${path}`);
      }
    }
    assert.equal(raw.stat(dir, "b/../link/here"), 0);
    assert.equal(raw.core.walkMode(0), ref | MODE_BENEATH);
    assert.equal(raw.stat(dir, "../here"), 0, "only while the mode is set");
  }
  assert.deepEqual(shown(vfs, "/box"), before);
});

async function boxed(t: TestScope) {
  const { vfs } = await treeFor(t);
  fill(vfs);
  return { vfs, box: vfs.context({ root: "/box", cwd: "/a", resolve: "beneath" }) };
}

describe("what a context with the option can do", () => {
  test("paths from its root and from its directory, '..' and links below the root", async (t) => {
    const { vfs, box } = await boxed(t);
    for (const ref of [false, true]) {
      const walker = await walkerOf(t, box.handle);
      walker.walkMode({ ref });
      for (const [path, found] of Object.entries({
        ...{ here: "/box/a", "../here": "/box", "b/../../here": "/box", "/here": "/box", "/a/./../a/here": "/box/a" },
        ...{ up: "/box", "link/here": "/box/a/b", "link/../here": "/box/a", "/a/up": "/box" },
      })) {
        assert.equal(read(walker, path), found, path);
      }
      for (const path of ["../../here", "out", "absolute/here", "/..", "..//..", "link/../../../here"]) {
        refused("EXDEV", () => read(walker, path), path);
      }
      assert.equal(walker.fs.realpathSync("link/.."), "/a");
      assert.equal(walker.fs.realpathSync.native("link"), "/a/b");
      assert.deepEqual(walker.fs.readdirSync("..").sort(), ["a", "e", "here"]);
    }
    box.fs.mkdirSync("new/deep", { recursive: true });
    box.fs.writeFileSync("new/deep/f", "x");
    box.fs.cpSync("new", "copy", { recursive: true });
    assert.equal(vfs.fs.readFileSync("/box/a/copy/deep/f", "utf8"), "x");
    box.fs.rmSync("/a/new", { recursive: true });
    assert.deepEqual(box.fs.globSync("copy/**").sort(), ["copy", "copy/deep", "copy/deep/f"]);
    box.chdir("..");
    assert.equal(box.getcwd(), "/");
    refused("EXDEV", () => box.chdir(".."));
  });

  test("it keeps the option: in contexts that it creates, with another root, and with calls' own", async (t) => {
    const { vfs, box } = await boxed(t);
    const inner = await attachVfs(box.handle);
    t.after(() => inner.close());
    const child = inner.context();
    refused("EXDEV", () => read(child, "../../here"));
    const lower = inner.context({ root: "/a", resolve: "in-root" });
    assert.equal(read(lower, "/here"), "/box/a");
    refused("EXDEV", () => read(lower, "../here"));
    // The classic way out of chroot(2): a root below the working directory.
    inner.chroot("/a/b");
    refused("EXDEV", () => read(inner, "here"));
    refused("EXDEV", () => read(inner, "../../here"));
    assert.equal(read(inner, "/here"), "/box/a/b");
    const dir = lower.fs.openSync("/", "r");
    assert.equal(
      lower.fs.readFileSync(lower.openat2Sync(dir, "../../b/here", { resolve: "in-root" }), "utf8"),
      "/box/a/b",
    );
    refused("EXDEV", () => lower.openat2Sync(dir, "b/../..", { resolve: "beneath" }));
    vfs.fs.renameSync("/box/a", "/out/moved");
    // The root went with it, and what is below it is.
    assert.equal(read(lower, "/b/here"), "/box/a/b");
  });
});

describe("the walks and the descriptors of a context with the option", () => {
  // Fails when a fenced walk cannot be checked in rcu mode (isUnderRoot() in fence.ts), and drops out of it.
  test("its walks stay in rcu mode", async (t) => {
    const { box } = await boxed(t);
    const walker = await walkerOf(t, box.handle);
    for (const path of [
      "here",
      "b/here",
      "../here",
      "b/../../here",
      "/a/here",
      "/a/../here",
      "missing",
      "../missing",
    ]) {
      const passed = walker.points(() => walker.fs.existsSync(path));
      assert.equal(of(passed, POINT.DROP, POINT.RESTART).length, 0, path);
    }
    // What leads out is found out there too.
    const passed = walker.points(() => refused("EXDEV", () => walker.fs.statSync("../../here")));
    assert.equal(of(passed, POINT.DROP, POINT.RESTART).length, 0);
  });

  test("a descriptor that it has open stays usable, and leads nowhere", async (t) => {
    const { vfs, box } = await boxed(t);
    const [file, dir] = [box.fs.openSync("b/here", "r+"), box.fs.openSync("b", "r")];
    vfs.fs.renameSync("/box/a/b", "/out/b");
    assert.equal(box.fs.readFileSync(file, "utf8"), "/box/a/b");
    assert.equal(box.fs.fstatSync(dir).isDirectory(), true);
    refused("EXDEV", () => box.at(dir).readFileSync("here"));
    for (const resolve of ["beneath", "in-root", "no-symlinks"] as const) {
      refused("EXDEV", () => box.openat2Sync(dir, "here", { resolve }));
    }
    refused("ENOENT", () => box.chdir("b"));
  });

  test("other flags: links are ELOOP, other mounts are EXDEV", async (t) => {
    const { vfs } = await boxed(t);
    vfs.mount(null, "/box/e", "tmpfs");
    vfs.fs.writeFileSync("/box/e/here", "mounted");
    const strict = vfs.context({ root: "/box", resolve: ["beneath", "no-symlinks", "no-xdev", "no-magiclinks"] });
    for (const ref of [false, true]) {
      const walker = await walkerOf(t, strict.handle);
      walker.walkMode({ ref });
      refused("ELOOP", () => read(walker, "a/link/here"));
      refused("ELOOP", () => read(walker, "a/up"));
      refused("EXDEV", () => read(walker, "e/here"));
      assert.equal(read(walker, "a/b/here"), "/box/a/b");
      assert.equal(walker.fs.readlinkSync("a/link"), "b");
    }
    refused("ERR_INVALID_ARG_VALUE", () => vfs.context({ resolve: "cached" as never }));
    refused("ERR_INVALID_ARG_VALUE", () => vfs.context({ resolve: ["beneath", "none"] as never }));
  });
});

/** The two directories change places again and again: one is below the root of the box, the other is not. */
function exchanged(tree: HookedVfs): () => void {
  return () => tree.linux.renameat2Sync("/box/a", "/out/a", { exchange: true });
}

// Fails when the start of a relative path is not checked, and when it is checked outside of the sequences (isUnderRoot() in fence.ts).
test("row 113: a rename at any point of a walk leads to no place outside of the root, and to EXDEV or ENOENT", async (t) => {
  const { vfs, attach } = await treeFor(t);
  fill(vfs);
  vfs.fs.mkdirSync("/out/a/b");
  vfs.fs.writeFileSync("/out/a/b/here", "/out/a/b");
  const mover = await attach();
  const box = vfs.context({ root: "/box", cwd: "/a/b", resolve: "beneath" });
  const walker = await walkerOf(t, box.handle);
  const points = [POINT.WALK_START, POINT.START_READ, POINT.COMPONENT, POINT.FOUND, POINT.DOTDOT, POINT.DROPPED];
  let happened = 0;
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (const path of [
      "here",
      "../here",
      "../../here",
      "../../../here",
      "/a/b/../here",
      "/a/b/../../here",
      "/a/../../here",
    ]) {
      const passed = walker.points(() => codeOf(() => read(walker, path)));
      for (const id of points) {
        for (let nth = 1; nth <= of(passed, id).length; nth++) {
          const move = exchanged(mover);
          walker.at(id, move, nth);
          let found: string | undefined;
          const code = codeOf(() => {
            found = read(walker, path);
          });
          const where = `${path} at passing ${nth} of point ${id}, ref ${ref}: ${code} ${found}`;
          assert.ok([undefined, "EXDEV"].includes(code), where);
          if (code === undefined) assert.ok(/^\/box|^\/out\/a/.test(found ?? ""), where);
          const moved = !walker.waits(id);
          walker.never();
          if (!moved) continue;
          happened++;
          move();
        }
      }
    }
  }
  assert.ok(happened > 60, `${happened} interleavings`);
});
