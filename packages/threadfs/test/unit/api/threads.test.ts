/** One tree in several threads. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO } from "../../../dist/abi/abi.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import { attachVfs } from "../../../dist/src/index.js";
import { callingThread, tree } from "./trees.js";

describe("threads", () => {
  test("two threads read and write one tree", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    fs.mkdirSync("/dir");
    fs.writeFileSync("/dir/from-main", "main");
    const worker = await callingThread(vfs.handle);
    try {
      assert.equal(await worker.call("readFileSync", "/dir/from-main", "utf8"), "main");
      await worker.call("writeFileSync", "/dir/from-worker", "x".repeat(200_000));
      assert.equal(fs.readFileSync("/dir/from-worker", "utf8"), "x".repeat(200_000));
      fs.renameSync("/dir", "/moved");
      assert.equal(await worker.call("existsSync", "/dir/from-main"), false);
      assert.deepEqual(await worker.call("readdirSync", "/moved"), ["from-main", "from-worker"]);
      await worker.call("rmSync", "/moved", { recursive: true });
      assert.deepEqual(fs.readdirSync("/"), []);
      await assert.rejects(worker.call("statSync", "/moved"), {
        code: "ENOENT",
        errno: -2,
        syscall: "stat",
        path: "/moved",
        message: "ENOENT: no such file or directory, stat '/moved'",
      });
    } finally {
      await worker.stop();
    }
  });

  test("three threads fill one directory at once", async () => {
    const vfs = await tree();
    const workers = await Promise.all([1, 2, 3].map(() => callingThread(vfs.handle)));
    try {
      vfs.fs.mkdirSync("/shared");
      const made = workers.map(async (worker, w) => {
        for (let i = 0; i < 200; i++) await worker.call("writeFileSync", `/shared/${w}-${i}`, `${w} ${i}`);
      });
      await Promise.all(made);
      const names = vfs.fs.readdirSync("/shared");
      assert.equal(names.length, 600);
      for (const name of names) assert.equal(vfs.fs.readFileSync(`/shared/${name}`, "utf8"), name.replace("-", " "));
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()));
    }
  });

  test("another thread of a context can use the context's descriptors", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    const fd = fs.openSync("/file", "w+");
    const worker = await callingThread(vfs.handle);
    try {
      assert.equal(await worker.call("writeSync", fd, "from there"), 10);
      assert.equal(fs.readFileSync("/file", "utf8"), "from there");
      await worker.call("closeSync", fd);
      assert.throws(() => fs.fstatSync(fd), { code: "EBADF" });
    } finally {
      await worker.stop();
    }
  });

  test("threadDied() recovers a terminated thread by its slot", async () => {
    const vfs = await tree();
    for (let i = 0; i < 3; i++) {
      const worker = await callingThread(vfs.handle);
      await worker.call("writeFileSync", "/file", String(i));
      const slot = (await worker.read("threadSlot")) as number;
      assert.notEqual(slot, vfs.threadSlot);
      await worker.stop();
      vfs.threadDied(slot);
      vfs.synchronizeRcu();
      assert.equal(vfs.fs.readFileSync("/file", "utf8"), String(i));
    }
    assert.throws(() => vfs.threadDied(-1), { code: "ERR_OUT_OF_RANGE" });
  });

  test("a context's handle gives another thread that context", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/home", 0o755);
    vfs.fs.chownSync("/home", 1000, 1000);
    const agent = vfs.context({ uid: 1000, gid: 1000, umask: 0o077, cwd: "/home" });
    const worker = await callingThread(agent.handle);
    try {
      await worker.call("writeFileSync", "mine", "x");
      const { uid, gid, mode } = vfs.fs.statSync("/home/mine");
      assert.deepEqual([uid, gid, mode & 0o777], [1000, 1000, 0o600]);
      await assert.rejects(worker.call("writeFileSync", "/theirs", "x"), { code: "EACCES", syscall: "open" });
    } finally {
      await worker.stop();
    }
    const { handle } = agent;
    agent.close();
    await assert.rejects(attachVfs(handle), { code: "ERR_THREADFS_HANDLE" });
  });
});

// The ids are above those of the process's workers, whose ends all of its attachments notice.
describe("the slots of threads", () => {
  // Fails when the slot keeps the old id, or gets a wrong one: nothing would recover the new thread when it ends.
  test("a thread that takes a slot over is found by its own id, and not by that of the thread before it", async () => {
    const vfs = await tree();
    // Not closed: it stands for a thread that was terminated.
    const ended = Attachment.attach(vfs.handle, { thread: 1005 });
    const slot = ended.core.threadSlot();
    const next = Attachment.attach(vfs.handle, { thread: 1007, takeOver: slot });
    const other = Attachment.attach(vfs.handle, { thread: 1009 });
    try {
      assert.equal(next.core.threadSlot(), slot);
      assert.deepEqual(
        [1005, 1007, 1009, 0].map((id) => other.core.threadFind(id, 0)),
        [-ERRNO.ENOENT, slot, -ERRNO.ENOENT, -ERRNO.ENOENT],
        "a thread does not find itself",
      );
      assert.equal(next.core.threadFind(1009, 0), other.core.threadSlot());
    } finally {
      next.close();
      other.close();
    }
  });

  test("a thread is found by the ids of the host's threads that it ends with, except by itself", async () => {
    const vfs = await tree();
    const made = Attachment.attach(vfs.handle, { thread: 1012, ofHost: true, ancestors: [1003, 1004] });
    const chosen = Attachment.attach(vfs.handle, { thread: 1013, ancestors: [1003] });
    const other = Attachment.attach(vfs.handle, { thread: 1009 });
    try {
      const slot = made.core.threadSlot();
      const found = (from: Attachment) => [1012, 1003, 1004, 1013, 1005].map((id) => from.core.threadFind(id, 1));
      const none = -ERRNO.ENOENT;
      assert.deepEqual(found(other), [slot, slot, slot, none, none]);
      assert.deepEqual(found(made), [none, none, none, none, none]);
      made.close();
      assert.deepEqual(found(other), [none, none, none, none, none], "it has left its slot");
    } finally {
      chosen.close();
      other.close();
    }
  });
});
