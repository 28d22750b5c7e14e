/** Stats and BigIntStats: they have the fields, methods and times that node:fs gives. */
import assert from "node:assert/strict";
import nodeFs, { type BigIntStats, type Stats } from "node:fs";
import { describe, test } from "node:test";
import { suite } from "./both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/file`, "12345");
  fs.chmodSync(`${dir}/file`, 0o640);
  fs.linkSync(`${dir}/file`, `${dir}/second`);
  fs.mkdirSync(`${dir}/dir`, 0o711);
  fs.symlinkSync("file", `${dir}/link`);
  for (const path of [`${dir}/file`, `${dir}/dir`]) fs.utimesSync(path, 1000.5, 2000.25);
});
const { same } = tree;

const KINDS = [
  "isFile",
  "isDirectory",
  "isSymbolicLink",
  "isBlockDevice",
  "isCharacterDevice",
  "isFIFO",
  "isSocket",
] as const;

/** What two file systems must agree on. */
function shared(stats: Stats | BigIntStats) {
  const { mode, nlink, uid, gid, rdev, size, atimeMs, mtimeMs, atime, mtime } = stats;
  const { atimeNs, mtimeNs }: Partial<BigIntStats> = "atimeNs" in stats ? stats : {};
  const kinds = KINDS.map((kind) => stats[kind]());
  const times = { atimeMs, mtimeMs, atime, mtime, atimeNs, mtimeNs };
  return {
    kinds,
    mode,
    nlink: stats.isDirectory() ? 0 : nlink,
    uid,
    gid,
    rdev,
    size: stats.isFile() ? size : 0,
    times,
  };
}

describe("stats as node:fs gives them", () => {
  for (const bigint of [false, true]) {
    const kind = bigint ? "BigIntStats" : "Stats";
    same(`${kind} of a file`, (fs, dir) => shared(fs.statSync(`${dir}/file`, { bigint })));
    same(`${kind} of a directory`, (fs, dir) => shared(fs.statSync(`${dir}/dir`, { bigint })));
    same(`${kind} through a link`, (fs, dir) => shared(fs.statSync(`${dir}/link`, { bigint })));
    same(`${kind} of a link`, (fs, dir) => {
      const { mode, nlink, size } = fs.lstatSync(`${dir}/link`, { bigint });
      return { mode, nlink, size };
    });
    same(`${kind} of a descriptor`, (fs, dir) => {
      const fd = fs.openSync(`${dir}/file`);
      try {
        return shared(fs.fstatSync(fd, { bigint }));
      } finally {
        fs.closeSync(fd);
      }
    });
  }
  same("throwIfNoEntry", (fs, dir) => [
    fs.statSync(`${dir}/missing`, { throwIfNoEntry: false }),
    fs.lstatSync(`${dir}/missing`, { throwIfNoEntry: false }),
    fs.statSync(Buffer.from(`${dir}/missing`), { throwIfNoEntry: false, bigint: true }),
  ]);
  same("throwIfNoEntry below a file", (fs, dir) => fs.statSync(`${dir}/file/below`, { throwIfNoEntry: false }));
  same("throwIfNoEntry below a file, of lstat", (fs, dir) =>
    fs.lstatSync(`${dir}/file/below`, { throwIfNoEntry: false }),
  );
  same("throwIfNoEntry hides no other error", (fs) => fs.statSync(`/${"n".repeat(300)}`, { throwIfNoEntry: false }));
  same("dates are whole milliseconds of times that are not", (fs, dir) => {
    fs.utimesSync(`${dir}/file`, 1700000000.123, new Date(1700000000567));
    const { atime, mtime } = fs.statSync(`${dir}/file`);
    return [atime, mtime];
  });
});

