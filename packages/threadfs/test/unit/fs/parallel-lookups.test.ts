/** Row 115: what other threads do in a directory of a driver while one of its names is being looked up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import { type DebugTree, treeFor } from "../../support/debug-tree.js";
import {
  argumentsOf,
  type HookName,
  type MemoryFileSystem,
  memoryDriver,
  mountDriver,
  ROOT,
  walkCode,
} from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import type { HookedVfs, TestScope } from "../../support/hooked-vfs.js";

/** How long a call waits here, in milliseconds. */
const LIMIT_MS = 10;

interface Scene extends MemoryFileSystem {
  readonly vfs: HookedVfs;
  readonly other: HookedVfs;
  readonly tree: DebugTree;
  /** The names that the driver was asked for. */
  asked(): unknown[];
  /** Looks a path up in the first thread, and does something in the other one while the driver is asked for `name`. */
  during(path: string, name: string, action: () => void): string | undefined;
  checkWhole(): void;
}

/** Two threads and a driver's file system at /m, of which nothing is cached. */
async function scene(t: TestScope, hooks: HookName[] = ["lookup", "create", "unlink", "readdir"]): Promise<Scene> {
  const tree = await treeFor(t, { lockTimeoutMs: LIMIT_MS });
  const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
  const { vfs } = tree;
  const system = memoryDriver("slow", hooks);
  const { driver, calls } = system;
  let failed: unknown;
  mountDriver(vfs, driver);
  other.registerDriver(driver);
  return {
    ...system,
    vfs,
    other,
    tree,
    asked: () => argumentsOf(calls, "lookup").map(([, name]) => name),
    during(path, name, action) {
      const { lookup } = driver.on;
      driver.on.lookup = (dir, wanted) => {
        if (wanted === name) {
          if (lookup === undefined) delete driver.on.lookup;
          else driver.on.lookup = lookup;
          try {
            action();
          } catch (error) {
            // The driver's error is another one.
            failed = error;
          }
        }
        const ino = system.nodes.namesOf(dir)[wanted];
        return ino === undefined ? null : system.nodes.attributes(ino);
      };
      const code = walkCode(vfs, path);
      if (failed !== undefined) throw failed;
      return code;
    },
    checkWhole() {
      // An open settles the references of calls that were left.
      vfs.fs.closeSync(vfs.fs.openSync("/", "r"));
      const live = [vfs.threadSlot, other.threadSlot];
      assert.deepEqual(check(vfs.handle.memory, { live }).problems.map(String), []);
    },
  };
}

// Fails when the driver is asked under the directory's i_mutex: the calls of the other thread time out.
test("row 115: the directory stays free: lookups, misses, creations, removals and listings go on", async (t) => {
  const { vfs, other, make, during, asked, checkWhole } = await scene(t);
  for (const name of ["slow", "other", "old"]) make(ROOT, name, S_IFREG | 0o644);
  make(ROOT, "olddir", S_IFDIR | 0o755);
  const { fs } = other;
  const code = during("/m/slow", "slow", () => {
    assert.equal(walkCode(other, "/m/other"), undefined);
    assert.equal(walkCode(other, "/m/none"), "ENOENT");
    fs.writeFileSync("/m/new", "");
    fs.mkdirSync("/m/newdir");
    fs.unlinkSync("/m/old");
    fs.rmdirSync("/m/olddir");
    assert.equal(
      codeOf(() => fs.renameSync("/m/other", "/m/moved")),
      "EPERM",
    );
    assert.deepEqual(fs.readdirSync("/m").sort(), ["new", "newdir", "other", "slow"]);
  });
  assert.equal(code, undefined);
  assert.deepEqual(
    ["slow", "other", "none", "new", "newdir", "old", "olddir"].map((name) => walkCode(vfs, `/m/${name}`)),
    [undefined, undefined, "ENOENT", undefined, undefined, "ENOENT", "ENOENT"],
  );
  assert.equal(asked().filter((name) => name === "slow").length, 1);
  checkWhole();
});

