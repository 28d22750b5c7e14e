/** A snapshot makes the same tree again, and nothing else makes a tree. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { before, describe, test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { S_IFBLK, S_IFIFO, S_IFSOCK } from "../../../dist/abi/mode.js";
import { ACL_TAG, createVfs, type SnapshotSource, type Vfs } from "../../../dist/src/index.js";
import { copyArena } from "../../../dist/src/load-save/arena-copy.js";
import { treeFor } from "../../support/debug-tree.js";
import { rawCore } from "../../support/raw-core.js";
import { tree } from "../api/trees.js";
import { problemsOf, wholeTree } from "./whole-tree.js";

const MIB = 1 << 20;
const ENTRY = new URL("../../../dist/src/index.js", import.meta.url).href;

async function load(snapshot: SnapshotSource, maxBytes = 64 * MIB): Promise<Vfs> {
  return tree({ maxBytes, snapshot });
}

/** The bytes of a snapshot that is closed then. */
async function bytesOf(vfs: Vfs): Promise<Uint8Array> {
  const snapshot = await vfs.snapshot();
  try {
    return await snapshot.bytes();
  } finally {
    snapshot.close();
  }
}

/** A tree with every kind of file, attribute and size. */
async function everyKind(): Promise<Vfs> {
  const vfs = await tree({ maxBytes: 64 * MIB });
  const { fs } = vfs;
  const long = "l".repeat(255);
  vfs.fromJSON({ "/a/b/file": "hello", "/empty-directory": null, [`/${long}/${long}`]: "x", "/empty": "" });
  for (const size of [1, 16, 31, 32, 4095, 4096, 4097, 65536, 65537, 1_000_003]) {
    fs.writeFileSync(`/sized-${size}`, Buffer.alloc(size, `${size}`));
  }
  fs.symlinkSync("/a/b", "/link");
  fs.symlinkSync(long.repeat(10), "/long-link");
  fs.symlinkSync("nowhere", Buffer.from([47, 0xff, 0xfe]));
  fs.linkSync("/a/b/file", "/a/hard");
  fs.linkSync("/a/b/file", "/hard");
  fs.linkSync("/link", "/hard-link");
  for (const [path, end] of [
    ["/sparse", 8 * MIB],
    ["/hole", 5 * MIB],
    ["/begins", 3 * MIB],
  ] as const) {
    fs.writeFileSync(path, path === "/begins" ? "begin" : "");
    fs.truncateSync(path, end);
  }
  const fd = fs.openSync("/sparse", "r+");
  for (const at of [0, 100_000, 4_000_000, 8 * MIB - 1]) fs.writeSync(fd, "data", at);
  fs.closeSync(fd);
  fs.chownSync("/a/b/file", 1000, 1001);
  fs.lchownSync("/link", 5, 6);
  fs.chmodSync("/a/b/file", 0o6751);
  fs.chmodSync("/empty-directory", 0o3770);
  fs.chmodSync("/sized-1", 0);
  fs.utimesSync("/a/b", 1.25, -1_000_000.5);
  fs.lutimesSync("/link", 12_345_678_901.25, 0);
  fs.chownSync("/", 7, 8);
  const acl = [
    { tag: ACL_TAG.USER_OBJ, perm: 7 },
    { tag: ACL_TAG.USER, id: 5, perm: 6 },
    { tag: ACL_TAG.GROUP_OBJ, perm: 5 },
    { tag: ACL_TAG.MASK, perm: 4 },
    { tag: ACL_TAG.OTHER, perm: 0 },
  ];
  vfs.setfacl("/a", acl);
  vfs.setfacl("/sized-16", acl);
  for (const path of ["/", "/a", "/sized-1", "/sized-16", "/link"]) {
    const own = path === "/link" ? [] : ["user.one", "user.other"];
    for (const name of [...own, "trusted.one"])
      vfs.linux.setxattrSync(path, name, `${name} of ${path}`, { nofollow: true });
  }
  vfs.linux.setxattrSync("/sized-16", "user.large", new Uint8Array(3000).fill(200));
  vfs.linux.setxattrSync("/sized-16", "user.empty", "");
  return vfs;
}

