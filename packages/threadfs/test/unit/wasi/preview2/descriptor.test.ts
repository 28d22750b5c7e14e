/** threadfs/wasi-preview2: descriptors of wasi:filesystem. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BOTH, boxed, CREATE, drop, FOLLOW, NOFOLLOW, outcome, READ, text } from "./component.js";

test("reads and writes at a position; a read tells whether it has reached the end", async (t) => {
  const { vfs, open } = await boxed(t);
  const f = open("f");
  const [bytes, end] = f.read(3n, 4n);
  assert.deepEqual([text(bytes), end], ["456", false]);
  assert.deepEqual(f.read(100n, 8n)[1], true);
  assert.equal(f.write(Buffer.from("ab"), 9n), 2n);
  assert.equal(f.write(Buffer.from("Z"), 14n), 1n);
  assert.equal(vfs.fs.readFileSync("/box/f", "latin1"), "012345678ab\0\0\0Z");
  assert.deepEqual([f.read(0n, 0n)[0].length, f.read(9n, 2n ** 60n)], [0, [new Uint8Array(0), true]]);
  f.setSize(2n);
  assert.equal(text(f.read(2n ** 64n - 1n, 0n)[0]), "01");
  f.sync();
  f.syncData();
  f.advise(0n, 0n, "sequential");
});

test("more than fits into the scratch area, and more than one call returns", async (t) => {
  const { vfs, open } = await boxed(t);
  const long = new Uint8Array(1_500_000).map((_, i) => i % 251);
  const f = open("long", true);
  assert.equal(f.write(long, 0n), 1_500_000n);
  assert.deepEqual(vfs.fs.readFileSync("/box/long"), Buffer.from(long));
  const [first, end] = f.read(2_000_000n, 0n);
  assert.deepEqual([first.length, end], [1 << 20, false]);
  const [rest, atEnd] = f.read(2_000_000n, BigInt(first.length));
  assert.deepEqual(Buffer.concat([first, rest]), Buffer.from(long));
  assert.equal(atEnd, true);
  assert.deepEqual(f.read(5000n, 100n)[0], long.slice(100, 5100));
});

test("a descriptor is good for what it was opened for", async (t) => {
  const { vfs, box } = await boxed(t);
  const [read, write, none] = [{ read: true }, { write: true }, {}].map((flags) =>
    box.openAt(NOFOLLOW, "f", {}, flags),
  );
  const byte = new Uint8Array(1);
  assert.equal(
    outcome(() => read?.write(byte, 0n)),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => read?.writeViaStream(0n)),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => read?.setSize(0n)),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => write?.read(1n, 0n)),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => none?.readViaStream(0n)),
    "bad-descriptor",
  );
  assert.equal(none?.stat().size, 10n);
  const flags = { read: true, write: true, fileIntegritySync: true, dataIntegritySync: false };
  assert.deepEqual(box.openAt(NOFOLLOW, "f", {}, flags).getFlags(), { ...flags, mutateDirectory: false });
  assert.deepEqual(box.getFlags(), { read: true, mutateDirectory: true });
  assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "0123456789");
});

test("a directory has no contents", async (t) => {
  const { box, open } = await boxed(t);
  assert.equal(
    outcome(() => box.read(1n, 0n)),
    "is-directory",
  );
  assert.equal(
    outcome(() => box.readViaStream(0n)),
    "is-directory",
  );
  assert.equal(
    outcome(() => box.appendViaStream()),
    "is-directory",
  );
  assert.equal(
    outcome(() => box.setSize(1n)),
    "is-directory",
  );
  assert.equal(
    outcome(() => box.advise(0n, 0n, "normal")),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => open("f").readDirectory()),
    "not-directory",
  );
  assert.equal(
    outcome(() => open("f").openAt(FOLLOW, "f", {}, READ)),
    "not-directory",
  );
  assert.equal(
    outcome(() => box.openAt(FOLLOW, ".", {}, BOTH)),
    "is-directory",
  );
});

describe("attributes", () => {
  test("stat and stat-at, of a link itself and of what it leads to", async (t) => {
    const { vfs, box, open } = await boxed(t);
    box.symlinkAt("f", "link");
    vfs.fs.utimesSync("/box/f", 5, 7.5);
    vfs.fs.linkSync("/box/f", "/box/g");
    const stat = open("f").stat();
    assert.deepEqual(
      { ...stat, statusChangeTimestamp: 0 },
      {
        type: "regular-file",
        linkCount: 2n,
        size: 10n,
        dataAccessTimestamp: { seconds: 5n, nanoseconds: 0 },
        dataModificationTimestamp: { seconds: 7n, nanoseconds: 500_000_000 },
        statusChangeTimestamp: 0,
      },
    );
    assert.deepEqual(box.statAt(FOLLOW, "link"), stat);
    assert.equal(box.statAt(NOFOLLOW, "link").type, "symbolic-link");
    assert.deepEqual([box.stat().type, box.getType(), open("f").getType()], ["directory", "directory", "regular-file"]);
    vfs.fs.utimesSync("/box/f", new Date(-5000), 7);
    assert.equal("dataAccessTimestamp" in open("f").stat(), false);
    vfs.linux.mkfifoSync("/box/pipe");
    assert.equal(box.statAt(NOFOLLOW, "pipe").type, "fifo");
  });

  test("times: set, now, left, of an open file and of a path", async (t) => {
    const { box, open } = await boxed(t);
    const at = (seconds: bigint, nanoseconds = 0) => ({ tag: "timestamp", val: { seconds, nanoseconds } }) as const;
    const f = open("f");
    f.setTimes(at(1n, 2), at(3n, 999_999_999));
    assert.deepEqual(f.stat().dataAccessTimestamp, { seconds: 1n, nanoseconds: 2 });
    f.setTimes({ tag: "no-change" }, at(4n));
    assert.deepEqual(f.stat().dataAccessTimestamp, { seconds: 1n, nanoseconds: 2 });
    assert.deepEqual(f.stat().dataModificationTimestamp, { seconds: 4n, nanoseconds: 0 });
    f.setTimes({ tag: "now" }, { tag: "no-change" });
    assert.ok((f.stat().dataAccessTimestamp?.seconds ?? 0n) > 1_600_000_000n);
    box.symlinkAt("f", "link");
    box.setTimesAt(FOLLOW, "link", at(8n), at(9n));
    box.setTimesAt(NOFOLLOW, "link", at(10n), at(11n));
    assert.deepEqual([f.stat().dataModificationTimestamp?.seconds, f.stat().dataAccessTimestamp?.seconds], [9n, 8n]);
    assert.equal(box.statAt(NOFOLLOW, "link").dataModificationTimestamp?.seconds, 11n);
    assert.equal(
      outcome(() => f.setTimes(at(2n ** 63n), at(0n))),
      "overflow",
    );
    assert.equal(
      outcome(() => f.setTimes(at(1n, 1_000_000_000), at(0n))),
      "invalid",
    );
    assert.equal(
      outcome(() => f.setTimes(at(1n, -1), at(0n))),
      "invalid",
    );
  });

  test("the same object by two names, and hashes of which one half says which file it is", async (t) => {
    const { vfs, preview2, box, open } = await boxed(t);
    vfs.fs.linkSync("/box/f", "/box/g");
    vfs.fs.writeFileSync("/box/other", "0123456789");
    const [f, g, other] = [open("f"), open("g"), open("other")];
    assert.deepEqual([f.isSameObject(g), f.isSameObject(f), f.isSameObject(other)], [true, true, false]);
    const before = f.metadataHash();
    assert.deepEqual([g.metadataHash(), box.metadataHashAt(FOLLOW, "f")], [before, before]);
    assert.notEqual(other.metadataHash().lower, before.lower);
    g.setSize(3n);
    const after = f.metadataHash();
    assert.deepEqual([after.lower === before.lower, after.upper === before.upper], [true, false]);
    const [[again]] = preview2.filesystem.preopens.getDirectories() as [[typeof box, string]];
    assert.equal(again.isSameObject(box), true);
  });
});

test("make, link, move and remove", async (t) => {
  const { vfs, box, open } = await boxed(t);
  box.createDirectoryAt("d");
  const d = box.openAt(NOFOLLOW, "d", { directory: true }, READ);
  box.linkAt(NOFOLLOW, "f", d, "g");
  box.renameAt("f", d, "h");
  box.symlinkAt("d/h", "link");
  box.linkAt(FOLLOW, "link", box, "followed");
  box.linkAt(NOFOLLOW, "link", box, "link2");
  assert.equal(box.readlinkAt("link2"), "d/h");
  assert.deepEqual(vfs.fs.readdirSync("/box").sort(), ["d", "followed", "link", "link2"]);
  assert.equal(vfs.fs.lstatSync("/box/followed").nlink, 3);
  assert.equal(
    outcome(() => box.removeDirectoryAt("d")),
    "not-empty",
  );
  assert.equal(
    outcome(() => box.unlinkFileAt("d")),
    "is-directory",
  );
  assert.equal(
    outcome(() => box.removeDirectoryAt("link")),
    "not-directory",
  );
  d.unlinkFileAt("g");
  d.unlinkFileAt("h");
  box.removeDirectoryAt("d");
  for (const name of ["followed", "link", "link2"]) box.unlinkFileAt(name);
  assert.deepEqual(vfs.fs.readdirSync("/box"), []);
  assert.equal(
    outcome(() => open("f")),
    "no-entry",
  );
  assert.equal(
    outcome(() => d.createDirectoryAt("x")),
    "no-entry",
  );
});

test("open flags", async (t) => {
  const { vfs, box } = await boxed(t);
  box.openAt(NOFOLLOW, "new", { create: true, exclusive: true }, BOTH);
  assert.equal(
    outcome(() => box.openAt(NOFOLLOW, "new", { create: true, exclusive: true }, BOTH)),
    "exist",
  );
  assert.equal(
    outcome(() => box.openAt(NOFOLLOW, "f", { directory: true }, READ)),
    "not-directory",
  );
  box.symlinkAt("f", "link");
  assert.equal(
    outcome(() => box.openAt(NOFOLLOW, "link", {}, READ)),
    "loop",
  );
  box.openAt(FOLLOW, "link", { truncate: true }, BOTH);
  assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "");
  assert.equal(vfs.fs.statSync("/box/new").mode & 0o777, 0o644);
});

test("a listing has every entry once, whatever is made and removed meanwhile", async (t) => {
  const { vfs, box } = await boxed(t);
  vfs.fs.unlinkSync("/box/f");
  const names = Array.from({ length: 200 }, (_, n) => `name-${n}`);
  for (const name of names) vfs.fs.writeFileSync(`/box/${name}`, "");
  vfs.fs.mkdirSync("/box/d");
  vfs.fs.symlinkSync("x", "/box/l");
  const stream = box.readDirectory();
  const seen: string[] = [];
  for (let entry = stream.readDirectoryEntry(); entry !== undefined; entry = stream.readDirectoryEntry()) {
    seen.push(entry.name);
    if (!entry.name.startsWith("name-")) assert.equal(entry.type, entry.name === "d" ? "directory" : "symbolic-link");
    vfs.fs.rmSync(`/box/${entry.name}`, { recursive: true });
  }
  assert.deepEqual(seen.sort(), [...names, "d", "l"].sort());
  assert.equal(stream.readDirectoryEntry(), undefined);
  drop(stream);
  assert.equal(
    outcome(() => stream.readDirectoryEntry()),
    "bad-descriptor",
  );
});

test("names and bodies that are no UTF-8 are illegal-byte-sequence, and a listing goes on behind one", async (t) => {
  const { vfs, box } = await boxed(t);
  vfs.fs.writeFileSync(Buffer.from("/box/\xff", "latin1"), "");
  vfs.fs.symlinkSync(Buffer.from("\xfe", "latin1"), "/box/link");
  const stream = box.readDirectory();
  const entries = Array.from({ length: 4 }, () => outcome(() => stream.readDirectoryEntry()?.name));
  assert.deepEqual(entries.sort(), ["f", "illegal-byte-sequence", "link", undefined]);
  assert.equal(
    outcome(() => box.readlinkAt("link")),
    "illegal-byte-sequence",
  );
  box.symlinkAt("\u{feff}ü", "bom");
  assert.equal(box.readlinkAt("bom"), "\u{feff}ü");
});

test("what is dropped is closed when its last stream is", async (t) => {
  const { vfs, preview2, box, open } = await boxed(t);
  assert.equal(vfs.counters().openFiles, 1);
  const f = open("f");
  const stream = f.readViaStream(2n);
  drop(f);
  assert.equal(
    outcome(() => f.stat()),
    "bad-descriptor",
  );
  assert.equal(vfs.counters().openFiles, 2);
  assert.equal(text(stream.read(3n)), "234");
  drop(stream);
  drop(stream);
  assert.equal(
    outcome(() => stream.read(1n)),
    "closed",
  );
  assert.equal(vfs.counters().openFiles, 1);
  drop(box);
  const [[again]] = preview2.filesystem.preopens.getDirectories() as [[typeof box, string]];
  const g = again.openAt(FOLLOW, "g", CREATE, BOTH);
  preview2.close();
  preview2.close();
  assert.equal(vfs.counters().openFiles, 0);
  assert.equal(
    outcome(() => g.stat()),
    "bad-descriptor",
  );
  assert.equal(
    outcome(() => again.statAt(FOLLOW, "f")),
    "bad-descriptor",
  );
  drop(g);
  assert.equal(vfs.counters().openFiles, 0);
});
