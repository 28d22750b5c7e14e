/** threadfs/wasi-preview2: components that want out, and bad arguments. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createPreview2 } from "../../../../dist/src/wasi-preview2.js";
import { BOTH, boxed, CREATE, type Descriptor, FOLLOW, NOFOLLOW, outcome, READ } from "./component.js";

/** Calls with a path. */
const CALLS: Record<string, (dir: Descriptor, path: string) => unknown> = {
  open: (dir, path) => dir.openAt(FOLLOW, path, {}, READ),
  create: (dir, path) => dir.openAt(FOLLOW, path, CREATE, BOTH),
  stat: (dir, path) => dir.statAt(FOLLOW, path),
  hash: (dir, path) => dir.metadataHashAt(FOLLOW, path),
  times: (dir, path) => dir.setTimesAt(FOLLOW, path, { tag: "now" }, { tag: "now" }),
  mkdir: (dir, path) => dir.createDirectoryAt(path),
  rmdir: (dir, path) => dir.removeDirectoryAt(path),
  unlink: (dir, path) => dir.unlinkFileAt(path),
  readlink: (dir, path) => dir.readlinkAt(path),
  symlink: (dir, path) => dir.symlinkAt("body", path),
  "link from": (dir, path) => dir.linkAt(FOLLOW, path, dir, "new"),
  "link to": (dir, path) => dir.linkAt(NOFOLLOW, "f", dir, path),
  "rename from": (dir, path) => dir.renameAt(path, dir, "new"),
  "rename to": (dir, path) => dir.renameAt("f", dir, path),
};

/** What a component sees of the tree afterwards. */
const UNTOUCHED = ["box", "secret"];

test("no path leads out of the directory: absolute ones, dots, links and a link to a directory above", async (t) => {
  const { vfs, box } = await boxed(t);
  vfs.fs.symlinkSync("..", "/box/up");
  vfs.fs.symlinkSync("/secret", "/box/absolute");
  vfs.fs.mkdirSync("/box/d");
  for (const [name, call] of Object.entries(CALLS)) {
    for (const path of ["/secret", "../secret", "d/../../secret", "up/secret", "/", "d/../../box/f"]) {
      assert.equal(
        outcome(() => call(box, path)),
        "not-permitted",
        `${name} ${path}`,
      );
    }
  }
  for (const name of ["open", "create", "stat", "hash", "times", "link from"]) {
    assert.equal(
      outcome(() => CALLS[name]?.(box, "absolute")),
      "not-permitted",
      name,
    );
  }
  assert.equal(
    outcome(() => box.readlinkAt("absolute")),
    "not-permitted",
  );
  assert.equal(
    outcome(() => box.symlinkAt("/secret", "new")),
    "not-permitted",
  );
  assert.deepEqual(vfs.fs.readdirSync("/").sort(), UNTOUCHED);
  assert.deepEqual(vfs.fs.readdirSync("/box").sort(), ["absolute", "d", "f", "up"]);
  assert.equal(vfs.fs.readFileSync("/secret", "utf8"), "secret");
});

test("paths that no file has", async (t) => {
  const { vfs, box } = await boxed(t);
  for (const [name, call] of Object.entries(CALLS)) {
    assert.equal(
      outcome(() => call(box, "f\0/x")),
      "invalid",
      name,
    );
    assert.equal(
      outcome(() => call(box, "")),
      "no-entry",
      name,
    );
    assert.equal(
      outcome(() => call(box, "x".repeat(256))),
      "name-too-long",
      name,
    );
    assert.equal(
      outcome(() => call(box, "x/".repeat(3000))),
      "name-too-long",
      name,
    );
    assert.throws(() => call(box, 5 as never), { code: "ERR_INVALID_ARG_TYPE" }, name);
  }
  assert.equal(
    outcome(() => box.symlinkAt("x".repeat(5000), "new")),
    "name-too-long",
  );
  assert.deepEqual(vfs.fs.readdirSync("/box"), ["f"]);
});

