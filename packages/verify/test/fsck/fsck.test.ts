/** The checker of the arena finds a tree clean, after long random work of every kind too. damage.test.ts has the damage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { check } from "../../dist/fsck/check-arena.js";
import { run } from "../../dist/fsck/fsck.js";
import { codeOf, defined } from "../../dist/support/defined.js";
import { RandomCalls } from "../../dist/workload/random-calls.js";
import { assertClean, emptyTree, LONG } from "./tree.js";

test("a fresh tree is clean, and what it holds is counted", async (t) => {
  const vfs = await emptyTree(t);
  const { problems, counts } = check(vfs.handle.memory);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [counts.dentries, counts.inodes, counts.mounts, counts.contexts, counts.files, counts.threads],
    [1, 1, 1, 1, 0, 1],
  );
});

for (const seed of [1, 2, 3, 4]) {
  test(`the arena is clean at every 100th step of random work, seed ${seed}`, async (t) => {
    const vfs = await emptyTree(t);
    const calls = new RandomCalls(vfs, seed, { drivers: ["drv"] });
    for (let step = 0; step < 3000; step += 100) {
      calls.run(100);
      const { problems } = check(vfs.handle.memory);
      const trace = () => `seed ${seed}, ${step + 100} steps:\n${calls.trace.slice(-100).join("\n")}`;
      assert.ok(problems.length === 0, `${problems.join("\n")}\n${trace()}`);
    }
    calls.close();
    assertClean(vfs, "all closed");
    assert.ok(calls.trace.filter((line) => !line.includes(": ")).length > 800, "most of it was refused");
  });
}

test("random work closes all its descriptors and contexts", async (t) => {
  const vfs = await emptyTree(t);
  const calls = new RandomCalls(vfs, 99, { drivers: ["drv"] });
  calls.run(2000);
  calls.close();
  const { counts } = check(vfs.handle.memory);
  assert.deepEqual([counts.files, counts.descriptors], [0, 0]);
  // The thread may hold the one that it used last.
  const contexts = defined(counts.contexts, "count of contexts");
  assert.ok(contexts <= 2, `${contexts} contexts`);
});

test("the arena is clean while a file is open that a rename from another directory replaced, and when it is closed", async (t) => {
  const vfs = await emptyTree(t);
  for (const dir of ["/from", "/to"]) vfs.fs.mkdirSync(dir);
  for (const path of ["/from/f", "/to/g"]) vfs.fs.writeFileSync(path, path);
  const fd = vfs.fs.openSync("/to/g", "r");
  vfs.fs.renameSync("/from/f", "/to/g");
  assertClean(vfs, "while it is open");
  vfs.fs.closeSync(fd);
  assertClean(vfs, "when it is closed");
});

// Taken out: the room of a driver's link in checkDead(): its body is looked for among blocks of another size.
test("the arena is clean while the link of a driver waits for its grace period, whatever size the driver says it has", async (t) => {
  const vfs = await emptyTree(t);
  vfs.registerDriver({
    name: "sizeless",
    cacheLinks: true,
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: (_dir, name) => (name === "l" ? { ino: 2, mode: 0o120777, size: 0 } : null),
    readlink: () => LONG,
    unlink() {},
  });
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "sizeless");
  assert.throws(() => vfs.fs.statSync("/m/l"), { code: "ENOENT" });
  assertClean(vfs, "while it is there");
  vfs.fs.unlinkSync("/m/l");
  assert.ok(defined(check(vfs.handle.memory).counts.retired, "count of retired objects") > 0);
  assertClean(vfs, "when it is retired");
});

test("the slots of several threads are in use as long as they are attached", async (t) => {
  const vfs = await emptyTree(t);
  const other = await attachVfs(vfs.handle, { share: false });
  new RandomCalls(other, 7).run(500);
  const slots = [vfs.threadSlot, other.threadSlot];
  assertClean(vfs, "two", { live: slots });
  assert.match(check(vfs.handle.memory, { live: slots.slice(0, 1) }).problems.join(), /^slot: the state of slot/);
  other.close();
  assertClean(vfs, "one has left", { live: slots.slice(0, 1) });
  assert.match(check(vfs.handle.memory, { live: slots }).problems.join(), /^slot: the state of slot/);
});

test("a full arena is clean, and so is the arena when all files are removed", async (t) => {
  const vfs = await emptyTree(t, 3 << 20);
  const { fs } = vfs;
  let n = 0;
  const full = () => {
    try {
      fs.writeFileSync(`/${n}`, Buffer.alloc((n % 7) * 1000));
      fs.mkdirSync(`/${LONG}${n++}`);
    } catch (error) {
      return codeOf(error);
    }
    return undefined;
  };
  let code: string | undefined;
  for (let tries = 0; tries < 100_000 && code === undefined; tries++) code = full();
  assert.equal(code, "ENOSPC");
  assertClean(vfs, "full");
  fs.rmSync(`/0`);
  for (const name of fs.readdirSync("/")) fs.rmSync(`/${name}`, { recursive: true });
  assertClean(vfs, "empty");
  assert.equal(check(vfs.handle.memory).counts.dentries, 1);
});

test("the arena is clean with names that are not valid UTF-8", async (t) => {
  const vfs = await emptyTree(t);
  for (const byte of [0x80, 0xff, 0xfe]) vfs.fs.writeFileSync(Buffer.from([0x2f, byte, 0x41]), "");
  assertClean(vfs, "three names");
});

test("the short form of the check by random work holds", async () => {
  const { ok, failures, explored } = await run({ seed: 1, short: true });
  assert.ok(ok, failures.map(({ message, trace }) => `${message}\n${trace}`).join("\n\n"));
  assert.ok(Number(explored["steps that returned ENOSPC"]) > 100, "memory was short");
});

test("the arena is clean with a file of three levels of page nodes, and a copy of the memory is checked like the memory", async (t) => {
  const vfs = await emptyTree(t);
  const fd = vfs.fs.openSync("/far", "w");
  vfs.fs.writeSync(fd, "x", 4_000_000_000_000);
  assertClean(vfs, "three levels");
  const bytes = new Uint8Array(vfs.handle.memory.buffer).slice();
  vfs.fs.closeSync(fd);
  vfs.fs.unlinkSync("/far");
  assertClean(vfs, "gone");
  const { problems, counts } = check({ buffer: bytes.buffer });
  assert.deepEqual([problems, counts.files], [[], 1]);
});

test("the checker ends whatever words of the memory are overwritten", async (t) => {
  const vfs = await emptyTree(t, 2 << 20);
  new RandomCalls(vfs, 5, { drivers: ["drv"] }).run(500);
  const bytes = new Uint8Array(vfs.handle.memory.buffer).slice();
  const words = new Uint32Array(bytes.buffer);
  for (let n = 0, at = 256; n < 1000; n++, at = (at * 7 + n * 4091) % words.length) {
    const before = defined(words[at], "word");
    words[at] = defined([0, 1, 0xffffffff, n * 128, before + 4, before ^ 1][n % 6], "value");
    // Damage heaps up to 50 words, then the memory is whole again.
    check({ buffer: bytes.buffer });
    if (n % 50 === 49) bytes.set(new Uint8Array(vfs.handle.memory.buffer));
  }
});
