/** A directory of the disk comes into a tree and out of it as it was: the kernel's own calls say what it is, there and back. */
import assert from "node:assert/strict";
import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, type TestContext, test } from "node:test";
import { createFsFromVolume, Volume } from "memfs";
import type { CopyProgress, DirectoryFs, Vfs } from "../../../dist/src/index.js";
import { tree } from "../api/trees.js";
import { problemsOf } from "./whole-tree.js";

const MIB = 1 << 20;
/** What an export may lose of a time: Node sets microseconds, of a number of seconds whose steps are 238 ns today. */
const LOST_NS = 1_240n;

function directoryFor(t: TestContext): string {
  const directory = nodeFs.mkdtempSync(join(tmpdir(), "threadfs-directory-"));
  t.after(() => nodeFs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Seen {
  kind: string;
  mode: number;
  nlink: number;
  isSparse: boolean;
  /** All names of the same file. */
  names: string;
  target?: string;
  contents?: string;
}

/** Everything below a directory by its path, as `lstat` has it; both kinds of `fs` by the same calls. */
function seenIn(fs: typeof nodeFs, top: string): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const names = new Map<bigint, string[]>();
  const inos = new Map<string, bigint>();
  const pending = [Buffer.from(top)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const s = fs.lstatSync(path, { bigint: true });
    const key = path.subarray(top.length).toString("latin1");
    const kind = s.isDirectory() ? "directory" : s.isSymbolicLink() ? "link" : s.isFile() ? "file" : "other";
    const file: Seen = {
      kind,
      mode: Number(s.mode & 0o7777n),
      nlink: kind === "directory" ? 0 : Number(s.nlink),
      isSparse: kind === "file" && s.blocks * 512n < s.size,
      names: "",
    };
    seen.set(key, file);
    inos.set(key, s.ino);
    if (kind !== "directory") names.set(s.ino, [...(names.get(s.ino) ?? []), key]);
    if (kind === "link") file.target = fs.readlinkSync(path, "latin1" as "utf8");
    if (kind === "file") file.contents = fs.readFileSync(path, "base64");
    if (kind !== "directory") continue;
    for (const name of fs.readdirSync(path, "buffer")) pending.push(Buffer.concat([path, Buffer.from("/"), name]));
  }
  for (const [key, file] of seen) file.names = (names.get(inos.get(key) ?? 0n) ?? [key]).sort().join();
  return seen;
}

const fsOf = (vfs: Vfs): typeof nodeFs => vfs.fs as unknown as typeof nodeFs;

/** Compares two trees, path by path. */
function assertSame(actual: Map<string, Seen>, expected: Map<string, Seen>): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [path, file] of expected) assert.deepEqual(actual.get(path), file, path);
}

/** Makes files of every kind below a directory, with the kernel's calls. */
function makeEverything(top: string): void {
  const fs = nodeFs;
  fs.mkdirSync(join(top, "a/b/c"), { recursive: true });
  fs.mkdirSync(join(top, "empty"));
  for (const size of [0, 1, 16, 4095, 4096, 4097, MIB, MIB + 1, 2_500_000]) {
    fs.writeFileSync(join(top, `a/sized-${size}`), Buffer.alloc(size, `${size}`));
  }
  fs.writeFileSync(Buffer.concat([Buffer.from(`${top}/a/`), Buffer.from([0xff, 0xfe])]), "no UTF-8");
  fs.symlinkSync("a/b", join(top, "link"));
  fs.symlinkSync("/nowhere/\u00e9", join(top, "a/dangling"));
  fs.linkSync(join(top, "a/sized-16"), join(top, "a/b/hard"));
  fs.linkSync(join(top, "a/sized-16"), join(top, "empty-not"));
  fs.linkSync(join(top, "link"), join(top, "hard-link"));
  const holes = fs.openSync(join(top, "holes"), "w");
  for (const at of [0, 300_000, 5_000_000]) fs.writeSync(holes, "data", at);
  fs.ftruncateSync(holes, 9_000_001);
  fs.closeSync(holes);
  fs.writeFileSync(join(top, "hole"), "");
  fs.truncateSync(join(top, "hole"), 3 * MIB);
  fs.writeFileSync(join(top, "zeros"), Buffer.alloc(200_000));
  fs.chmodSync(join(top, "a/sized-1"), 0o4751);
  fs.chmodSync(join(top, "a/sized-4096"), 0o400);
  fs.lutimesSync(join(top, "link"), 1_000_000.25, 12_345_678.5);
  fs.utimesSync(join(top, "a/sized-0"), 1_600_000_000.123456, -86_400.75);
  fs.utimesSync(join(top, "a/b/c"), 5, 6);
  fs.chmodSync(join(top, "a/b/c"), 0o2551);
  fs.chmodSync(join(top, "empty"), 0o1777);
  fs.utimesSync(join(top, "a"), 1_700_000_000, 1_700_000_001);
}

