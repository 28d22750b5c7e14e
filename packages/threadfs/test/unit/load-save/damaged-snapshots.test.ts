/** A snapshot that is damaged, or written by an enemy, makes no tree and harms nothing. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { randomBelow } from "../../../../cli/dist/support/random.js";
import { createVfs } from "../../../dist/src/index.js";
import { BlockWriter, headerBytes } from "../../../dist/src/load-save/snapshot/block-writer.js";
import { crc32, crc32Portable } from "../../../dist/src/load-save/snapshot/crc32.js";
import { BLOCK_HEADER_BYTES, HEADER_BYTES, RECORD } from "../../../dist/src/load-save/snapshot/format.js";
import { tree } from "../api/trees.js";
import { problemsOf } from "./whole-tree.js";

const MAX_BYTES = 4 << 20;
let valid: Uint8Array;

before(async () => {
  const vfs = await tree({ maxBytes: MAX_BYTES });
  vfs.fromJSON({ "/d/f": "contents", "/e": null });
  vfs.fs.symlinkSync("/d", "/link");
  vfs.fs.linkSync("/d/f", "/hard");
  vfs.setfacl("/e", [
    { tag: 1, perm: 7 },
    { tag: 2, id: 5, perm: 7 },
    { tag: 4, perm: 5 },
    { tag: 16, perm: 7 },
    { tag: 32, perm: 0 },
  ]);
  const snapshot = await vfs.snapshot();
  valid = await snapshot.bytes();
  snapshot.close();
});

/** The code of the error; "loaded": a tree came of it, and the tree is sound. */
async function outcome(snapshot: Uint8Array): Promise<string> {
  try {
    const vfs = await createVfs({ maxBytes: MAX_BYTES, snapshot });
    try {
      assert.deepEqual(problemsOf(vfs), []);
      return "loaded";
    } finally {
      vfs.close();
    }
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined || code === "ERR_ASSERTION") throw error;
    return code;
  }
}

/** Which outcomes there were, beside the wanted one. */
async function others(wanted: string, snapshots: Iterable<Uint8Array>): Promise<string[]> {
  const seen: string[] = [];
  for (const snapshot of snapshots) {
    const code = await outcome(snapshot);
    if (code !== wanted) seen.push(code);
  }
  return seen;
}

describe("a damaged snapshot is refused", () => {
  test("one that is cut off, wherever", async () => {
    const cut = Array.from({ length: valid.length }, (_, length) => valid.subarray(0, length));
    assert.deepEqual(await others("ERR_THREADFS_SNAPSHOT", cut), []);
  });
  test("one with a bit that is another, wherever", async () => {
    const flipped = Array.from(valid, (_, at) => {
      const copy = valid.slice();
      copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
      return copy;
    });
    const refused = await others("ERR_THREADFS_SNAPSHOT", flipped);
    assert.deepEqual(refused, Array(4).fill("ERR_THREADFS_SNAPSHOT_VERSION"), "the bytes of the version");
  });
  test("one with bytes behind its end", async () => {
    const longer = new Uint8Array([...valid, ...valid.subarray(HEADER_BYTES)]);
    assert.equal(await outcome(longer), "ERR_THREADFS_SNAPSHOT");
  });
  test("no bytes, and those of something else", async () => {
    for (const bytes of [new Uint8Array(), new TextEncoder().encode("PK\u0003\u0004 or whatever it is")])
      assert.equal(await outcome(bytes), "ERR_THREADFS_SNAPSHOT");
  });
});

const NAME = new TextEncoder().encode("name");
const time = { sec: 1, nsec: 2 };
const times = { atime: time, mtime: time, ctime: time, birthtime: time };
const directory = { mode: 0o40755, uid: 0, gid: 0, ...times };
const file = { ...directory, mode: 0o100644 };
const link = { ...directory, mode: 0o120777 };
const text = (name: string) => new TextEncoder().encode(name);

/** A snapshot whose sums are right. `entries` of the root directory; `count` of them. */
function written(entries: (out: BlockWriter) => void, count: number): Uint8Array {
  const out = new BlockWriter();
  out.begin(RECORD.DIRECTORY).attributes(directory).end();
  entries(out);
  out.begin(RECORD.LEAVE).end();
  out.begin(RECORD.END).u32(count).end();
  return Buffer.concat([headerBytes(), out.take()]);
}

const empty = (out: BlockWriter, name: Uint8Array, attributes = file, size = 0, number = 0): void =>
  out.begin(RECORD.FILE).attributes(attributes).f64(size).u32(number).bytes(name).end();