describe("a tree comes back as it was", () => {
  test("every kind of file, with all attributes and times", async (t) => {
    const vfs = await everyKind();
    const { core, path } = rawCore(t, vfs.handle);
    assert.equal(core.sysMknod(0, -100, path("/fifo"), S_IFIFO | 0o640, 0), 0);
    assert.equal(core.sysMknod(0, -100, path("/socket"), S_IFSOCK | 0o600, 0), 0);
    vfs.linux.mknodSync("/device", S_IFBLK | 0o620, 0x7001);
    vfs.linux.setxattrSync("/device", "trusted.of", "a device");
    vfs.linux.setxattrSync("/fifo", "trusted.of", "a pipe");
    // First: the walk changes times of access.
    const snapshot = await vfs.snapshot();
    const expected = wholeTree(vfs);
    const again = await load(await snapshot.bytes());
    const [fifo, socket] = [expected.get("/fifo"), expected.get("/socket")];
    assert.deepEqual([fifo?.type, fifo?.mode, socket?.type], [0o01, 0o640, 0o14]);
    assert.equal(again.fs.statSync("/device").rdev, 0x7001);
    assert.deepEqual(problemsOf(again), []);
    assert.deepEqual(wholeTree(again), expected);
    assert.ok(expected.size > 25);
    snapshot.close();
  });

  test("an empty tree", async () => {
    const vfs = await tree({ maxBytes: 4 * MIB });
    const bytes = await bytesOf(vfs);
    const expected = wholeTree(vfs);
    assert.deepEqual(wholeTree(await load(bytes)), expected);
  });

  test("the order of entries, which is that of their creation", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    const names = ["z", "a", "m", "b"];
    for (const name of names) vfs.fs.writeFileSync(`/${name}`, "");
    const { fs } = await load(await bytesOf(vfs));
    const directory = fs.opendirSync("/");
    const read = names.map(() => directory.readSync()?.name);
    directory.closeSync();
    assert.deepEqual(read, names);
  });

  test("a directory whose path is longer than any path may be", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    const name = "d".repeat(250);
    for (let depth = 0; depth < 40; depth++) {
      vfs.fs.mkdirSync(name);
      vfs.chdir(name);
    }
    vfs.fs.writeFileSync("deep", "x");
    const again = await load(await bytesOf(vfs));
    for (let depth = 0; depth < 40; depth++) again.chdir(name);
    assert.equal(again.fs.readFileSync("deep", "utf8"), "x");
    assert.deepEqual(problemsOf(again), []);
  });

  test("10,000 files in one directory, and a tree that fills its arena", async () => {
    const vfs = await tree({ maxBytes: 8 * MIB });
    let n = 0;
    try {
      for (; n < 20_000; n++) vfs.fs.writeFileSync(`/file-${n}`, `contents ${n}`);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
    const again = await load(await bytesOf(vfs));
    assert.deepEqual(again.toJSON(), vfs.toJSON());
  });
});