test("positions and sizes that no file has", async (t) => {
  const { vfs, open } = await boxed(t);
  const f = open("f");
  const byte = new Uint8Array(1);
  for (const offset of [2n ** 63n, 2n ** 64n - 1n, -1n]) {
    assert.equal(
      outcome(() => f.read(1n, offset)),
      "invalid",
    );
    assert.equal(
      outcome(() => f.write(byte, offset)),
      "invalid",
    );
    assert.equal(
      outcome(() => f.readViaStream(offset)),
      "invalid",
    );
    assert.equal(
      outcome(() => f.writeViaStream(offset)),
      "invalid",
    );
    assert.equal(
      outcome(() => f.setSize(offset)),
      "file-too-large",
    );
  }
  assert.equal(
    outcome(() => f.write(byte, 2n ** 62n)),
    "file-too-large",
  );
  assert.equal(
    outcome(() => f.setSize(2n ** 52n)),
    "file-too-large",
  );
  const stream = f.writeViaStream(2n ** 53n);
  assert.equal(
    outcome(() => stream.blockingWriteAndFlush(byte)),
    "last-operation-failed: file-too-large",
  );
  assert.equal(vfs.fs.readFileSync("/box/f", "utf8"), "0123456789");
});

test("a component has no descriptor of another tree, and does what its user may", async (t) => {
  const { vfs, box } = await boxed(t);
  const { box: other } = await boxed(t);
  assert.equal(
    outcome(() => box.renameAt("f", other, "g")),
    "cross-device",
  );
  assert.equal(
    outcome(() => box.linkAt(NOFOLLOW, "f", other, "g")),
    "cross-device",
  );
  assert.equal(box.isSameObject(other), false);
  assert.throws(() => box.renameAt("f", {} as never, "g"), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => box.isSameObject(undefined as never), { code: "ERR_INVALID_ARG_TYPE" });
  vfs.fs.chmodSync("/box/f", 0o600);
  const user = createPreview2(vfs.context({ uid: 1000, gid: 1000 }), { preopens: { ".": "/box" } });
  const [entry] = user.filesystem.preopens.getDirectories();
  assert.equal(entry?.[1], ".");
  assert.equal(
    outcome(() => entry?.[0].openAt(FOLLOW, "f", {}, READ)),
    "access",
  );
  assert.equal(
    outcome(() => entry?.[0].createDirectoryAt("d")),
    "access",
  );
  user.close();
  vfs.fs.mkdirSync("/box/mounted");
  vfs.mount("/box", "/box/mounted", "bind", { readonly: true });
  assert.equal(
    outcome(() => box.openAt(FOLLOW, "mounted/f", {}, BOTH)),
    "read-only",
  );
  assert.equal(
    outcome(() => box.renameAt("f", box, "mounted/f")),
    "cross-device",
  );
});

test("options are checked, and what was opened is closed again", async (t) => {
  const { vfs } = await boxed(t);
  const before = vfs.counters().openFiles;
  assert.throws(() => createPreview2(vfs, { preopen: {} } as never), { code: "ERR_INVALID_ARG_VALUE" });
  assert.throws(() => createPreview2(vfs, { preopens: [] } as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => createPreview2(vfs, { preopens: { "/": 5 } } as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => createPreview2({} as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => createPreview2(vfs, { preopens: { a: "/box", b: "/none" } }), { code: "ENOENT" });
  assert.throws(() => createPreview2(vfs, { preopens: { a: "/box", b: "/secret" } }), { code: "ENOTDIR" });
  assert.equal(vfs.counters().openFiles, before);
  assert.deepEqual(createPreview2(vfs).filesystem.preopens.getDirectories(), []);
});

test("after the tree is closed every call throws, which ends the component", async (t) => {
  const { vfs, preview2, box, open } = await boxed(t);
  const f = open("f");
  const stream = f.readViaStream(0n);
  vfs.close();
  const closed = { code: "ERR_THREADFS_CLOSED" };
  assert.throws(() => f.stat(), closed);
  assert.throws(() => f.read(1n, 0n), closed);
  assert.throws(() => stream.read(1n), closed);
  assert.throws(() => box.statAt(FOLLOW, "f"), closed);
  preview2.close();
});
