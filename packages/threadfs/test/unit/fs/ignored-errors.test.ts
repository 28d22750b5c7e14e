/** Calls that have no errors of the file system, `exists` and `glob`: what says nothing of a file is not taken for its absence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { promisify } from "node:util";
import { S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { uncaught } from "../../support/uncaught.js";

type Fs = Vfs["fs"];
type Later = (pattern: string, callback: (error: unknown, found: unknown) => void) => void;
type Exists = (path: unknown, callback: (found: boolean) => void) => void;

const later = (fs: Fs) => fs as unknown as { exists: Exists };

/** The promise of `exists`. */
const existsLater = (fs: Fs, path: string) => promisify(later(fs).exists)(path);

/** Calls that are not called back. */
function neverCalled(): void {
  assert.fail("the callback is called");
}

/** Every form of `exists` fails with this code. */
async function refused(fs: Fs, path: string, code: string): Promise<void> {
  assert.throws(() => fs.existsSync(path), { code });
  await assert.rejects(existsLater(fs, path), { code });
  const outside = uncaught();
  later(fs).exists(path, neverCalled);
  assert.equal(((await outside) as { code?: unknown }).code, code);
}

test("exists of a closed tree and of a closed context", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const context = vfs.context();
  context.close();
  await refused(context.fs, "/", "ERR_THREADFS_CLOSED");
  vfs.close();
  await refused(vfs.fs, "/", "ERR_THREADFS_CLOSED");
});

test("exists in a thread that has not registered the driver", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const other = await attach();
  const { driver, make } = memoryDriver("mine", ["lookup"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  await refused(other.fs, "/m/f", "ERR_THREADFS_NO_DRIVER");
  assert.equal(await existsLater(other.fs, "/none"), false);
  other.registerDriver(driver);
  assert.equal(await existsLater(other.fs, "/m/f"), true);
});

test("an exception of a hook is thrown outside of every form of exists and glob", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const { fs } = vfs;
  const fail = (hook: string) => () => {
    throw new Error(hook);
  };
  const root = () => ({ ino: 1, mode: S_IFDIR | 0o755 });
  vfs.registerDriver({ name: "d", root, lookup: fail("lookup"), readdir: fail("readdir") });
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "d");
  const globbed = async () => {
    const found: unknown[] = [];
    for await (const path of (fs.promises as unknown as { glob(pattern: string): AsyncIterable<unknown> }).glob(
      "/m/*",
    )) {
      found.push(path);
    }
    return found;
  };
  const forms: readonly (readonly [says: string, call: () => unknown, value: unknown])[] = [
    ["lookup", () => fs.existsSync("/m/a"), false],
    ["lookup", () => new Promise((resolve) => later(fs).exists("/m/b", resolve)), false],
    ["lookup", () => existsLater(fs, "/m/c"), false],
    ["readdir", () => fs.globSync("/m/*"), []],
    ["readdir", () => promisify(fs.glob as unknown as Later)("/m/*"), []],
    ["readdir", globbed, []],
  ];
  for (const [says, call, value] of forms) {
    const outside = uncaught();
    assert.deepEqual(await call(), value, `${call}`);
    assert.equal(((await outside) as Error).message, says, `${call}`);
  }
  vfs.close();
});