describe("what is in a snapshot, and what is not", () => {
  test("a context takes what it sees from its root", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fromJSON({ "/inside/a": "1", "/outside": "2" });
    vfs.chroot("/inside");
    assert.deepEqual((await load(await bytesOf(vfs))).toJSON(), { "/a": "1" });
  });

  test("the moment is that of the call: later changes are not in it, also when it is read later and twice", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fromJSON({ "/a": "before", "/b": "before" });
    const snapshot = await vfs.snapshot();
    vfs.fromJSON({ "/a": "after", "/new": "after" });
    vfs.fs.unlinkSync("/b");
    const [one, two] = [await snapshot.bytes(), await snapshot.bytes()];
    assert.deepEqual(Buffer.from(one), Buffer.from(two));
    assert.deepEqual((await load(one)).toJSON(), { "/a": "before", "/b": "before" });
    snapshot.close();
    await assert.rejects(snapshot.bytes(), { code: "ERR_THREADFS_CLOSED" });
    snapshot.close();
  });

  test("a file that is open and has no name is not in it, and the thread's context and descriptors go on", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    const { fs } = vfs.context();
    const fd = fs.openSync("/gone", "w+");
    fs.unlinkSync("/gone");
    const bytes = await bytesOf(vfs);
    fs.writeSync(fd, "still open");
    assert.deepEqual((await load(bytes)).toJSON(), {});
    fs.closeSync(fd);
    assert.deepEqual(problemsOf(vfs), []);
  });
});

describe("where a snapshot comes from", () => {
  let bytes: Uint8Array<ArrayBuffer>;
  const files = { "/a/b": "1", "/c": "2".repeat(300_000) };
  before(async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fromJSON(files);
    bytes = Uint8Array.from(await bytesOf(vfs));
  });
  const sources: Record<string, () => SnapshotSource> = {
    bytes: () => bytes,
    "an ArrayBuffer": () => bytes.buffer,
    "shared memory": () => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      return [shared];
    },
    "pieces of 7 bytes": function* () {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    },
    "empty pieces too": () => [new Uint8Array(), bytes.subarray(0, 20), new Uint8Array(), bytes.subarray(20)],
    "a stream of Node": () => Readable.from([Buffer.from(bytes)]),
    "a stream of the web": () => new Blob([bytes]).stream() as unknown as SnapshotSource,
    "a stream of the web without an iterator": () =>
      ({ getReader: () => new Blob([bytes]).stream().getReader() }) as SnapshotSource,
  };
  for (const [name, source] of Object.entries(sources)) {
    test(name, async () => {
      assert.deepEqual((await load(source())).toJSON(), files);
    });
  }
  test("a file that a snapshot was written to, and another process", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "threadfs-snapshot-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fromJSON(files);
    const snapshot = await vfs.snapshot();
    await writeFile(join(directory, "tree"), snapshot);
    snapshot.close();
    assert.deepEqual((await load(createReadStream(join(directory, "tree")))).toJSON(), files);
    const program = `
      import { createVfs } from ${JSON.stringify(ENTRY)};
      const vfs = await createVfs({ maxBytes: ${16 * MIB}, snapshot: process.stdin });
      process.stdout.write(JSON.stringify(vfs.toJSON()));
    `;
    const args = ["--input-type=module", "--eval", program];
    const child = spawnSync(process.execPath, args, { input: bytes, encoding: "utf8" });
    assert.deepEqual(JSON.parse(child.stdout || child.stderr), files);
  });
  test("what a source throws is the error, and a source that is not read to its end is told", async () => {
    let ended = false;
    const source = async function* () {
      try {
        yield bytes.subarray(0, 100_000);
        throw new Error("the disk is gone");
      } finally {
        ended = true;
      }
    };
    await assert.rejects(load(source()), { message: "the disk is gone" });
    assert.ok(ended);
    ended = false;
    const bad = async function* () {
      try {
        for (;;) yield new Uint8Array(1000);
      } finally {
        ended = true;
      }
    };
    await assert.rejects(load(bad()), { code: "ERR_THREADFS_SNAPSHOT" });
    assert.ok(ended);
  });
  for (const bad of [5, "text", {}, null, [5], ["text"]]) {
    test(`${JSON.stringify(bad)} is no source`, async () => {
      await assert.rejects(load(bad as unknown as SnapshotSource), { code: "ERR_INVALID_ARG_TYPE" });
    });
  }
  test("maxBytes that is too small is ENOSPC, with the path", async () => {
    const big = await tree({ maxBytes: 16 * MIB });
    big.fs.writeFileSync("/big", Buffer.alloc(3 * MIB, 1));
    await assert.rejects(load(await bytesOf(big), 2 * MIB), { code: "ENOSPC", path: "/big" });
  });
});

