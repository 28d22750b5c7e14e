/**
 * Random changes of a tree by one thread, and after each the same questions asked by way of the memo of directories walked and
 * without it, on the build that ships: both answer the same, whatever was remembered before.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RENAME_EXCHANGE } from "../../dist/abi/abi.js";
import { createVfs } from "../../dist/src/index.js";
import { cachedWalker, WITHOUT_PREFIX_CACHE } from "../support/prefix-cache.js";
import { rawCore } from "../support/raw-core.js";
import { check, codeOr } from "./support.js";

/** Few names, so that a directory removed comes back and a name stands for one directory after another. */
const names = ["directory-number-one", "directory-number-two", "short"];
const directory = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join("/")}`);

const CHANGES = {
  mkdir: ({ fs }, at) => fs.mkdirSync(at, { recursive: true }),
  rmdir: ({ fs }, at) => fs.rmdirSync(at),
  rm: ({ fs }, at) => fs.rmSync(at, { recursive: true }),
  rename: ({ fs }, at, to) => fs.renameSync(at, to),
  exchange: ({ raw }, at, to) => raw.rename(at, to, RENAME_EXCHANGE),
  chmod: ({ fs }, at, to) => fs.chmodSync(at, to.length % 2 ? 0o700 : 0o755),
  symlink: ({ fs }, at, to) => fs.symlinkSync(to, at),
  file: ({ fs }, at) => fs.writeFileSync(at, "x"),
  unlink: ({ fs }, at) => fs.unlinkSync(at),
  mount: ({ vfs }, at) => vfs.mount(null, at, "tmpfs"),
  bind: ({ vfs }, at, to) => vfs.mount(to, at, "bind"),
  umount: ({ vfs }, at) => vfs.umount(at, { detach: true }),
  chdir: ({ context }, at) => context.chdir(at),
  shrink: ({ vfs }) => {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  },
};

const weighted = ["mkdir", "mkdir", "mkdir", "rename", "rename", "exchange", ...Object.keys(CHANGES)];
const change = fc.record({ kind: fc.constantFrom(...weighted), at: directory, to: directory });

/** Every path of up to four of the names, with one more name behind. */
function questions() {
  let level = [""];
  const all = [];
  for (let depth = 0; depth < 3; depth++) {
    level = level.flatMap((above) => names.map((name) => `${above}/${name}`));
    all.push(...level);
  }
  return all.flatMap((path) => [`${path}/${names[0]}`, `${path.slice(1)}/${names[2]}`]);
}

const asked = questions();

test("the memo answers as the walk does, whatever changes between two lookups", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const raw = rawCore(t, vfs.handle);
  let remembered = 0;
  const property = fc.property(fc.array(change, { minLength: 10, maxLength: 40, size: "max" }), (list) => {
    const { fs } = vfs;
    // New ones for each run, so that a failure depends on its own list alone.
    const memo = cachedWalker(t, context.handle, 0);
    const plain = cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE);
    let made = 0;
    for (const name of names) {
      for (const path of [`/${name}`, `/${name}/${names[0]}`, `/${name}/${names[1]}`])
        fs.mkdirSync(path, { recursive: true });
    }
    for (const one of list) {
      codeOr(() => CHANGES[one.kind]({ fs, raw, vfs, context }, one.at, one.to));
      // A few of them often, so that they are remembered, and all of them once in a while.
      made += 1;
      const few = asked.slice(made % 11, (made % 11) + 12);
      for (const path of made % 16 === 0 ? asked : [...few, ...few, ...few]) {
        assert.equal(memo.ino(path), plain.ino(path), `${path} after ${JSON.stringify(one)}`);
      }
    }
    remembered += [41, 47].flatMap((length) => memo.entries(length)).length;
    for (const { arena } of [memo, plain]) arena.close();
    codeOr(() => context.chdir("/"));
    for (let i = 0; i < 50 && clear(vfs); i++);
  });
  check(t, property, 150);
  assert.ok(remembered > 0, "directories were remembered");
});

/** Takes everything away again; true while there was something that stood in the way. */
function clear(vfs) {
  let left = false;
  const visit = (at) => {
    for (const entry of vfs.fs.readdirSync(at, { withFileTypes: true })) {
      const path = `${at}/${entry.name}`;
      for (let i = 0; i < 40 && codeOr(() => vfs.umount(path, { detach: true })).code === undefined; i++) left = true;
      if (entry.isDirectory() && path.length < 200) codeOr(() => visit(path));
      codeOr(() => vfs.fs.rmSync(path, { recursive: true }));
    }
  };
  visit("/.");
  return left || vfs.fs.readdirSync("/").length > 0;
}
