/** Drivers: registered, known in each thread, used by two threads at once, taken out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { treeFor } from "../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT, S_IFDIR, S_IFREG, walkCode } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";

/** Runs in a worker: the same driver with a node of its own for every name, and 300 lookups of 30 names. */
const WORK = `
  const asked = [];
  vfs.registerDriver({
    name: "both",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: (_dir, name) => (asked.push(name), { ino: 100 + Number(name), mode: 0o100644 }),
    revalidate: () => true,
  });
  const inos = [];
  for (let n = 0; n < 300; n++) inos.push(vfs.fs.statSync("/m/" + (n % 30)).ino);
  return { inos, asked };
`;

// Fails when other hooks under the same name are let in.
test("register: the same name with the same hooks is the same driver, with other hooks EEXIST", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const one = memoryDriver("same", ["lookup"]);
  const two = memoryDriver("same", ["lookup"]);
  const three = memoryDriver("same", ["lookup", "iput"]);
  vfs.registerDriver(one.driver);
  other.registerDriver(two.driver);
  assert.equal(
    codeOf(() => other.registerDriver(three.driver)),
    "EEXIST",
  );
  assert.equal(
    codeOf(() => other.registerDriver({ ...two.driver, revalidateDots: true })),
    "EEXIST",
  );
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "same");
  two.make(ROOT, "f", S_IFREG | 0o644);
  // Each thread asks its own object.
  assert.equal(walkCode(other, "/m/f"), undefined);
  assert.deepEqual([one.calls.length, two.calls.length], [0, 1]);
  for (const wrong of [null, 5, {}, { name: "x" }, { name: 5, root() {} }, { name: "x", root() {}, lookup: 1 }]) {
    assert.equal(
      codeOf(() => vfs.registerDriver(wrong)),
      "ERR_INVALID_ARG_TYPE",
    );
  }
  for (const name of ["", "n".repeat(101)]) {
    assert.equal(
      codeOf(() => vfs.registerDriver({ name, root() {} })),
      "EINVAL",
    );
  }
});

// Fails when a driver can go while a file system of it exists.
test("unregister: EBUSY while a file system of it exists, then its type is unknown", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = memoryDriver("gone", ["lookup", "iput"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const leave = (who) => codeOf(() => who.unregisterDriver("gone"));
  assert.equal(leave(vfs), "EBUSY");
  const fd = vfs.fs.openSync("/m/f", "r");
  vfs.umount("/m", { detach: true });
  assert.equal(leave(vfs), "EBUSY");
  assert.equal(vfs.fs.fstatSync(fd).isFile(), true);
  vfs.fs.closeSync(fd);
  other.registerDriver(driver);
  assert.equal(leave(vfs), undefined);
  assert.equal(leave(vfs), "ENODEV");
  // Another thread may still give up its own part; then it is gone there too.
  assert.equal(
    codeOf(() => other.mount(null, "/m", "gone")),
    "ENODEV",
  );
  assert.equal(leave(other), undefined);
  assert.equal(leave(other), "ENODEV");
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/f"), undefined);
});

// Fails when a thread without the driver calls nothing, or another driver, instead of ENXIO.
test("a thread that has not registered the driver gets ENXIO, and the mount is as it was", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = memoryDriver("mine", ["lookup", "readdir"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  assert.equal(walkCode(other, "/m/f"), "ENXIO");
  assert.equal(
    codeOf(() => other.fs.readdirSync("/m")),
    "ENXIO",
  );
  assert.equal(walkCode(vfs, "/m/f"), undefined);
  // What is cached needs no driver.
  assert.equal(walkCode(other, "/m/f"), undefined);
  other.registerDriver(driver);
  assert.deepEqual(other.fs.readdirSync("/m"), ["f"]);
});

// Fails when the cache is not looked at again under the directory's lock.
test("two threads on one mount: each asks its own object, and both see the same nodes", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  const asked = [];
  mountDriver(vfs, {
    name: "both",
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup: (_dir, name) => {
      asked.push(name);
      return { ino: 100 + Number(name), mode: S_IFREG | 0o644 };
    },
    revalidate: () => true,
  });
  // The worker stops where it is about to look its eleventh name up under the directory's lock.
  const parked = await tree.parked(WORK, POINT.LOCKED_LOOKUP, 11);
  for (const n of [20, 21, 22, 0, 1, 10]) assert.equal(vfs.fs.statSync(`/m/${n}`).ino, 100 + n);
  const { value, message } = await parked.release();
  assert.equal(message, undefined);
  assert.deepEqual(
    value.inos,
    Array.from({ length: 300 }, (_, n) => 100 + (n % 30)),
  );
  // Whoever came first has asked; what the other found is not asked for again, also not under the lock.
  assert.deepEqual(asked, ["20", "21", "22", "10"]);
  const rest = Array.from({ length: 30 }, (_, n) => `${n}`).filter((name) => !asked.includes(name));
  assert.deepEqual(value.asked, rest);
});
