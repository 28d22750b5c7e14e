/** "." and ".." in a walk: at the root, beside renames, over mounts. The comment above a test names the faults that it finds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attach, createMemory, shippingCore } from "../../../../verify/dist/binary/core.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { AT_FDCWD, MODE_REF, POINT } from "../../../dist/abi/abi.js";
import { LOG_ACQUIRING, LOG_NR_LOCKS, LOG_NR_MUTEXES, SLOT_UNDO_LOG } from "../../../dist/generated/core-layout.js";
import { treeFor } from "../../support/debug-tree.js";
import { walkCode } from "../../support/drivers/memory-driver.js";

// Taken out, one at a time: "." is a name like others; ".." leaves rcu mode.
test("row 52: '.' and '..' are walked in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.fs.writeFileSync("/a/f", "");
  const ino = vfs.fs.statSync("/a/f").ino;
  for (const path of ["/a/./f", "/a/b/../f", "/./a/b/.././b/../f", "/a/b/../b/../../a/f"]) {
    const c = counted(() => assert.equal(vfs.fs.statSync(path).ino, ino));
    assert.deepEqual([c.walks, c.endedRcu], [1, 1], path);
  }
});

// Taken out: ".." does not check the sequence of the directory it leaves.
test("row 53: '..' from a directory that has just moved starts the walk again", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.at(POINT.DOTDOT, () => {
    other.fs.renameSync("/a/b", "/b");
    other.fs.writeFileSync("/a/f", "");
  });
  // While b was in a there was no f in it.
  const c = counted(() => assert.equal(walkCode(vfs, "/a/b/../f"), "ENOENT"));
  assert.equal(c.echildRestarts, 1);
});

// Taken out: the parent's sequence is opened after the child's was checked, not before.
test("row 53: '..' goes on with the parent's sequence of before the check", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.at(POINT.DOTDOT, () => {
    other.fs.renameSync("/a", "/z");
    other.fs.writeFileSync("/z/f", "");
  });
  const c = counted(() => assert.equal(walkCode(vfs, "/a/b/../f"), "ENOENT"));
  assert.equal(c.echildRestarts, 1);
});

// Taken out: the walk does not compare where it is with its root.
test("row 53: '..' at the root stays there, in both modes", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b/c", { recursive: true });
  const context = vfs.context({ root: "/a/b" });
  const inside = vfs.fs.statSync("/a/b").ino;
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    for (const path of ["/..", "/../..", "../..", "/c/../..", "/c/../../../c/.."]) {
      const c = counted(() => assert.equal(context.fs.statSync(path).ino, inside, path));
      assert.equal(c.endedRcu, ref ? 0 : 1);
    }
    assert.equal(walkCode(context, "/../a"), "ENOENT");
  }
});

// Taken out, one at a time: only one mount is climbed; the mount point's sequence is not taken over.
test("row 54: '..' at the root of mounts on top of each other leads below them all, in both modes", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/first", { recursive: true });
  // Its sequence should not be that of a fresh root by chance.
  vfs.fs.renameSync("/a/first", "/a/second");
  vfs.fs.renameSync("/a/second", "/a/m");
  for (let n = 0; n < 3; n++) vfs.mount(null, "/a/m", "tmpfs");
  const below = vfs.fs.statSync("/a");
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const c = counted(() => {
      const { ino, dev } = vfs.fs.statSync("/a/m/..");
      assert.deepEqual([ino, dev], [below.ino, below.dev]);
    });
    assert.deepEqual([c.endedRcu, c.echildRestarts], [ref ? 0 : 1, 0]);
  }
});

// Taken out: after ".." nothing is followed down (in each mode separately).
test("row 54: '..' onto a directory that is mounted over goes into the mount, in both modes", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  const context = vfs.context({ cwd: "/a/b" });
  vfs.mount(null, "/a", "tmpfs");
  const over = vfs.fs.statSync("/a");
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    const { ino, dev } = context.fs.statSync("..");
    assert.deepEqual([ino, dev], [over.ino, over.dev], `ref ${ref}`);
  }
});

// Taken out: the mount sequence is checked neither on the way up nor at the end.
test("row 54: a mount that is moved away under '..' starts the walk again", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/a/m", { recursive: true });
  vfs.fs.mkdirSync("/b/m", { recursive: true });
  vfs.mount(null, "/a/m", "tmpfs");
  vfs.at(POINT.MOUNT_UP, () => {
    other.mount("/a/m", "/b/m", "bind", { move: true });
    other.fs.writeFileSync("/a/f", "");
  });
  // While the mount was in a there was no f in it.
  const context = vfs.context({ cwd: "/a/m" });
  vfs.fs.writeFileSync("/b/f", "in b");
  const c = counted(() => assert.equal(context.fs.statSync("../f").size, 4));
  assert.equal(c.echildRestarts, 1);
});

// Fails when a parent that is another one by the time it has been referenced keeps the reference.
test("'..' in ref mode leaves no reference behind, at whatever moment the directory moves", () => {
  const core = shippingCore({ accesses: true });
  const memory = createMemory();
  let [access, moment, moves] = [0, 0, 0];
  const walker = attach(
    memory,
    core,
    { access: () => (access++ === moment ? moveOnce() : undefined) },
    { init: { seed: 1 } },
  );
  const mover = attach(memory, core);
  const rename = (from: string, to: string) =>
    mover.check("sysRename", 0, AT_FDCWD, mover.path(from), AT_FDCWD, mover.path2(to), 0);
  /** Not while the walker holds a lock, for which the rename would wait. */
  const moveOnce = (): undefined => {
    const log = (walker.slotAddress + SLOT_UNDO_LOG) >>> 2;
    const holds = [LOG_ACQUIRING, LOG_NR_LOCKS, LOG_NR_MUTEXES].some((at) => walker.words[log + at / 4] !== 0);
    if (holds) moment++;
    else if (rename("/d/e", "/o/e") === 0) moves++;
  };
  walker.exports.walkMode(MODE_REF);
  for (const path of ["/d", "/d/e", "/o"]) mover.check("sysMkdir", 0, AT_FDCWD, mover.path(path), 0o755);
  for (moment = 0; access >= moment; moment++) {
    access = 0;
    const before = moves;
    walker.exports.sysStat(0, AT_FDCWD, walker.path("/d/e/.."), 0);
    if (moves > before) rename("/o/e", "/d/e");
    const { problems } = check(memory, { live: [walker.slot, mover.slot] });
    assert.deepEqual(problems, [], `moved before access ${moment}`);
  }
  assert.ok(moves > 50, `${moves} moves`);
});
