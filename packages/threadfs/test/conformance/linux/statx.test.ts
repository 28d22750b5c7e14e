/** statx(2): which fields are filled in, what they are, and which places are roots of mounts, as the kernel that runs has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { codeOf, refused } from "../../support/errors.js";
import { runOnKernel, whyNoKernel } from "./kernel.js";
import { type Form, runOnTree, type Step } from "./steps.js";

const PATHS = ["f", "d", "d/e", "l", "dangling", "p", "m", "m/in", "missing", "f/x", "."];
const MASKS = [0, 1, 0x200, 0x7ff, 0x800, 0xfff, 0x1000, 0x1fff, 0x4000, 0x5000, 0x7fffffff, 0x80000000, 0xffffffff];

const PROGRAM: Step[] = [
  ["put_file", "f", "some bytes"],
  ["mkdir", null, "d"],
  ["mkdir", null, "d/e"],
  ["symlink", "f", null, "l"],
  ["symlink", "none", null, "dangling"],
  ["mkfifo", null, "p", 0o640],
  ["chown", "f", 5, 6],
  ["mkdir", null, "m"],
  ["mount", "m", 1 << 20, 100],
  ["mkdir", null, "m/in"],
  ["linkat", null, "f", null, "d/f", 0],
  ...PATHS.flatMap((path) => MASKS.flatMap((mask) => [0, 1].map((follow): Step => ["statx", path, follow, mask]))),
];

test("row 119: statx fills in what the kernel does", async (t) => {
  const reason = whyNoKernel();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const [expected = []] = runOnKernel([PROGRAM]);
  for (const form of ["sync", "promises"] satisfies Form[]) {
    const got = await runOnTree(PROGRAM, form, { apart: true });
    for (const [k, step] of PROGRAM.entries())
      assert.deepEqual(got[k], expected[k], `${form}: ${JSON.stringify(step)}`);
  }
});

// Fails when sysStatx() stores no mount, or that of the path's start.
test("statx tells the number of the mount, as vfs.mounts() has it", async (t) => {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.fs.writeFileSync("/a/f", "");
  vfs.fs.mkdirSync("/bound");
  vfs.mount("/a", "/bound", "bind");
  vfs.mount("none", "/a/b", "tmpfs");
  vfs.fs.symlinkSync("/bound/f", "/a/b/l");
  const ids = new Map(vfs.mounts().map(({ mountPoint, id }) => [mountPoint, BigInt(id)]));
  const expected: [string, string, boolean][] = [
    ["/a/f", "/", false],
    ["/bound/f", "/bound", false],
    ["/a/b", "/a/b", false],
    ["/a/b/..", "/", false],
    ["/a/b/l", "/bound", false],
    ["/a/b/l", "/a/b", true],
  ];
  for (const [path, mountPoint, nofollow] of expected) {
    assert.equal(vfs.linux.statxSync(path, { nofollow }).mntId, ids.get(mountPoint), path);
  }
  const fd = vfs.fs.openSync("/bound/f", "r");
  assert.equal(vfs.linux.statxSync(fd, { mask: 0x4000 }).mntId, ids.get("/bound"));
  assert.equal(vfs.linux.statxSync(fd, { mask: 0x4000 }).mask, 0x7ff | 0x4000);
  assert.equal(vfs.linux.statxSync(fd).mask, 0xfff | 0x1000);
});

const OPTIONS = [
  "readonly",
  "nosuid",
  "nodev",
  "noexec",
  "noatime",
  "nodiratime",
  "strictatime",
  "nosymfollow",
] as const;

// Fails when a flag is left out of statfsFlags(), or the file system's read-only.
test("statfs tells the flags of the mount as the kernel does, and what fs.statfs tells", async (t) => {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  const flagsOf = (path: string) => vfs.linux.statfsSync(path).flags;
  vfs.fs.mkdirSync("/m");
  const sets = [...OPTIONS.map((option) => [option]), ["noexec", "nosuid", "nodev"], ["noatime", "nodiratime"], []];
  const got = sets.map((set) => {
    vfs.mount("none", "/m", "tmpfs", Object.fromEntries(set.map((option) => [option, true])));
    const flags = flagsOf("/m");
    vfs.umount("/m");
    return flags;
  });
  const reason = whyNoKernel();
  if (reason === undefined) {
    const data = sets.map((set) => set.map((option) => (option === "readonly" ? "ro" : option)).join(","));
    const [results = []] = runOnKernel([
      [["mkdir", null, "m"], ...data.map((given): Step => ["mntflags", "m", given])],
    ]);
    assert.deepEqual(got, results.slice(1));
  } else t.diagnostic(reason);
  assert.deepEqual(got.slice(0, 4), [0x1001, 0x1002, 0x1004, 0x1008]);
  // The file system is read-only through every mount of it.
  vfs.mount("none", "/m", "tmpfs");
  vfs.fs.mkdirSync("/other");
  vfs.mount("/m", "/other", "bind");
  vfs.mount(null, "/m", "none", { remount: true, readonly: true });
  assert.equal(flagsOf("/other") & 1, 1);
  const { namelen, flags, ...room } = vfs.linux.statfsSync("/");
  assert.deepEqual([namelen, flags, room], [255, 0x1000, { ...vfs.fs.statfsSync("/") }]);
  assert.deepEqual(await vfs.linux.statfs("/"), vfs.linux.statfsSync("/"));
  refused("ENOENT", () => vfs.linux.statfsSync("/none"));
  refused("ERR_INVALID_ARG_TYPE", () => vfs.linux.statfsSync(3 as never));
});

test("statx tells what stat tells, of a path and of a descriptor", async (t) => {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  vfs.fs.writeFileSync("/f", "some bytes");
  const fd = vfs.fs.openSync("/f", "r");
  vfs.fs.utimesSync("/f", -1.5, 1e6 + 0.25);
  const stat = vfs.fs.statSync("/f", { bigint: true });
  for (const s of [vfs.linux.statxSync("/f"), vfs.linux.statxSync(fd), await vfs.linux.statx("/f", { mask: 0xfff })]) {
    const ns = ({ sec, nsec } = { sec: 0n, nsec: 0 }) => sec * 1_000_000_000n + BigInt(nsec);
    assert.deepEqual(
      [
        s.ino,
        s.size,
        s.blocks,
        s.dev,
        BigInt(s.mode),
        BigInt(s.nlink),
        ns(s.atime),
        ns(s.mtime),
        ns(s.ctime),
        ns(s.btime),
      ],
      [
        stat.ino,
        stat.size,
        stat.blocks,
        stat.dev,
        stat.mode,
        stat.nlink,
        stat.atimeNs,
        stat.mtimeNs,
        stat.ctimeNs,
        stat.birthtimeNs,
      ],
    );
    assert.equal(s.attributesMask, 0x2000);
  }
  assert.equal(vfs.linux.statxSync("/").attributes, 0x2000);
  assert.equal("btime" in vfs.linux.statxSync("/f", { mask: 0 }), false);
  refused("EBADF", () => vfs.linux.statxSync(99));
  refused("ERR_INVALID_ARG_VALUE", () => vfs.linux.statxSync("/f", { follow: true } as never));
  refused("ERR_OUT_OF_RANGE", () => vfs.linux.statxSync("/f", { mask: 2 ** 32 }));
  assert.equal(
    codeOf(() => vfs.context({ uid: 1000, gid: 1000 }).linux.statxSync("/f")),
    undefined,
  );
});
