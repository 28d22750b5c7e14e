/**
 * A listing of a directory in memory is one call of the core. Its names are sorted by their bytes, five at a time, and made into strings by
 * JSON where they are plain.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { randomBelow } from "../../../../../cli/dist/support/random.js";
import { ERRNO, IO_SIZE, S_IFDIR, S_IFREG, SCRATCH } from "../../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT } from "../../../support/drivers/memory-driver.js";
import { rawCore } from "../../../support/raw-core.js";

async function tree(t: { after(end: () => void): void }): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  return vfs;
}

/** Makes a directory with these names, in this order, and lists it in every way. */
function lists({ fs }: Vfs, names: readonly Buffer[], t: string): void {
  const dir = `/${t}`;
  fs.mkdirSync(dir);
  for (const [n, name] of names.entries()) {
    const path = Buffer.concat([Buffer.from(`${dir}/`), name]);
    if (n % 3 === 0) fs.mkdirSync(path);
    else if (n % 3 === 1) fs.symlinkSync("x", path);
    else fs.closeSync(fs.openSync(path, "w"));
  }
  let listed: string[] | undefined;
  try {
    listed = fs.readdirSync(dir);
  } catch {
    // A list that JSON refuses is a wrong list.
  }
  const sorted = names.map((name, n) => ({ name, n })).sort((a, b) => Buffer.compare(a.name, b.name));
  assert.deepEqual(
    listed,
    sorted.map(({ name }) => name.toString()),
  );
  assert.deepEqual(
    fs.readdirSync(dir, "buffer").map((name) => name.toString("hex")),
    sorted.map(({ name }) => name.toString("hex")),
  );
  const typed = fs.readdirSync(dir, { withFileTypes: true, encoding: "latin1" });
  assert.deepEqual(
    typed.map((entry) => [entry.name, entry.isDirectory(), entry.isSymbolicLink(), entry.isFile()]),
    sorted.map(({ name, n }) => [name.toString("latin1"), n % 3 === 0, n % 3 === 1, n % 3 === 2]),
  );
}

const texts = (names: Iterable<string>): Buffer[] => Array.from(new Set(names), (name) => Buffer.from(name));

describe("a listing is sorted by the bytes of its names", () => {
  test("few and many, short and long, with long common beginnings and none", async (t) => {
    const vfs = await tree(t);
    const random = randomBelow(7);
    const name = (alphabet: string, length: number) => {
      const letters = [...alphabet];
      return Array.from({ length }, () => letters[random(letters.length)]).join("");
    };
    const some = (count: number, make: (n: number) => string) =>
      texts(Array.from({ length: count }, (_, n) => make(n)));
    for (const count of [0, 1, 2, 24, 25, 26, 300]) {
      lists(
        vfs,
        some(count, () => name("ab", 1 + random(9))),
        `ab-${count}`,
      );
      lists(
        vfs,
        some(count, (n) => `${"same beginning of all ".repeat(1 + (n % 2))}${n}`),
        `same-${count}`,
      );
      lists(
        vfs,
        some(count, (n) => `${"x".repeat(n % 250)}${n}`),
        `lengths-${count}`,
      );
      lists(
        vfs,
        some(count, (n) => `${n}`),
        `numbers-${count}`,
      );
      lists(
        vfs,
        some(count, () => name("z~!#+-_A", 1 + random(6))),
        `ascii-${count}`,
      );
      lists(
        vfs,
        some(count, () => name('a"\\\u0001\u007f\n', 1 + random(6))),
        `quotes-${count}`,
      );
      lists(
        vfs,
        some(count, () => name("aß€\u{1F600}\uE000\uFFFD", 1 + random(6))),
        `utf8-${count}`,
      );
    }
  });

  // Fails if names with the same key are not compared further, or a shorter one does not come first.
  test("names that differ behind the bytes of a key", async (t) => {
    const vfs = await tree(t);
    const beginnings = ["", "12345", "1234567890", "123456789012345"];
    const ends = Array.from({ length: 40 }, (_, n) => `${(n * 17) % 40}`);
    lists(vfs, texts(beginnings.flatMap((begin) => ends.map((end) => begin + end))), "d");
  });

  test("bytes that are no UTF-8 are names of their own", async (t) => {
    const vfs = await tree(t);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    for (const byte of [0xff, 0x80, 0xc3, 0x41]) fs.writeFileSync(Buffer.from([0x2f, 0x64, 0x2f, byte]), "");
    assert.deepEqual(
      fs.readdirSync("/d", "buffer").map(([byte]) => byte),
      [0x41, 0x80, 0xc3, 0xff],
    );
  });

  test("one odd name among many plain ones", async (t) => {
    const vfs = await tree(t);
    for (const odd of ['"', "\\", "\n", "\u001f", "é", "\u007f"]) {
      for (const place of [0, 50, 99]) {
        const names = Array.from({ length: 100 }, (_, n) => (n === place ? `abcdefg${odd}h` : `abcdefgh${n}`));
        lists(vfs, texts(names), `${odd.charCodeAt(0)}-${place}`);
      }
    }
  });
});