/** Entries that no tree has, and how many the snapshot says there are. */
const CASES: Record<string, [(out: BlockWriter) => void, number]> = {
  "a name that leads out": [(out) => empty(out, text("..")), 1],
  "the directory itself": [(out) => empty(out, text(".")), 1],
  "no name": [(out) => empty(out, text("")), 1],
  "a path": [(out) => empty(out, text("a/b")), 1],
  "an absolute path": [(out) => empty(out, text("/a")), 1],
  "a NUL": [(out) => empty(out, text("a\0b")), 1],
  "256 bytes": [(out) => empty(out, text("n".repeat(256))), 1],
  "a link with a path for its name": [
    (out) => out.begin(RECORD.SYMLINK).attributes(link).u32(0).u8(2).bytes(text("..")).bytes(text("/etc")).end(),
    1,
  ],
  "a link to nothing": [(out) => out.begin(RECORD.SYMLINK).attributes(link).u32(0).u8(4).bytes(NAME).end(), 1],
  "a link whose name is longer than its record": [
    (out) => out.begin(RECORD.SYMLINK).attributes(link).u32(0).u8(200).bytes(NAME).end(),
    1,
  ],
  "a file twice": [(out) => [0, 1].forEach(() => void empty(out, NAME)), 2],
  "contents behind the size": [
    (out) => {
      empty(out, NAME, file, 3);
      out.begin(RECORD.DATA).f64(0).bytes(NAME).end();
    },
    1,
  ],
  "contents at a place that is none": [
    (out) => {
      empty(out, NAME, file, 100);
      out.begin(RECORD.DATA).f64(-1).bytes(NAME).end();
    },
    1,
  ],
  "contents of no file": [(out) => out.begin(RECORD.DATA).f64(0).bytes(NAME).end(), 0],
  "a size that is no number": [(out) => empty(out, NAME, file, Number.NaN), 1],
  "a negative size": [(out) => empty(out, NAME, file, -1), 1],
  "another name of no file": [(out) => out.begin(RECORD.LINK).u32(5).bytes(NAME).end(), 1],
  "a number of two files": [(out) => [text("a"), text("b")].forEach((name) => void empty(out, name, file, 0, 1)), 2],
  "a directory as a file": [(out) => empty(out, NAME, directory), 1],
  "a mode of more bits": [(out) => empty(out, NAME, { ...file, mode: 0o1000000 | file.mode }), 1],
  "an owner that means no change": [(out) => empty(out, NAME, { ...file, uid: 0xffffffff }), 1],
  "nanoseconds that mean now": [(out) => empty(out, NAME, { ...file, mtime: { sec: 1, nsec: 0x3fffffff } }), 1],
  "seconds that are no number": [(out) => empty(out, NAME, { ...file, ctime: { sec: Number.NaN, nsec: 0 } }), 1],
  "an access list cut off": [(out) => out.begin(RECORD.ACL).bytes(NAME).end(), 0],
  "a record of an unknown type": [(out) => out.begin(200).end(), 0],
  "a device": [
    (out) =>
      out
        .begin(RECORD.SPECIAL)
        .attributes({ ...file, mode: 0o060600 })
        .u32(0)
        .bytes(NAME)
        .end(),
    1,
  ],
  "the end of a directory too many": [(out) => out.begin(RECORD.LEAVE).end(), 0],
  "a directory that does not end": [(out) => out.begin(RECORD.DIRECTORY).attributes(directory).bytes(NAME).end(), 1],
  "fewer files than it says": [(out) => empty(out, NAME), 2],
  "a record without attributes": [(out) => out.begin(RECORD.FILE).bytes(NAME).end(), 1],
};

describe("a hostile snapshot, with right sums", () => {
  test("what this test writes is a snapshot otherwise", async () => {
    assert.equal(await outcome(written((out) => empty(out, NAME), 1)), "loaded");
  });
  for (const [name, [entries, count]] of Object.entries(CASES)) {
    test(name, async () => {
      assert.equal(await outcome(written(entries, count)), "ERR_THREADFS_SNAPSHOT");
    });
  }
  test("an access list that no file can have is the error of setfacl", async () => {
    const bad = written((out) => out.begin(RECORD.ACL).bytes(new Uint8Array(8).fill(255)).end(), 0);
    assert.equal(await outcome(bad), "EINVAL");
  });
  test("a file beyond the largest one is EFBIG", async () => {
    assert.equal(await outcome(written((out) => empty(out, NAME, file, 2 ** 50), 1)), "EFBIG");
  });
  test("directories in directories without end: a limit of descriptors", async () => {
    const out = new BlockWriter();
    const blocks: Uint8Array[] = [headerBytes()];
    out.begin(RECORD.DIRECTORY).attributes(directory).end();
    for (let n = 0; n < 20_000; n++) {
      out.begin(RECORD.DIRECTORY).attributes(directory).bytes(text("d")).end();
      if (out.isFull) blocks.push(out.take());
    }
    const vfs = createVfs({ maxBytes: 32 << 20, snapshot: [...blocks, out.take()] });
    await assert.rejects(vfs, { code: "EMFILE" });
  });
  test("random changes, with the sums made right again: an error with a code, or a sound tree", async () => {
    const random = randomBelow(7);
    const seen = new Map<string, number>();
    for (let round = 0; round < 1500; round++) {
      const copy = valid.slice();
      for (let n = 1 + random(3); n > 0; n--) {
        const at = HEADER_BYTES + BLOCK_HEADER_BYTES + random(copy.length - 24);
        copy[at] = random(2) === 0 ? (copy[at] ?? 0) ^ (1 << random(8)) : random(256);
      }
      new DataView(copy.buffer).setUint32(
        HEADER_BYTES + 4,
        crc32(copy.subarray(HEADER_BYTES + BLOCK_HEADER_BYTES)),
        true,
      );
      const code = await outcome(copy);
      seen.set(code, (seen.get(code) ?? 0) + 1);
    }
    assert.equal(seen.has("ERR_THREADFS_PANIC"), false);
    assert.ok((seen.get("loaded") ?? 0) > 0 && (seen.get("ERR_THREADFS_SNAPSHOT") ?? 0) > 0, JSON.stringify([...seen]));
  });
});

test("the sum without Node's zlib is the same", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) % 251);
  for (const length of [0, 1, 2, 3, 4, 5, 255, 999, 1000]) {
    const part = bytes.subarray(1, length);
    assert.equal(crc32Portable(part), crc32(part));
  }
  assert.equal(crc32Portable(text("123456789")), 0xcbf43926);
});
