/**
 * A whole file in memory is read or written by one call of the core, which opens it without a descriptor. It has the results and effects
 * of the separate calls; of anything else it is an open alone.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HANG_MS } from "../../../../verify/dist/support/hang.js";
import { IO_SIZE, POINT, S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import { type Context, createVfs, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { type HookCall, type HookName, memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";

/** How long a call waits in these tests for a lock that the test itself holds. */
const LIMIT_MS = 20;
const TIMEOUT = { code: "ERR_THREADFS_TIMEOUT" };

type Calls = Pick<
  Context["fs"],
  "openSync" | "fstatSync" | "readSync" | "writeSync" | "closeSync" | "readFileSync" | "writeFileSync"
>;

/** Ways to read and write a file: by one call, and by a call each. */
interface Way {
  read(fs: Calls, path: string): string;
  write(fs: Calls, path: string, text: string, more?: { flag?: "w" | "a"; mode?: number }): void;
}
const WHOLE: Way = {
  read: (fs, path) => fs.readFileSync(path, "latin1"),
  write: (fs, path, text, more) => fs.writeFileSync(path, text, more),
};
const SEPARATE: Way = {
  read(fs, path) {
    const fd = fs.openSync(path);
    try {
      // A file of size 0 may have more.
      const { size } = fs.fstatSync(fd);
      const bytes = Buffer.alloc(size || IO_SIZE);
      let text = "";
      for (let got = -1; got !== 0 && !(size > 0 && text.length > 0); text += bytes.toString("latin1", 0, got)) {
        got = fs.readSync(fd, bytes);
      }
      return text;
    } finally {
      fs.closeSync(fd);
    }
  },
  write(fs, path, text, { flag = "w", mode = 0o666 } = {}) {
    const fd = fs.openSync(path, flag, mode);
    try {
      if (text !== "") fs.writeSync(fd, text);
    } finally {
      fs.closeSync(fd);
    }
  },
};

describe("a driver's file", () => {
  const HOOKS: HookName[] = ["lookup", "read", "write", "create", "unlink", "setattr", "iput"];

  /** The hooks that a way calls, its results and errors, and what the driver has then. */
  async function hooksOf(way: Way, more: HookName[]): Promise<unknown[]> {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    const { driver, nodes, calls, make } = memoryDriver("plain", [...HOOKS, ...more]);
    nodes.get(ROOT).mode = S_IFDIR | 0o777;
    make(ROOT, "f", S_IFREG | 0o666, { text: "contents" });
    make(ROOT, "secret", S_IFREG | 0o600, { text: "contents" });
    make(ROOT, "d", S_IFDIR | 0o777);
    mountDriver(vfs, driver);
    const { fs } = vfs.context({ uid: 1000, gid: 1000 });
    const log: (HookCall | [string, unknown])[] = calls;
    const step = (run: () => unknown) => {
      let result: unknown;
      const code = codeOf(() => {
        result = run();
      });
      log.push(["result", code ?? result]);
    };
    for (let again = 0; again < 2; again++) {
      step(() => way.read(fs, "/m/f"));
      step(() => way.read(fs, "/m/none"));
      step(() => way.read(fs, "/m/secret"));
      step(() => way.read(fs, "/m/d"));
      step(() => way.write(fs, "/m/f", "other"));
      step(() => way.write(fs, "/m/f", " text", { flag: "a" }));
      step(() => way.write(fs, "/m/f", ""));
      step(() => way.write(fs, "/m/secret", "x"));
      step(() => way.write(fs, "/m/d", "x"));
      step(() => way.write(fs, "/m/none/x", "x"));
    }
    // Its maker may write it, and no later open.
    step(() => way.write(fs, "/m/new", "text", { mode: 0o444 }));
    step(() => way.write(fs, "/m/new", "more", { mode: 0o444 }));
    step(() => way.write(fs, "/m/empty", ""));
    const left = Object.entries(nodes.namesOf(ROOT)).map(([name, ino]) => [name, nodes.get(ino).text]);
    vfs.close();
    return [...log, left];
  }

  // Fails if the call opens a file of another kind once more.
  test("has each hook called as by the separate calls, and is created once", async () => {
    for (const more of [[], ["revalidate"], ["permission", "revalidate"]] satisfies HookName[][]) {
      assert.deepEqual(await hooksOf(WHOLE, more), await hooksOf(SEPARATE, more));
    }
  });
});

/** A file that is longer than a call transfers; nothing of it is in memory. */
const TOO_LONG = 2 ** 31 + 5;

describe("a file in memory", () => {
  async function resultsOf(way: Way): Promise<unknown[]> {
    const vfs = await createVfs({ maxBytes: 16 << 20 });
    vfs.fs.chmodSync("/", 0o1777);
    vfs.fs.writeFileSync("/secret", "contents", { mode: 0o600 });
    vfs.fs.mkdirSync("/d");
    vfs.fs.symlinkSync("linked", "/l");
    const { fs } = vfs.context({ uid: 1000, gid: 1000 });
    const log: unknown[] = [];
    const step = (run: () => unknown) => {
      let result: unknown;
      log.push(
        codeOf(() => {
          result = run();
        }) ?? result,
      );
    };
    for (const path of [
      "/f",
      "/l",
      "/secret",
      "/d",
      "/none/x",
      "/f/x",
      `/${"x".repeat(300)}`,
      `/${"x/".repeat(3000)}`,
    ]) {
      step(() => way.read(fs, path));
      for (const size of [0, 3, 16, 17, 4096, 4097, IO_SIZE, IO_SIZE + 1, 5]) {
        step(() => way.write(fs, path, "x".repeat(size), { mode: 0o6444 }));
        step(() => way.read(fs, path));
        step(() => fs.chmodSync(path, 0o6755));
        step(() => way.write(fs, path, "y".repeat(size), { flag: "a" }));
        step(() => way.read(fs, path));
        step(() => {
          const { mode, size: has, nlink, blocks } = fs.statSync(path);
          return { mode, has, nlink, blocks };
        });
      }
    }
    log.push(vfs.fs.readdirSync("/"));
    vfs.close();
    return log;
  }

  test("is read and written as by the separate calls, errors included", async () => {
    assert.deepEqual(await resultsOf(WHOLE), await resultsOf(SEPARATE));
  });
});

