/**
 * Read-only mounts of a tree that can be written elsewhere: which error comes first, and times of access. The tables are
 * what Linux 6.18 gives for a bind mount that is read-only (mount --bind, remount,ro,bind) on tmpfs.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  ERRNO,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
} from "../../../dist/abi/abi.js";
import { READS_A_CLOCK } from "../../../dist/generated/core-layout.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { type RawCore, rawCore } from "../../support/raw-core.js";

const USER = 1000;

/** /a with a read-only view of it at /ro, and the calls of a user. */
async function setUp(t: TestScope, uid: number): Promise<{ vfs: Vfs; raw: RawCore; ctx: number }> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  const { fs } = vfs;
  fs.mkdirSync("/a/full", { recursive: true });
  fs.mkdirSync("/ro");
  fs.chmodSync("/a", 0o777);
  for (const name of ["f", "full/x", "secret"]) fs.writeFileSync(`/a/${name}`, "text");
  fs.chmodSync("/a/secret", 0o600);
  fs.symlinkSync("f", "/a/l");
  vfs.mount("/a", "/ro", "bind", { readonly: true });
  const ctx = uid === 0 ? vfs.handle.ctx : vfs.context({ uid, gid: uid }).handle.ctx;
  return { vfs, raw: rawCore(t, vfs.handle), ctx };
}

const nameOf = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [-number, name]));
const outcome = (result: number) => (result >= 0 ? "ok" : (nameOf.get(result) ?? String(result)));

const NAMES = ["missing", "f", "full", "missing/x", "f/x", ".", "full/..", "full/"];
type Call = (raw: RawCore, ctx: number, path: string) => number;
const two = (raw: RawCore, ctx: number, from: string, to: string) =>
  raw.core.sysRename(ctx, AT_FDCWD, raw.path(from), AT_FDCWD, raw.path2(to), 0);
/** A call on each of NAMES, with what it gives for each. */
const CALLS: readonly [name: string, call: Call, right: string][] = [
  [
    "unlink",
    ({ core, path }, ctx, p) => core.sysUnlink(ctx, AT_FDCWD, path(p), 0),
    "EROFS EROFS EROFS ENOENT ENOTDIR EISDIR EISDIR EROFS",
  ],
  [
    "rmdir",
    ({ core, path }, ctx, p) => core.sysUnlink(ctx, AT_FDCWD, path(p), AT_REMOVEDIR),
    "EROFS EROFS EROFS ENOENT ENOTDIR EINVAL ENOTEMPTY EROFS",
  ],
  [
    "mkdir",
    ({ core, path }, ctx, p) => core.sysMkdir(ctx, AT_FDCWD, path(p), 0o777),
    "EROFS EEXIST EEXIST ENOENT ENOTDIR EEXIST EEXIST EEXIST",
  ],
  [
    "mknod",
    ({ core, path }, ctx, p) => core.sysMknod(ctx, AT_FDCWD, path(p), 0o100600, 0),
    "EROFS EEXIST EEXIST ENOENT ENOTDIR EEXIST EEXIST EEXIST",
  ],
  [
    "symlink",
    ({ core, path, path2 }, ctx, p) => core.sysSymlink(ctx, path("x"), AT_FDCWD, path2(p)),
    "EROFS EEXIST EEXIST ENOENT ENOTDIR EEXIST EEXIST EEXIST",
  ],
  [
    "link",
    ({ core, path, path2 }, ctx, p) => core.sysLink(ctx, AT_FDCWD, path("/ro/f"), AT_FDCWD, path2(p), 0),
    "EROFS EEXIST EEXIST ENOENT ENOTDIR EEXIST EEXIST EEXIST",
  ],
  ["rename", (raw, ctx, p) => two(raw, ctx, p, "/ro/z"), "EROFS EROFS EROFS ENOENT ENOTDIR EBUSY EBUSY EROFS"],
  ["rename to", (raw, ctx, p) => two(raw, ctx, "/ro/f", p), "EROFS EROFS EROFS ENOENT ENOTDIR EBUSY EBUSY EROFS"],
  [
    "rename of a missing name to",
    (raw, ctx, p) => two(raw, ctx, "/ro/missing", p),
    "EROFS EROFS EROFS ENOENT ENOTDIR EBUSY EBUSY EROFS",
  ],
  [
    "chmod",
    ({ core, path }, ctx, p) => core.sysChmod(ctx, AT_FDCWD, path(p), 0, 0),
    "ENOENT EROFS EROFS ENOENT ENOTDIR EROFS EROFS EROFS",
  ],
  [
    "utimens",
    ({ core, path }, ctx, p) => core.sysUtimens(ctx, AT_FDCWD, path(p), 1, 0, 1, 0, 0),
    "ENOENT EROFS EROFS ENOENT ENOTDIR EROFS EROFS EROFS",
  ],
];