/** Whether the disk of these tests keeps holes: else there is nothing to compare. */
let keepsHoles = false;
before(() => {
  const file = join(tmpdir(), `threadfs-hole-${process.pid}`);
  nodeFs.writeFileSync(file, "");
  nodeFs.truncateSync(file, MIB);
  keepsHoles = nodeFs.statSync(file).blocks === 0;
  nodeFs.rmSync(file);
});

/** Times by path, before a walk that reads contents changes them. */
function timesIn(fs: typeof nodeFs, top: string, keys: Iterable<string>): Map<string, nodeFs.BigIntStats> {
  return new Map([...keys].map((key) => [key, fs.lstatSync(Buffer.from(top + key, "latin1"), { bigint: true })]));
}

test("a directory of the disk comes in as the kernel shows it, and out again", async (t) => {
  const top = directoryFor(t);
  makeEverything(top);
  const disk = seenIn(nodeFs, top);
  const vfs = await tree({ maxBytes: 64 * MIB });
  const times = timesIn(nodeFs, top, disk.keys());
  await vfs.importDirectory(top, "/in");
  const imported = timesIn(fsOf(vfs), "/in", disk.keys());
  for (const [key, { atimeNs, mtimeNs }] of times) {
    const time = imported.get(key);
    assert.equal(time?.mtimeNs, mtimeNs, key);
    // Listing a directory has changed its time on the disk.
    if (disk.get(key)?.kind !== "directory") assert.equal(time?.atimeNs, atimeNs, key);
  }
  assert.deepEqual(problemsOf(vfs), []);
  const inTree = seenIn(fsOf(vfs), "/in");
  if (keepsHoles) assert.ok(inTree.get("/holes")?.isSparse && inTree.get("/hole")?.isSparse);
  assertSame(inTree, disk);

  const out = join(directoryFor(t), "out");
  await vfs.exportDirectory("/in", out);
  const exported = timesIn(nodeFs, out, disk.keys());
  assertSame(seenIn(nodeFs, out), disk);
  for (const [key, { mtimeNs }] of times) {
    const off = mtimeNs - (exported.get(key)?.mtimeNs ?? 0n);
    assert.ok((off < 0n ? -off : off) <= LOST_NS, `${key}: ${off} ns off`);
  }
});

describe("a directory of the disk", () => {
  test("an import into / keeps the attributes of /, and a second one into the same place is EEXIST", async (t) => {
    const top = directoryFor(t);
    nodeFs.writeFileSync(join(top, "file"), "1");
    nodeFs.chmodSync(top, 0o700);
    const vfs = await tree({ maxBytes: 16 * MIB });
    await vfs.importDirectory(top);
    assert.equal(vfs.fs.statSync("/").mode & 0o7777, 0o755);
    assert.deepEqual(vfs.toJSON(), { "/file": "1" });
    await assert.rejects(vfs.importDirectory(top), { code: "EEXIST" });
  });

  test("an export writes through no link that is there already", async (t) => {
    const top = directoryFor(t);
    const outside = directoryFor(t);
    nodeFs.symlinkSync(outside, join(top, "d"));
    nodeFs.symlinkSync(join(outside, "file"), join(top, "f"));
    const vfs = await tree({ maxBytes: 16 * MIB });
    for (const files of [{ "/one/d/secret": "1" }, { "/two/f": "1" }] as Record<string, string>[]) vfs.fromJSON(files);
    await assert.rejects(vfs.exportDirectory("/one", top), { code: "EEXIST" });
    await assert.rejects(vfs.exportDirectory("/two", top), { code: "EEXIST" });
    assert.deepEqual(nodeFs.readdirSync(outside), []);
  });

  test("owners are kept if asked for", { skip: process.getuid?.() !== 0 }, async (t) => {
    const top = directoryFor(t);
    nodeFs.writeFileSync(join(top, "file"), "");
    nodeFs.symlinkSync("x", join(top, "link"));
    nodeFs.chownSync(join(top, "file"), 1000, 1001);
    nodeFs.lchownSync(join(top, "link"), 1002, 1003);
    const vfs = await tree({ maxBytes: 16 * MIB });
    await vfs.importDirectory(top, "/with", { owners: true });
    await vfs.importDirectory(top, "/without");
    const owner = (path: string) => [vfs.fs.lstatSync(path).uid, vfs.fs.lstatSync(path).gid];
    assert.deepEqual(
      [owner("/with/file"), owner("/with/link")],
      [
        [1000, 1001],
        [1002, 1003],
      ],
    );
    assert.deepEqual(
      [owner("/without/file"), owner("/without/link")],
      [
        [0, 0],
        [0, 0],
      ],
    );
  });

  test("what is no file, directory or link is refused, or skipped", async (t) => {
    const top = directoryFor(t);
    nodeFs.writeFileSync(join(top, "file"), "1");
    const special: DirectoryFs = Object.create(nodeFs, {
      lstatSync: {
        value: (path: Buffer, options: { bigint: true }) => {
          const stats = nodeFs.lstatSync(path, options);
          if (Buffer.from(path).toString().endsWith("file")) stats.mode = 0o010644n;
          return stats;
        },
      },
    });
    const vfs = await tree({ maxBytes: 16 * MIB });
    await assert.rejects(vfs.importDirectory(top, "/a", { fs: special }), {
      code: "ERR_THREADFS_FILE_TYPE",
      path: join(top, "file"),
    });
    await vfs.importDirectory(top, "/b", { fs: special, special: "skip" });
    assert.deepEqual(vfs.fs.readdirSync("/b"), []);
  });
});