test("a listing of several pieces has every entry once, and is of one moment", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach({ lockTimeoutMs: 20 });
  const names = Array.from({ length: 5000 }, (_, n) => `${"name".repeat(n % 12)}-${n}`);
  vfs.fs.mkdirSync("/d");
  for (const name of names) vfs.fs.closeSync(vfs.fs.openSync(`/d/${name}`, "w"));
  assert.deepEqual(vfs.fs.readdirSync("/d"), [...names].sort());
  assert.deepEqual(
    vfs.fs.readdirSync("/d", { withFileTypes: true }).map(({ name }) => name),
    [...names].sort(),
  );
  // Fails if the directory is released between two pieces.
  const { arena, core, ctx, path } = rawCore(t, vfs.handle);
  const copy = arena.transfer.copyToUser.bind(arena.transfer);
  let pieces = 0;
  arena.transfer.copyToUser = (from, bytes) => {
    pieces++;
    assert.ok(bytes > IO_SIZE - 1024 && bytes <= IO_SIZE);
    assert.throws(() => other.fs.writeFileSync("/d/new", ""), { code: "ERR_THREADFS_TIMEOUT" });
    assert.throws(() => other.fs.unlinkSync(`/d/${names[0]}`), { code: "ERR_THREADFS_TIMEOUT" });
    return copy(from, bytes);
  };
  assert.equal(core.sysScandir(ctx, -100, path("/d")), -ERRNO.EFAULT, "the host takes nothing");
  assert.equal(pieces, 1);
  const taken: Uint8Array[] = [];
  arena.transfer.beginFile({
    take: (_from, bytes) => taken.push(arena.io.slice(0, bytes)) > 0,
    make: () => new Uint8Array(0),
  });
  const all = core.sysScandir(ctx, -100, path("/d"));
  arena.transfer.endFile();
  assert.equal(pieces, 1 + taken.length);
  const before = taken.reduce((sum, { length }) => sum + length, 0);
  assert.ok(taken.length >= 2 && all > before && all - before <= SCRATCH.SIZE);
});

test("a driver's directory, and what is no directory, are listed as before", async (t) => {
  const vfs = await tree(t);
  const { fs } = vfs;
  const { driver, make } = memoryDriver("plain", ["lookup", "readdir"]);
  make(ROOT, "b", S_IFREG | 0o644);
  make(ROOT, "é", S_IFREG | 0o644);
  make(ROOT, "a", S_IFDIR | 0o755);
  mountDriver(vfs, driver);
  const lowest = fs.openSync("/m");
  fs.closeSync(lowest);
  assert.deepEqual(fs.readdirSync("/m"), ["a", "b", "é"]);
  assert.deepEqual(
    fs.readdirSync("/m", { withFileTypes: true }).map((entry) => [entry.name, entry.isDirectory()]),
    [
      ["a", true],
      ["b", false],
      ["é", false],
    ],
  );
  fs.writeFileSync("/f", "");
  fs.mkdirSync("/closed", 0o300);
  const user = vfs.context({ uid: 1000, gid: 1000 });
  for (const [path, code] of [
    ["/f", "ENOTDIR"],
    ["/m/b", "ENOTDIR"],
    ["/none", "ENOENT"],
    ["/closed", "EACCES"],
    [`/${"x".repeat(5000)}`, "ENAMETOOLONG"],
  ] as const) {
    assert.throws(() => user.fs.readdirSync(path), { code, syscall: "scandir", path });
  }
  assert.equal(fs.openSync("/m"), lowest, "what was opened is closed");
});