const TRUNCATE: Call = ({ core, path }, ctx, p) => core.sysTruncate(ctx, AT_FDCWD, path(p), 0);
const OPENS: readonly (readonly [flags: number, root: string, user: string])[] = [
  // For secret, f, full and missing.
  [O_RDONLY, "ok ok ok ENOENT", "EACCES ok ok ENOENT"],
  [O_WRONLY, "EROFS EROFS EISDIR ENOENT", "EACCES EACCES EISDIR ENOENT"],
  [O_RDWR, "EROFS EROFS EISDIR ENOENT", "EACCES EACCES EISDIR ENOENT"],
  [O_TRUNC, "EROFS EROFS EISDIR ENOENT", "EROFS EROFS EISDIR ENOENT"],
  [O_CREAT, "ok ok EISDIR EROFS", "EACCES ok EISDIR EROFS"],
  [O_CREAT | O_EXCL, "EEXIST EEXIST EEXIST EROFS", "EEXIST EEXIST EEXIST EROFS"],
  [O_WRONLY | O_TRUNC, "EROFS EROFS EISDIR ENOENT", "EROFS EROFS EISDIR ENOENT"],
  [O_WRONLY | O_TRUNC | O_CREAT, "EROFS EROFS EISDIR EROFS", "EROFS EROFS EISDIR EROFS"],
  [3, "ok ok EISDIR ENOENT", "EACCES EACCES EISDIR ENOENT"],
  [3 | O_TRUNC, "EROFS EROFS EISDIR ENOENT", "EROFS EROFS EISDIR ENOENT"],
  [O_NOATIME, "ok ok ok ENOENT", "EACCES EPERM EPERM ENOENT"],
  [O_TMPFILE_BIT | O_DIRECTORY | O_RDWR, "ENOTDIR ENOTDIR EROFS ENOENT", "ENOTDIR ENOTDIR EROFS ENOENT"],
  [O_PATH, "ok ok ok ENOENT", "ok ok ok ENOENT"],
  [O_APPEND, "ok ok ok ENOENT", "EACCES ok ok ENOENT"],
];

describe("on a read-only mount", () => {
  for (const uid of [0, USER]) {
    const who = uid === 0 ? "root" : "a user";
    test(`calls of ${who} give Linux's errors, for names that are missing too`, async (t) => {
      const { vfs, raw, ctx } = await setUp(t, uid);
      const before = vfs.fs.readdirSync("/a", { recursive: true });
      for (const [name, call, right] of CALLS) {
        assert.equal(NAMES.map((p) => outcome(call(raw, ctx, `/ro/${p}`))).join(" "), right, name);
      }
      const mayWrite = uid === 0 ? "EROFS" : "EACCES";
      const cut = ["f", "secret", "l", "full", "missing"].map((p) => outcome(TRUNCATE(raw, ctx, `/ro/${p}`)));
      assert.equal(cut.join(" "), `${mayWrite} ${mayWrite} ${mayWrite} EISDIR ENOENT`, "truncate");
      assert.equal(raw.core.sysTruncate(ctx, AT_FDCWD, raw.path("/ro/missing"), -1), -ERRNO.EINVAL);
      assert.deepEqual(vfs.fs.readdirSync("/a", { recursive: true }), before);
    });

    test(`opens by ${who} give Linux's errors: permission before the mount, the mount before a truncation`, async (t) => {
      const { raw, ctx } = await setUp(t, uid);
      for (const [flags, root, user] of OPENS) {
        const opened = ["secret", "f", "full", "missing"].map((p) => {
          const fd = raw.core.sysOpen(ctx, AT_FDCWD, raw.path(`/ro/${p}`), flags, 0o666);
          if (fd >= 0) raw.core.sysClose(ctx, fd);
          return outcome(fd);
        });
        assert.equal(opened.join(" "), uid === 0 ? root : user, `flags 0${flags.toString(8)}`);
      }
    });
  }

  test("times of access stay as they are: of files, directories and links", async (t) => {
    const { vfs } = await setUp(t, 0);
    const { fs } = vfs;
    const names = ["f", "full", "l", "."];
    for (const name of names) fs.lutimesSync(`/a/${name}`, 1000, 2000);
    const use = (at: string) => {
      fs.readFileSync(`${at}/f`);
      fs.readdirSync(`${at}/full`);
      fs.readlinkSync(`${at}/l`);
      fs.statSync(`${at}/l`);
      fs.readdirSync(at);
    };
    const moved = () => names.filter((name) => fs.lstatSync(`/a/${name}`).atimeMs !== 1_000_000);
    use("/ro");
    assert.deepEqual(moved(), []);
    use("/a");
    assert.deepEqual(moved(), names);
  });
});

