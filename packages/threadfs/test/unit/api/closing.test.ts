/** Closing trees and contexts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { type CallName, unchecked } from "../../support/fs-calls.js";
import { callingThread, tree } from "./trees.js";

test("close() can be called twice, and every later call fails with ERR_THREADFS_CLOSED", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const agent = vfs.context({ uid: 5 });
  const { fs } = vfs;
  fs.writeFileSync("/file", "x");
  const fd = fs.openSync("/file", "r");
  const dir = fs.opendirSync("/");
  vfs.close();
  vfs.close();
  const closed = { code: "ERR_THREADFS_CLOSED" };
  const calls: Readonly<Record<CallName | "mkdtempDisposableSync" | "openAsBlobSync", readonly unknown[]>> = {
    accessSync: ["/"],
    appendFileSync: ["/file", "x"],
    chmodSync: ["/file", 0o600],
    chownSync: ["/file", 1, 1],
    closeSync: [fd],
    copyFileSync: ["/file", "/copy"],
    cpSync: ["/file", "/copy"],
    existsSync: ["/"],
    fchmodSync: [fd, 0o600],
    fchownSync: [fd, 1, 1],
    fdatasyncSync: [fd],
    fstatSync: [fd],
    fsyncSync: [fd],
    ftruncateSync: [fd],
    futimesSync: [fd, 1, 1],
    globSync: ["*"],
    lchownSync: ["/file", 1, 1],
    linkSync: ["/file", "/link"],
    lstatSync: ["/"],
    lutimesSync: ["/file", 1, 1],
    mkdirSync: ["/dir"],
    mkdtempSync: ["/dir"],
    mkdtempDisposableSync: ["/t"],
    openAsBlobSync: ["/file"],
    openSync: ["/file"],
    opendirSync: ["/"],
    readSync: [fd, Buffer.alloc(1)],
    readdirSync: ["/"],
    readFileSync: ["/file"],
    readlinkSync: ["/file"],
    readvSync: [3, [new Uint8Array(1)]],
    writevSync: [3, [new Uint8Array(1)]],
    realpathSync: ["/file"],
    renameSync: ["/file", "/x"],
    rmSync: ["/file"],
    rmdirSync: ["/dir"],
    statSync: ["/"],
    statfsSync: ["/"],
    symlinkSync: ["/file", "/link"],
    truncateSync: ["/file"],
    unlinkSync: ["/file"],
    utimesSync: ["/file", 1, 1],
    writeSync: [fd, "x"],
    writeFileSync: ["/file", "x"],
  };
  const surface = Object.keys(fs).filter((name) => name.endsWith("Sync"));
  assert.deepEqual(Object.keys(calls).sort(), surface.sort(), "every call is tried");
  for (const [name, args] of Object.entries(calls) as [CallName, unknown[]][]) {
    assert.throws(() => unchecked(fs)[name](...args), closed, name);
    assert.throws(() => unchecked(agent.fs)[name](...args), closed, name);
  }
  assert.throws(() => fs.realpathSync.native("/"), closed);
  assert.throws(() => dir.readSync(), closed);
  const whole = {
    context: () => vfs.context(),
    mount: () => vfs.mount(null, "/", "tmpfs"),
    umount: () => vfs.umount("/"),
    counters: () => vfs.counters(),
    shrink: () => vfs.shrink(1),
    synchronizeRcu: () => vfs.synchronizeRcu(),
    threadDied: () => vfs.threadDied(1),
    walkMode: () => vfs.walkMode({ ref: true }),
    getfacl: () => vfs.getfacl("/"),
    setfacl: () => vfs.setfacl("/", []),
    registerDriver: () => vfs.registerDriver({ name: "late", root: () => ({ ino: 1, mode: 0o040755 }) }),
    unregisterDriver: () => vfs.unregisterDriver("late"),
  };
  for (const [name, call] of Object.entries(whole)) assert.throws(call, closed, name);
  assert.throws(() => agent.chdir("/"), closed);
  assert.throws(() => agent.getcwd(), closed);
  assert.throws(() => agent.umask(), closed);
  agent.close();
});

test("after close() promises reject and callbacks get the error", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const { fs } = vfs;
  vfs.close();
  const closed = { code: "ERR_THREADFS_CLOSED" };
  await assert.rejects(fs.promises.stat("/"), closed);
  await assert.rejects(fs.promises.writeFile("/file", "x"), closed);
  const error = await new Promise((resolve) => fs.mkdir("/dir", resolve));
  assert.equal((error as { code?: unknown } | null)?.code, closed.code);
});

test("close() of a context closes that context alone", async () => {
  const vfs = await tree();
  const agent = vfs.context({ uid: 5 });
  agent.close();
  agent.close();
  assert.throws(() => agent.fs.existsSync("/"), { code: "ERR_THREADFS_CLOSED" });
  assert.equal(vfs.fs.existsSync("/"), true);
});

test("a tree stays while another thread is attached", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.fs.writeFileSync("/file", "x");
  const worker = await callingThread(vfs.handle);
  vfs.close();
  try {
    assert.equal(await worker.call("readFileSync", "/file", "utf8"), "x");
  } finally {
    await worker.stop();
  }
});