describe("a copy under way", () => {
  const files = { "/from/a": "12", "/from/d/b": "345", "/from/e": null };
  test("tells its progress, file by file", async () => {
    const [vfs, other] = [await tree({ maxBytes: 16 * MIB }), await tree({ maxBytes: 16 * MIB })];
    vfs.fromJSON(files);
    const seen: CopyProgress[] = [];
    await vfs.exportDirectory("/from", "/to", {
      fs: other.fs,
      onProgress: (p) => seen.push(p),
    });
    assert.deepEqual(seen.map(({ path }) => path).sort(), ["", "a", "d", "d/b", "e"]);
    assert.deepEqual(seen.at(-1), { path: "", files: 5, bytes: 5 });
    assert.deepEqual(other.toJSON(), { "/to/a": "12", "/to/d/b": "345", "/to/e": null });
  });
  test("ends when it is aborted, or when its listener throws, and closes what it opened", async () => {
    const [vfs, other] = [await tree({ maxBytes: 64 * MIB }), await tree({ maxBytes: 64 * MIB })];
    vfs.fromJSON({ "/from/a": "1", "/from/b": "2" });
    vfs.fs.writeFileSync("/from/long", Buffer.alloc(30 * MIB, 1));
    const fs = other.fs;
    await assert.rejects(vfs.exportDirectory("/from", "/x", { fs, signal: AbortSignal.abort() }), {
      code: "ABORT_ERR",
    });
    const thrown = new Error("enough");
    const onProgress = () => {
      throw thrown;
    };
    await assert.rejects(vfs.exportDirectory("/from", "/y", { fs, onProgress }), thrown);
    for (const each of [vfs, other]) assert.equal(each.fs.openSync("/", "r"), 3, "no descriptor is left open");
  });
  test("the event loop runs meanwhile", async () => {
    const [vfs, other] = [await tree({ maxBytes: 64 * MIB }), await tree({ maxBytes: 64 * MIB })];
    for (let n = 0; n < 3000; n++) vfs.fs.writeFileSync(`/f${n}`, "x".repeat(100));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await vfs.exportDirectory("/", "/to", { fs: other.fs });
    clearInterval(timer);
    assert.ok(turns > 0);
    assert.equal(other.fs.readdirSync("/to").length, 3000);
  });
  test("a hole in the tree stays one, and is not read", async () => {
    const [vfs, other] = [await tree({ maxBytes: 16 * MIB }), await tree({ maxBytes: 16 * MIB })];
    vfs.fs.mkdirSync("/from");
    vfs.fs.writeFileSync("/from/hole", "begins");
    vfs.fs.truncateSync("/from/hole", 2 ** 31);
    await vfs.exportDirectory("/from", "/to", { fs: other.fs });
    assert.equal(other.fs.statSync("/to/hole").size, 2 ** 31);
    const fd = other.fs.openSync("/to/hole", "r");
    const begin = Buffer.alloc(8);
    other.fs.readSync(fd, begin, 0, 8, 0);
    assert.equal(begin.toString(), "begins\0\0");
  });
});

test("a volume of memfs comes in, and a tree goes out to one", async () => {
  const from = Volume.fromJSON({ "/a/b": "1", "/c": "2" });
  from.symlinkSync("/a/b", "/link");
  from.linkSync("/c", "/hard");
  const vfs = await tree({ maxBytes: 16 * MIB });
  await vfs.importDirectory("/", "/in", { fs: createFsFromVolume(from) });
  assert.deepEqual(vfs.toJSON(), { "/in/a/b": "1", "/in/c": "2", "/in/hard": "2" });
  assert.deepEqual([vfs.fs.readlinkSync("/in/link"), vfs.fs.statSync("/in/hard").nlink], ["/a/b", 2]);
  const to = new Volume();
  await vfs.exportDirectory("/in", "/out", { fs: createFsFromVolume(to) });
  assert.deepEqual(to.toJSON(), { "/out/a/b": "1", "/out/c": "2", "/out/hard": "2" });
});

