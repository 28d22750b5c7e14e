/** Hosts that have less than Node. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { attachVfs } from "../../../dist/src/index.js";
import { callingThread, open, tree } from "./trees.js";

describe("hosts that have less than Node", () => {
  /** Works with a property of an object replaced. */
  async function replaced<T>(object: object, name: string, value: unknown, work: () => T | Promise<T>): Promise<T> {
    const own = defined(Object.getOwnPropertyDescriptor(object, name), name);
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
    try {
      return await work();
    } finally {
      Object.defineProperty(object, name, own);
    }
  }

  const PATHS = ["/plain", "/ümlaut", "/\u{1f600}", "/lone\ud800", `/${"n".repeat(255)}`, `/${"ü".repeat(127)}`];

  test("paths work where encodeInto refuses shared memory", async () => {
    const refuse = () => {
      throw new TypeError("shared");
    };
    const vfs = await replaced(TextEncoder.prototype, "encodeInto", refuse, () => tree());
    const usual = await attachVfs(vfs.handle);
    open.push(usual);
    for (const path of PATHS) {
      vfs.fs.writeFileSync(path, path);
      assert.equal(usual.fs.readFileSync(path, "utf8"), vfs.fs.readFileSync(path, "utf8"));
    }
    assert.deepEqual(vfs.fs.readdirSync("/"), usual.fs.readdirSync("/"));
    for (const length of [4095, 4096, 5000, 20_000]) {
      const path = `${"/".repeat(length - 5)}plain`;
      assert.equal(vfs.fs.existsSync(path), length === 4095, `${length} bytes`);
      assert.equal(usual.fs.existsSync(path), length === 4095, `${length} bytes`);
    }
    assert.throws(() => vfs.fs.statSync(`/${"ü".repeat(2048)}`), { code: "ENAMETOOLONG" });
  });

  test("paths go through encodeInto or through a Buffer, whichever is faster in this Node", async () => {
    const vfs = await tree();
    for (const path of PATHS) vfs.fs.writeFileSync(path, path);
    for (const node of ["20.0.0", "24.0.0"]) {
      const versions = { ...process.versions, node };
      const { fs } = await replaced(process, "versions", versions, async () => {
        const same = await attachVfs(vfs.handle);
        open.push(same);
        return same;
      });
      for (const path of PATHS) {
        assert.ok(fs.existsSync(path), `${node}: ${JSON.stringify(path)}`);
        assert.equal(fs.statSync(path).ino, vfs.fs.statSync(Buffer.from(path)).ino);
        assert.ok(!fs.existsSync(`${path}x`) && !fs.existsSync(`${path}\u00fc`));
      }
      assert.ok(fs.existsSync("/lone\ufffd") && fs.existsSync("/lone\udfff") && !fs.existsSync("/lone"));
      assert.ok(!fs.existsSync("/plain\0") && !fs.existsSync("/plain\0x"));
      for (const length of [4095, 4096, 5000, 8191, 8192, 20_000]) {
        const path = `${"/".repeat(length - 5)}plain`;
        assert.equal(fs.existsSync(path), length === 4095, `${node}: ${length} bytes`);
        assert.throws(() => fs.statSync(`/${"ü".repeat(length)}`), { code: "ENAMETOOLONG" });
      }
    }
  });

  test("calls work where there is no Buffer", async () => {
    const vfs = await tree();
    const { fs } = vfs;
    await replaced(globalThis, "Buffer", undefined, () => {
      for (const path of PATHS) fs.writeFileSync(path, path);
      const bytes = fs.readFileSync("/ümlaut");
      assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      assert.equal(new TextDecoder().decode(bytes), "/ümlaut");
      assert.equal(fs.readFileSync("/ümlaut", "utf8"), "/ümlaut");
      assert.equal(fs.readFileSync("/ümlaut", "latin1"), "/\u00c3\u00bcmlaut");
      assert.throws(() => fs.readFileSync("/plain", "hex"), { code: "ERR_UNKNOWN_ENCODING" });
      fs.writeFileSync("/latin1", "\u00fc", "latin1");
      assert.deepEqual([...fs.readFileSync("/latin1")], [0xfc]);
      assert.equal(fs.readdirSync("/").length, PATHS.length + 1);
      assert.ok(fs.readdirSync("/", "buffer")[0] instanceof Uint8Array);
      assert.throws(() => fs.statSync("/missing"), { code: "ENOENT" });
    });
  });

  test("a tree works in a thread that may not wait", async () => {
    const refuse = () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    };
    const vfs = await replaced(Atomics, "wait", refuse, () => tree());
    const worker = await callingThread(vfs.handle);
    try {
      vfs.fs.mkdirSync("/shared");
      const theirs = (async () => {
        for (let i = 0; i < 200; i++) await worker.call("writeFileSync", `/shared/theirs-${i}`, "x");
      })();
      for (let i = 0; i < 200; i++) {
        vfs.fs.writeFileSync(`/shared/ours-${i}`, "x");
        if (i % 10 === 0) await new Promise(setImmediate);
      }
      await theirs;
      assert.equal(vfs.fs.readdirSync("/shared").length, 400);
      vfs.synchronizeRcu();
    } finally {
      await worker.stop();
    }
  });
});