describe("a file in memory, at the limits,", () => {
  test("that is longer than a call transfers is too large, in every form", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    vfs.fs.writeFileSync("/f", "");
    vfs.fs.truncateSync("/f", TOO_LONG);
    const lowest = vfs.fs.openSync("/f");
    vfs.fs.closeSync(lowest);
    const tooLarge = { code: "ERR_FS_FILE_TOO_LARGE" };
    assert.throws(() => vfs.fs.readFileSync("/f"), tooLarge);
    assert.throws(() => vfs.fs.readFileSync("/f", "utf8"), tooLarge);
    await assert.rejects(vfs.fs.promises.readFile("/f"), tooLarge);
    assert.equal(vfs.fs.openSync("/f"), lowest, "the descriptors that it was given are closed");
  });

  test("cannot be written when the memory is full: the error is that of the write, and the file is there, as by the separate calls", async () => {
    for (const way of [WHOLE, SEPARATE]) {
      const vfs = await createVfs({ maxBytes: 4 << 20 });
      const { fs } = vfs;
      fs.writeFileSync("/old", "contents");
      fs.writeFileSync("/new", "");
      const fd = fs.openSync("/full", "w");
      while (codeOf(() => fs.writeSync(fd, Buffer.alloc(IO_SIZE))) === undefined);
      for (const path of ["/old", "/new"]) {
        assert.throws(() => way.write(fs, path, "x".repeat(40_000)), { code: "ENOSPC", syscall: "write" });
      }
      vfs.close();
    }
  });

  test("has its zeros, and bytes that are no text", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    for (const size of [5, 4000, 5000, IO_SIZE - 1, IO_SIZE + 9]) {
      const text = "\uFEFFß€\u{1F600}\0".repeat(Math.ceil(size / 13));
      vfs.fs.writeFileSync("/text", text);
      assert.equal(vfs.fs.readFileSync("/text", "utf8"), text);
      const bytes = Buffer.alloc(size, Buffer.from([0xff, 0x80, 0x41]));
      vfs.fs.writeFileSync("/bytes", bytes);
      assert.deepEqual(vfs.fs.readFileSync("/bytes"), bytes);
      assert.equal(vfs.fs.readFileSync("/bytes", "utf8"), bytes.toString("utf8"));
      vfs.fs.writeFileSync("/hole", "");
      vfs.fs.truncateSync("/hole", size);
      assert.deepEqual(vfs.fs.readFileSync("/hole"), Buffer.alloc(size));
      assert.equal(vfs.fs.readFileSync("/hole", "utf8"), "\0".repeat(size));
    }
  });
});

describe("while another thread has the file", () => {
  // Fails if the file is released between the two: a reader would see it empty.
  test("it is emptied and written at once", async (t) => {
    const tree = await treeFor(t);
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    const { vfs } = tree;
    vfs.fs.writeFileSync("/f", "before");
    vfs.at(POINT.WRITE_BEGIN, () => {
      assert.throws(() => other.fs.readFileSync("/f"), TIMEOUT);
      assert.throws(() => other.fs.appendFileSync("/f", "x"), TIMEOUT);
    });
    vfs.fs.writeFileSync("/f", "after");
    assert.ok(!vfs.waits(POINT.WRITE_BEGIN));
    assert.equal(other.fs.readFileSync("/f", "utf8"), "after");
  });

  /** Runs what a test says while another thread is in the middle of a write of a file. */
  async function held(
    t: Parameters<typeof treeFor>[0],
    lockTimeoutMs: number,
    run: (vfs: Vfs) => Promise<void> | void,
  ): Promise<Vfs> {
    const tree = await treeFor(t);
    tree.vfs.fs.writeFileSync("/f", "before");
    const waiting = await tree.attach({ lockTimeoutMs });
    const worker = await tree.parked((of) => of.fs.appendFileSync("/f", "+".repeat(70_000)), POINT.WRITE_PART);
    try {
      await run(waiting);
    } finally {
      await worker.release();
    }
    return waiting;
  }

  test("a call that waits too long has neither emptied nor written it, and can be made again", async (t) => {
    const vfs = await held(t, LIMIT_MS, ({ fs }) => {
      assert.throws(() => fs.writeFileSync("/f", "w"), TIMEOUT);
      assert.throws(() => fs.appendFileSync("/f", "a"), TIMEOUT);
      assert.throws(() => fs.readFileSync("/f"), TIMEOUT);
    });
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), `before${"+".repeat(70_000)}`);
    vfs.fs.appendFileSync("/f", "a");
    assert.equal(vfs.fs.statSync("/f").size, 70_007);
    vfs.fs.writeFileSync("/f", "w");
    assert.equal(vfs.fs.readFileSync("/f", "utf8"), "w");
  });

  test("the promise forms wait for it, and happen once", async (t) => {
    let reads: Promise<string> | undefined;
    let writes: Promise<void> | undefined;
    const vfs = await held(t, HANG_MS, ({ fs }) => {
      reads = fs.promises.readFile("/f", "utf8");
      writes = fs.promises.appendFile("/f", "a");
    });
    await writes;
    assert.match((await reads) ?? "", /^before\+{70000}a?$/);
    assert.equal(vfs.fs.statSync("/f").size, 70_007);
  });
});