describe("times of access", () => {
  test("follow a day later, as with relatime, although nothing has changed since", async (t) => {
    let now = Date.UTC(2030, 0, 1);
    const vfs = await createVfs({ maxBytes: 32 << 20, now: () => now });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.mkdirSync("/d");
    fs.writeFileSync("/f", "text");
    fs.symlinkSync("f", "/l");
    const uses: Record<string, () => unknown> = {
      "/f": () => fs.readFileSync("/f"),
      "/d": () => fs.readdirSync("/d"),
      "/l": () => fs.readlinkSync("/l"),
    };
    now += 1000;
    for (const use of Object.values(uses)) use();
    const first = now;
    for (const [seconds, moves] of [
      [1, false],
      [86_399, false],
      [86_400, true],
    ] as const) {
      now = first + seconds * 1000;
      for (const [path, use] of Object.entries(uses)) {
        use();
        assert.equal(fs.lstatSync(path).atimeMs, moves ? now : first, `${path} after ${seconds} s`);
      }
    }
  });

  test("follow after a time that is far in the past or in the future", async (t) => {
    const vfs = await createVfs({ maxBytes: 32 << 20, now: () => 1_000_000_000_000 });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.writeFileSync("/f", "text");
    const read = (atime: number | Date, mtime: number): bigint => {
      fs.utimesSync("/f", atime, mtime);
      fs.readFileSync("/f");
      return fs.statSync("/f", { bigint: true }).atimeNs / 1_000_000_000n;
    };
    assert.equal(read(2 ** 40, 5), BigInt(2 ** 40), "later than the last change, and no day old");
    assert.equal(read(2 ** 40, 2 ** 40), 1_000_000_000n, "as late as the last change");
    assert.equal(read(2 ** 40, 2 ** 41), 1_000_000_000n, "before the last change");
    assert.equal(read(5, 5), 1_000_000_000n);
    assert.equal(
      read(new Date((1_000_000_000 - 2 ** 34) * 1000), 5),
      1_000_000_000n,
      "a time whose low word is that of the present",
    );
  });

  test("compare parts of a second with the last change, also beside a time far in the past", async (t) => {
    let now = 1_000_000_000_500;
    const vfs = await createVfs({ maxBytes: 32 << 20, now: () => now });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.writeFileSync("/f", "text");
    /** Reads with the two times set at half past the second, a tenth later. */
    const read = (atime: number, mtime: number): number => {
      now = 1_000_000_000_500;
      // A Date, because a negative number stands for the present.
      fs.utimesSync("/f", new Date(atime * 1000), new Date(mtime * 1000));
      now += 100;
      fs.readFileSync("/f");
      return fs.statSync("/f").atimeMs;
    };
    for (const mtime of [5, -(2 ** 35)]) {
      assert.equal(read(1_000_000_000.25, mtime), now, `before ctime, with mtime ${mtime}`);
      assert.equal(read(1_000_000_000.5, mtime), now, `as late as ctime, with mtime ${mtime}`);
      assert.equal(read(1_000_000_000.75, mtime), 1_000_000_000_750, `after ctime, with mtime ${mtime}`);
    }
    assert.equal(read(2 ** 40 + 0.25, 2 ** 40 + 0.5), now, "before mtime");
    assert.equal(read(2 ** 40 + 0.5, 2 ** 40 + 0.25), (2 ** 40 + 0.5) * 1000, "after mtime");
  });
});

// Taken out: the count of reads in touchAtimeOfRead(): the time of access is never updated again.
test("a time of access follows a day later by one of the next reads of a descriptor, of which most do not ask for the time", async (t) => {
  let now = Date.UTC(2030, 0, 1);
  let asked = 0;
  const clock = () => {
    asked++;
    return now;
  };
  const vfs = await createVfs({ maxBytes: 32 << 20, now: clock });
  t.after(() => vfs.close());
  const { fs } = vfs;
  fs.writeFileSync("/f", "text");
  const fd = fs.openSync("/f");
  const read = () => fs.readSync(fd, new Uint8Array(4), 0, 4, 0);
  const accessed = () => fs.fstatSync(fd).atimeMs;
  now += 1000;
  read();
  assert.equal(accessed(), now, "as late as the last change");
  const before = asked;
  for (let n = 0; n < 10 * READS_A_CLOCK; n++) read();
  assert.equal(asked - before, 10);
  now += 86_400_000;
  let reads = 0;
  for (; accessed() !== now && reads <= READS_A_CLOCK; reads++) read();
  assert.ok(reads <= READS_A_CLOCK, `${reads} reads`);
});
