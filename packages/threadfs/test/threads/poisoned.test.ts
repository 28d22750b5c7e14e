/** An exception in the core poisons its attachment and no other (docs/trust.md). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CTX_TABLE } from "../../../verify/dist/arena/layout.js";
import { attachVfs, createVfs, type Vfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";
import type { TestScope } from "../support/hooked-vfs.js";

/** Offset of a context's root dentry. */
const CONTEXT_ROOT = 12;

/** A tree whose root pointer the test can damage and repair. */
async function damagedTree(t: TestScope) {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  vfs.fs.writeFileSync("/f", "x");
  const words = new Int32Array(vfs.handle.memory.buffer);
  const context = Atomics.load(words, CTX_TABLE >>> 2);
  const root = (context + CONTEXT_ROOT) >>> 2;
  const before = Atomics.load(words, root);
  const set = (value: number) => Atomics.store(words, root, value);
  return { vfs, damage: () => set(0x7ffffff0), repair: () => set(before) };
}

const CALLS: Readonly<Record<string, (vfs: Vfs) => unknown>> = {
  existsSync: (vfs) => vfs.fs.existsSync("/f"),
  accessSync: (vfs) => vfs.fs.accessSync("/f"),
  "accessSync with a mode": (vfs) => vfs.fs.accessSync("/f", 4),
  statSync: (vfs) => vfs.fs.statSync("/f"),
  lstatSync: (vfs) => vfs.fs.lstatSync("/f"),
  readFileSync: (vfs) => vfs.fs.readFileSync("/f"),
  mkdirSync: (vfs) => vfs.fs.mkdirSync("/d"),
  renameSync: (vfs) => vfs.fs.renameSync("/f", "/g"),
  mount: (vfs) => vfs.mount(null, "/", "tmpfs"),
  context: (vfs) => vfs.context({ cwd: "/f" }),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`a trap in ${name} poisons the attachment`, async (t) => {
    const tree = await damagedTree(t);
    const other = await attachVfs(tree.vfs.handle, { share: false });
    t.after(() => other.close());
    tree.damage();
    assert.throws(
      () => call(tree.vfs),
      (error: NodeJS.ErrnoException) =>
        error.code === "ERR_THREADFS_PANIC" && error.cause instanceof WebAssembly.RuntimeError,
    );
    tree.repair();
    assert.equal(
      codeOf(() => tree.vfs.fs.statSync("/f")),
      "ERR_THREADFS_PANIC",
      "a call that would work",
    );
    assert.equal(
      codeOf(() => tree.vfs.counters()),
      "ERR_THREADFS_PANIC",
    );
    assert.equal(other.fs.readFileSync("/f", "utf8"), "x", "the other attachment works on");
    tree.vfs.close();
    assert.equal(
      codeOf(() => tree.vfs.fs.statSync("/f")),
      "ERR_THREADFS_CLOSED",
    );
  });
}

test("a clock that throws in the middle of a change poisons the attachment", async (t) => {
  let broken = false;
  const now = () => {
    if (broken) throw new RangeError("no time");
    return 1000;
  };
  const vfs = await createVfs({ maxBytes: 4 << 20, now });
  t.after(() => vfs.close());
  broken = true;
  assert.throws(
    () => vfs.fs.mkdirSync("/d"),
    (error: NodeJS.ErrnoException) =>
      error.code === "ERR_THREADFS_PANIC" && error.cause instanceof RangeError && error.cause.message === "no time",
  );
  broken = false;
  assert.equal(
    codeOf(() => vfs.fs.existsSync("/d")),
    "ERR_THREADFS_PANIC",
  );
});

test("a call that fails with an error code does not poison the attachment", async (t) => {
  const { vfs } = await damagedTree(t);
  assert.equal(
    codeOf(() => vfs.fs.statSync("/none")),
    "ENOENT",
  );
  assert.equal(vfs.fs.readFileSync("/f", "utf8"), "x");
});