describe("what a snapshot refuses", () => {
  test("another mount, unless it is skipped: then it has what is below", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fromJSON({ "/m/below": "1", "/d/f": "2", "/b/under": "3", "/file": "4", "/over": "5" });
    for (const mount of [
      () => vfs.mount(null, "/m", "tmpfs"),
      () => vfs.mount("/d", "/b", "bind"),
      () => vfs.mount("/", "/d", "bind"),
      () => vfs.mount("/file", "/over", "bind"),
      () => vfs.mount(null, "/m", "tmpfs"),
    ]) {
      mount();
      const snapshot = await vfs.snapshot();
      await assert.rejects(snapshot.bytes(), { code: "ERR_THREADFS_SNAPSHOT_MOUNT" });
      snapshot.close();
    }
    const skipping = await vfs.snapshot({ mounts: "skip" });
    const expected = { "/m/below": "1", "/d/f": "2", "/b/under": "3", "/file": "4", "/over": "5" };
    assert.deepEqual((await load(await skipping.bytes())).toJSON(), expected);
    skipping.close();
    assert.equal(vfs.fs.existsSync("/m/below"), false, "the tree itself keeps its mounts");
  });
  test("a context without CAP_SYS_ADMIN", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    const user = vfs.context({ uid: 1000, gid: 1000 });
    await assert.rejects(
      copyArena(user.calls, () => 0),
      { code: "EPERM", syscall: "snapshot" },
    );
  });
  test("wrong options", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    await assert.rejects(vfs.snapshot({ mounts: "keep" as "skip" }), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(vfs.snapshot({ other: 1 } as object), { code: "ERR_INVALID_ARG_VALUE" });
  });
  test("a closed tree; cloning", async () => {
    const vfs = await createVfs({ maxBytes: 4 * MIB });
    const snapshot = await vfs.snapshot();
    assert.throws(() => structuredClone(snapshot), { code: "ERR_THREADFS_NOT_CLONEABLE" });
    vfs.close();
    await assert.rejects(vfs.snapshot(), { code: "ERR_THREADFS_CLOSED" });
    assert.ok((await snapshot.bytes()).length > 0, "it outlives its tree");
    snapshot.close();
  });
});

describe("beside other threads", () => {
  // Fails when arenaCopy() does not exclude the others.
  test("it waits for a thread in the middle of a rename, and has the rename as a whole", async (t) => {
    const debug = await treeFor(t);
    debug.vfs.fs.mkdirSync("/d");
    debug.vfs.fs.writeFileSync("/d/old", "x");
    const mover = await debug.parked(`vfs.fs.renameSync("/d/old", "/new");`, POINT.MOVE_NAMES, 1);
    const hasty = await debug.attach({ lockTimeoutMs: 60 });
    const outcome = await hasty.snapshot().then(
      () => "a snapshot",
      ({ code }) => code,
    );
    const pending = debug.vfs.snapshot();
    await mover.release();
    assert.equal(outcome, "ERR_THREADFS_TIMEOUT");
    const snapshot = await pending;
    assert.deepEqual((await load(await snapshot.bytes())).toJSON(), { "/d": null, "/new": "x" });
    snapshot.close();
  });
  test("a thread that has died in its call keeps it waiting until its death is known", async (t) => {
    const debug = await treeFor(t);
    debug.vfs.fs.writeFileSync("/old", "x");
    const mover = await debug.parked(`vfs.fs.renameSync("/old", "/new");`, POINT.MOVE_NAMES, 1);
    const { slot } = mover;
    await mover.kill();
    const pending = debug.vfs.snapshot();
    debug.vfs.threadDied(slot);
    const snapshot = await pending;
    assert.deepEqual((await load(await snapshot.bytes())).toJSON(), { "/old": "x" });
    snapshot.close();
  });
});