describe("stats of threadfs", () => {
  test("both names of a file have one ino and dev", () => {
    const fs = tree.vfs.fs;
    fs.writeFileSync("/one", "x");
    fs.linkSync("/one", "/two");
    const [one, two] = [fs.statSync("/one"), fs.statSync("/two")];
    assert.deepEqual([one.ino, one.dev, one.nlink], [two.ino, two.dev, 2]);
    assert.notEqual(one.ino, fs.statSync("/").ino);
    fs.unlinkSync("/two");
    assert.equal(fs.statSync("/one").nlink, 1);
  });

  // Fails when an option is read between the call of the core and the use of its result.
  test("an option that is an accessor may make calls of its own", () => {
    const fs = tree.vfs.fs;
    fs.writeFileSync("/one", "1");
    fs.writeFileSync("/two", "22");
    for (const call of ["statSync", "lstatSync"] as const) {
      const options = {
        get bigint() {
          fs.statSync("/two", { bigint: true });
          return false;
        },
        get throwIfNoEntry() {
          fs.existsSync("/two");
          return false;
        },
      };
      assert.equal((fs[call]("/one", options) as { size: number } | undefined)?.size, 1);
      assert.equal(fs[call]("/missing", options), undefined);
    }
  });

  test("fields have the names and types of node:fs", () => {
    const sameTypes = (ours: object, theirs: object) => {
      // The dates are accessors in some versions of Node: they are read by name.
      const fields = ours as Readonly<Record<string, unknown>>;
      for (const [key, value] of Object.entries(theirs)) assert.equal(typeof fields[key], typeof value, key);
    };
    const theirs = nodeFs.statSync(".");
    const ours = tree.vfs.fs.statSync("/");
    sameTypes(ours, theirs);
    const theirBig = nodeFs.statSync(".", { bigint: true });
    const ourBig = tree.vfs.fs.statSync("/", { bigint: true });
    sameTypes(ourBig, theirBig);
  });

  test("the numbers of both forms agree", () => {
    const fs = tree.vfs.fs;
    const plain = fs.statSync("/");
    const big = fs.statSync("/", { bigint: true });
    for (const key of ["dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "blksize", "blocks"] as const) {
      assert.equal(BigInt(plain[key]), big[key], key);
    }
    for (const key of ["atime", "mtime", "ctime", "birthtime"] as const) {
      assert.equal(big[`${key}Ms`], big[`${key}Ns`] / 1000000n, key);
      assert.ok(Math.abs(plain[`${key}Ms`] - Number(big[`${key}Ns`]) / 1e6) < 0.001, key);
    }
  });

  test("a date is made once and may be set", () => {
    const stats = tree.vfs.fs.statSync("/");
    assert.equal(stats.atime, stats.atime);
    assert.ok(stats.ctime instanceof Date);
    const other = new Date(5);
    stats.mtime = other;
    assert.equal(stats.mtime, other);
  });

  test("a change of a file updates its times", () => {
    const fs = tree.vfs.fs;
    const before = Date.now();
    fs.writeFileSync("/moving", "x");
    fs.utimesSync("/moving", 1, 1);
    const old = fs.statSync("/moving");
    assert.equal(old.mtimeMs, 1000);
    assert.ok(old.ctimeMs >= before - 1 && old.birthtimeMs >= before - 1);
    fs.appendFileSync("/moving", "y");
    assert.ok(fs.statSync("/moving").mtimeMs >= before - 1);
    fs.chmodSync("/moving", 0o600);
    assert.ok(fs.statSync("/moving").ctimeMs >= old.ctimeMs);
  });

  test("stats are instances of the surface's own classes", () => {
    const { fs } = tree.vfs;
    assert.ok(fs.statSync("/") instanceof fs.Stats);
  });
});

describe("statfs", () => {
  same("gives the fields of node:fs, as numbers or bigints", (fs, dir) =>
    [undefined, { bigint: true }].map((options) => {
      const found = fs.statfsSync(dir, options as { bigint: true });
      return [Object.keys(found), found.constructor.name, typeof found.bavail];
    }),
  );
  same("fails with the errors of a lookup", (fs, dir) => fs.statfsSync(`${dir}/file/below`));
  test("counts the tree's own memory", () => {
    const { fs } = tree.vfs;
    const before = fs.statfsSync("/");
    fs.writeFileSync("/large", Buffer.alloc(1 << 22));
    const after = fs.statfsSync("/");
    assert.equal(after.blocks, before.blocks);
    assert.ok((before.bfree - after.bfree) * after.frsize >= 1 << 21);
    fs.unlinkSync("/large");
  });
});