// Fails when findInChain() does not see names in lookup: the driver is asked twice, and makes the name beside its own lookup.
test("row 115: whoever wants the same name waits for its own time at most, and takes the answer", async (t) => {
  const { vfs, other, make, during, asked, checkWhole } = await scene(t);
  make(ROOT, "slow", S_IFREG | 0o644);
  const slot = vfs.threadSlot;
  for (const path of ["/m/slow", "/m/none"]) {
    const name = path.slice(3);
    const code = during(path, name, () => {
      for (const call of [
        () => other.fs.statSync(path),
        () => other.fs.openSync(path, "w"),
        () => other.fs.mkdirSync(path),
        () => other.fs.unlinkSync(path),
        () => other.fs.renameSync(path, "/m/other"),
      ]) {
        assert.throws(call, { code: "ERR_THREADFS_TIMEOUT", slot }, `${call}`);
      }
      // The thread that has waited is as good as before.
      assert.equal(walkCode(other, "/m/other"), "ENOENT");
    });
    assert.equal(code, name === "slow" ? undefined : "ENOENT");
    assert.equal(walkCode(other, path), name === "slow" ? undefined : "ENOENT");
    assert.equal(asked().filter((wanted) => wanted === name).length, 1);
  }
  checkWhole();
});

// Fails when names of one hash are told apart without the driver's compare: two entries of one name.
test("row 115: two spellings of one name are one lookup", async (t) => {
  const { vfs, other, make, during, asked, checkWhole } = await scene(t, ["lookup", "create", "hash", "compare"]);
  make(ROOT, "File", S_IFREG | 0o644);
  const code = during("/m/File", "File", () => {
    assert.equal(walkCode(other, "/m/fILE"), "ERR_THREADFS_TIMEOUT");
    assert.equal(walkCode(other, "/m/nothing"), "ENOENT");
  });
  assert.equal(code, undefined);
  assert.equal(walkCode(other, "/m/fILE"), undefined);
  assert.deepEqual(asked(), ["File", "nothing"]);
  // A name that is not there takes the spelling of its creator.
  vfs.fs.writeFileSync("/m/NOTHING", "");
  assert.equal(walkCode(other, "/m/nothing"), undefined);
  checkWhole();
});

// Fails when askDriver() keeps the reference of a name that could not be looked up.
test("row 115: a lookup that fails leaves nothing", async (t) => {
  const { vfs, other, driver, make, asked, checkWhole } = await scene(t);
  make(ROOT, "f", S_IFREG | 0o644);
  const before = vfs.counters().dentries;
  driver.on.lookup = () => {
    throw new Error("broken");
  };
  for (const tree of [vfs, other]) assert.equal(walkCode(tree, "/m/f"), "EIO");
  delete driver.on.lookup;
  for (const tree of [vfs, other]) tree.shrink(0);
  assert.equal(vfs.counters().dentries, before);
  checkWhole();
  assert.equal(walkCode(other, "/m/f"), undefined);
  assert.deepEqual(asked(), ["f", "f", "f"]);
});

// Fails when a lookup attaches its answer below a directory that is another one by now.
test("row 115: the directory of a lookup is removed meanwhile", async (t) => {
  const { vfs, other, make, nodes, during, checkWhole } = await scene(t);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644);
  const code = during("/m/d/f", "f", () => {
    delete nodes.namesOf(dir).f;
    other.fs.rmdirSync("/m/d");
    other.fs.mkdirSync("/m/d");
  });
  assert.equal(code, "ENOENT");
  assert.equal(walkCode(vfs, "/m/d/f"), "ENOENT");
  other.fs.writeFileSync("/m/d/f", "");
  assert.equal(walkCode(vfs, "/m/d/f"), undefined);
  checkWhole();
});

// Fails when a directory that two lookups find at a time gets two dentries.
test("row 115: two names of one directory are looked up at a time: it is where it was found last", async (t) => {
  const { vfs, other, make, nodes, during, checkWhole } = await scene(t, ["lookup", "readdir"]);
  const [p, q] = [make(ROOT, "p", S_IFDIR | 0o755), make(ROOT, "q", S_IFDIR | 0o755)];
  const dir = make(p, "x", S_IFDIR | 0o755);
  nodes.namesOf(q).x = dir;
  const code = during("/m/p/x", "x", () => assert.equal(walkCode(other, "/m/q/x"), undefined));
  assert.equal(code, undefined);
  vfs.chdir("/m/p/x");
  assert.equal(vfs.getcwd(), "/m/p/x");
  assert.equal(walkCode(other, "/m/q/x"), undefined);
  assert.equal(vfs.getcwd(), "/m/q/x");
  checkWhole();
});
