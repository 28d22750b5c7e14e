/** Drivers: registering, the threads that know a driver, two threads on one mount, unregistering. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT, S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver, Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT, walkCode } from "../../support/drivers/memory-driver.js";
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

// Fails when a driver with other hooks may have the same name.
test("registering the same name with the same hooks succeeds, with other hooks it fails with EEXIST", async (t) => {
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
    codeOf(() =>
      other.registerDriver(Object.assign(memoryDriver("same", ["lookup"]).driver, { revalidateDots: true })),
    ),
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
      codeOf(() => vfs.registerDriver(wrong as unknown as Driver)),
      "ERR_INVALID_ARG_TYPE",
    );
  }
  for (const name of ["", "n".repeat(101)]) {
    assert.equal(
      codeOf(() => vfs.registerDriver({ name, root: () => ({ ino: 1, mode: S_IFDIR }) })),
      "EINVAL",
    );
  }
});

// Fails when a driver can be unregistered while a file system of it exists.
test("unregistering fails with EBUSY while a file system of the driver exists; afterwards its type is unknown", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = memoryDriver("gone", ["lookup", "iput"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const leave = (who: Vfs) => codeOf(() => who.unregisterDriver("gone"));
  assert.equal(leave(vfs), "EBUSY");
  const fd = vfs.fs.openSync("/m/f", "r");
  vfs.umount("/m", { detach: true });
  assert.equal(leave(vfs), "EBUSY");
  assert.equal(vfs.fs.fstatSync(fd).isFile(), true);
  vfs.fs.closeSync(fd);
  other.registerDriver(driver);
  assert.equal(leave(vfs), undefined);
  assert.equal(leave(vfs), "ENODEV");
  // Another thread may still unregister its own object; then the driver is gone there too.
  assert.equal(
    codeOf(() => other.mount(null, "/m", "gone")),
    "ENODEV",
  );
  assert.equal(leave(other), undefined);
  assert.equal(leave(other), "ENODEV");
  mountDriver(vfs, driver);
  assert.equal(walkCode(vfs, "/m/f"), undefined);
});

// Fails when the core's ENXIO is taken for one of a file.
test("a thread that has not registered the driver gets an error that names it, from every call, and the mount stays as it was", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = memoryDriver("mine", ["lookup", "readdir"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  const refused = {
    code: "ERR_THREADFS_NO_DRIVER",
    message:
      'The driver "mine" of this file system is not registered in this thread. Call registerDriver() in this thread',
  };
  const { fs } = other;
  for (const call of [
    () => fs.existsSync("/m/f"),
    () => fs.existsSync(Buffer.from("/m/f")),
    () => fs.statSync("/m/f", { throwIfNoEntry: false }),
    () => fs.lstatSync("/m/f"),
    () => fs.accessSync("/m/f"),
    () => fs.readFileSync("/m/f"),
    () => fs.readdirSync("/m"),
    () => fs.realpathSync("/m/f"),
    () => fs.rmSync("/m/f", { force: true }),
    () => fs.cpSync("/m/f", "/copy"),
    () => other.context({ cwd: "/m/f" }),
  ]) {
    assert.throws(call, refused, `${call}`);
  }
  // Only what needs the driver is refused.
  assert.equal(fs.existsSync("/none"), false);
  assert.equal(walkCode(vfs, "/m/f"), undefined);
  // A cached entry needs no driver.
  assert.equal(walkCode(other, "/m/f"), undefined);
  other.registerDriver(driver);
  assert.deepEqual(other.fs.readdirSync("/m"), ["f"]);
});

// Fails when the cache is not searched again under the directory's lock.
test("two threads on one mount each call their own object, and both see the same nodes", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  const asked: string[] = [];
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
  const worker = value as { inos: number[]; asked: string[] };
  assert.deepEqual(
    worker.inos,
    Array.from({ length: 300 }, (_, n) => 100 + (n % 30)),
  );
  // The thread that came first has called its lookup; the other finds the entry and does not call its own, also not under the lock.
  assert.deepEqual(asked, ["20", "21", "22", "10"]);
  const rest = Array.from({ length: 30 }, (_, n) => `${n}`).filter((name) => !asked.includes(name));
  assert.deepEqual(worker.asked, rest);
});