describe("extended attributes and ACLs", () => {
  const ACL = [1, 2, 4, 16, 32].map((tag) => ({ tag, id: tag === 2 ? 7 : 0xffffffff, perm: tag === 32 ? 0 : 6 }));
  async function attributed(): Promise<Vfs> {
    const vfs = await tree({ maxBytes: 16 * MIB });
    vfs.fs.mkdirSync("/from/d", { recursive: true });
    vfs.fs.writeFileSync("/from/d/f", "f", { mode: 0o600 });
    vfs.fs.writeFileSync("/from/plain", "p", { mode: 0o640 });
    vfs.fs.symlinkSync("plain", "/from/l");
    vfs.setfacl("/from/d", ACL, { default: true });
    vfs.setfacl("/from/d/f", ACL);
    vfs.linux.setxattrSync("/from/d/f", "user.u", "x".repeat(5000));
    vfs.linux.setxattrSync("/from/l", "trusted.l", "", { nofollow: true });
    return vfs;
  }

  test("go from tree to tree, in the place of what the target would inherit", async () => {
    const [vfs, other] = [await attributed(), await tree({ maxBytes: 16 * MIB })];
    other.fs.mkdirSync("/to");
    other.setfacl("/to", ACL, { default: true });
    const { lost, files, bytes } = await vfs.exportDirectory("/from", "/to", { fs: other.fs, linux: other.linux });
    assert.deepEqual([lost, files, bytes], [[], 5, 2]);
    assert.deepEqual(other.getfacl("/to/d", { default: true }), ACL);
    assert.deepEqual([other.getfacl("/to/d"), other.getfacl("/to/d/f"), other.getfacl("/to/plain")], [[], ACL, []]);
    for (const path of ["d", "d/f", "plain"])
      assert.equal(other.fs.statSync(`/to/${path}`).mode, vfs.fs.statSync(`/from/${path}`).mode, path);
    assert.equal(`${other.linux.getxattrSync("/to/d/f", "user.u")}`, "x".repeat(5000));
    assert.deepEqual(other.linux.listxattrSync("/to/l", { nofollow: true }), ["trusted.l"]);
    const back = await tree({ maxBytes: 16 * MIB });
    await back.importDirectory("/to", "/", { fs: other.fs, linux: other.linux });
    assert.deepEqual(
      [back.getfacl("/d/f"), back.linux.listxattrSync("/d/f")],
      [ACL, vfs.linux.listxattrSync("/from/d/f")],
    );
    assert.deepEqual(problemsOf(back), []);
  });

  test("that the other side does not keep are told", async (t) => {
    const vfs = await attributed();
    const { lost } = await vfs.exportDirectory("/from", join(directoryFor(t), "to"));
    const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
    const all = [
      { path: "d", names: ["system.posix_acl_default"] },
      { path: "d/f", names: ["system.posix_acl_access", "user.u"] },
      { path: "l", names: ["trusted.l"] },
    ];
    assert.deepEqual([...lost].sort(byPath), all);
    // Another user may not set what only the superuser may.
    const other = await tree({ maxBytes: 16 * MIB });
    other.fs.mkdirSync("/home");
    other.fs.chownSync("/home", 1000, 1000);
    const { fs, linux } = other.context({ uid: 1000, gid: 1000 });
    const kept = await vfs.exportDirectory("/from", "/home/to", { fs, linux });
    assert.deepEqual(kept.lost, [{ path: "l", names: ["trusted.l"] }]);
    await assert.rejects(vfs.importDirectory("/", "/x", { linux: 1 } as never), { code: "ERR_INVALID_ARG_TYPE" });
  });
});

describe("what is refused", () => {
  test("wrong options and paths", async () => {
    const vfs = await tree({ maxBytes: 16 * MIB });
    const wrong = (options: object) => vfs.importDirectory("/", "/x", options);
    await assert.rejects(wrong({ other: 1 }), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(wrong({ special: "keep" }), { code: "ERR_INVALID_ARG_VALUE" });
    await assert.rejects(wrong({ onProgress: 1 }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(wrong({ owners: 1 }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(wrong({ fs: 1 }), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(vfs.importDirectory(5 as unknown as string), { code: "ERR_INVALID_ARG_TYPE" });
    await assert.rejects(vfs.importDirectory("/no/such/directory/at/all"), { code: "ENOENT" });
    await assert.rejects(vfs.exportDirectory("/none", "/tmp/never"), { code: "ENOENT" });
    await assert.rejects(vfs.importDirectory(process.execPath), { code: "ENOTDIR" });
    assert.deepEqual(vfs.fs.readdirSync("/"), []);
  });
});
