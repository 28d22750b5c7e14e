/** An exception out of the core: the attachment it came from is out of use, others are not (docs/trust.md). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attachVfs, createVfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";

const CTX_TABLE = 41984;
/** Where a context has the dentry of its root. */
const CONTEXT_ROOT = 12;

async function damaged(t) {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  vfs.fs.writeFileSync("/f", "x");
  const words = new Int32Array(vfs.handle.memory.buffer);
  const root = (words[CTX_TABLE >>> 2] + CONTEXT_ROOT) >>> 2;
  const before = words[root];
  const set = (value) => {
    words[root] = value;
  };
  return { vfs, break: () => set(0x7ffffff0), mend: () => set(before) };
}

const CALLS = {
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
  test(`a trap in ${name} takes the attachment out of use`, async (t) => {
    const tree = await damaged(t);
    const other = await attachVfs(tree.vfs.handle);
    t.after(() => other.close());
    tree.break();
    assert.throws(
      () => call(tree.vfs),
      (error) => error.code === "ERR_THREADFS_PANIC" && error.cause instanceof WebAssembly.RuntimeError,
    );
    tree.mend();
    assert.equal(
      codeOf(() => tree.vfs.fs.statSync("/f")),
      "ERR_THREADFS_PANIC",
      "a call that would work",
    );
    assert.equal(
      codeOf(() => tree.vfs.counters()),
      "ERR_THREADFS_PANIC",
    );
    assert.equal(other.fs.readFileSync("/f", "utf8"), "x", "who was not in the core goes on");
    tree.vfs.close();
    assert.equal(
      codeOf(() => tree.vfs.fs.statSync("/f")),
      "ERR_THREADFS_CLOSED",
    );
  });
}

test("a clock that throws does too: it is asked in the middle of a change", async (t) => {
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
    (error) => error.code === "ERR_THREADFS_PANIC" && error.cause.message === "no time",
  );
  broken = false;
  assert.equal(
    codeOf(() => vfs.fs.existsSync("/d")),
    "ERR_THREADFS_PANIC",
  );
});

test("an answer of the core that is an error is none of these", async (t) => {
  const { vfs } = await damaged(t);
  assert.equal(
    codeOf(() => vfs.fs.statSync("/none")),
    "ENOENT",
  );
  assert.equal(vfs.fs.readFileSync("/f", "utf8"), "x");
});
