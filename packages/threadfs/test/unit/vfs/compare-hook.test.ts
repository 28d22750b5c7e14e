/** The compare hook of a driver under an rcu-walk (row 85). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { POINT } from "../../../dist/abi/abi.js";
import type { Driver } from "../../../dist/src/index.js";
import { counted } from "../../support/counters.js";
import { type ObjectDriver, objectDriver } from "../../support/drivers/object-driver.js";
import { passes, type TestScope } from "../../support/hooked-vfs.js";
import { type Interleaved, mountDriverAt, setUp } from "../../support/interleavings.js";

describe("the compare hook", () => {
  interface Caseless extends Interleaved {
    readonly driver: ObjectDriver;
    /** The calls of the hook: the node and the mode of the walk. */
    readonly judged: { readonly node: number | null; readonly rcu: boolean }[];
  }

  /** The spellings under which a file may be: as given, capitalized, in lower case. */
  const spellings = (name: string) => [
    name,
    `${name.slice(0, 1).toUpperCase()}${name.slice(1).toLowerCase()}`,
    name.toLowerCase(),
  ];

  /** A driver whose names have no case. */
  async function caseless(t: TestScope): Promise<Caseless> {
    const all = await setUp(t);
    const { vfs, peer, walker } = all;
    const judged: Caseless["judged"] = [];
    let rcu = false;
    walker.each(POINT.WALK_START, (mode) => {
      rcu = (mode & 1) !== 0;
    });
    walker.each(POINT.DROPPED, () => {
      rcu = false;
    });
    const hooks: Partial<Driver> = {
      hash: (_dir, name) => [...name.toLowerCase()].reduce((h, c) => (h * 31 + c.charCodeAt(0)) | 0, 7),
      compare(_dir, node, cached, wanted) {
        judged.push({ node, rcu });
        return cached.toLowerCase() === wanted.toLowerCase();
      },
    };
    const driver = objectDriver("caseless", { Readme: "x", dir: { Inner: "xy" } }, hooks);
    const { lookup } = driver;
    driver.lookup = (dir, name) => {
      for (const spelling of spellings(name)) {
        const found = lookup(dir, spelling);
        if (found) return found;
      }
      return null;
    };
    mountDriverAt(driver, "/c", vfs, peer, walker);
    return { ...all, driver, judged };
  }

  // Taken out: "if (!inode) return -1" before driverCompare() in matchRcu(). The walk calls the hook without a node.
  test("row 85: in rcu mode a walk never calls the hook for an entry that has no inode", async (t) => {
    const { walker, judged } = await caseless(t);
    assert.equal(walker.fs.existsSync("/c/missing"), false);
    judged.length = 0;
    assert.equal(walker.fs.existsSync("/c/MISSING"), false, "the negative entry is found, in ref mode");
    assert.ok(judged.length > 0);
    assert.deepEqual(
      judged.filter(({ node, rcu }) => node === null && rcu),
      [],
    );
    assert.ok(judged.some(({ node, rcu }) => node === null && !rcu));
  });

  // Taken out: the call of the hook in rcu mode (matchRcu() gives up instead). The walk leaves rcu mode without need.
  test("row 85: for an entry with an inode the hook decides in rcu mode, by parent, node and both names", async (t) => {
    const { walker, judged } = await caseless(t);
    walker.fs.statSync("/c/dir/Inner");
    judged.length = 0;
    const run = counted(walker, () => assert.equal(walker.fs.statSync("/c/DIR/iNNER").size, 2));
    assert.deepEqual([run.endedRcu, run.dropUncached], [1, 0]);
    assert.ok(judged.length >= 2 && judged.every(({ node, rcu }) => node !== null && rcu));
  });

  // Taken out: the check of the sequence between the load of the inode and the hook. The hook gets a node and a name of
  // different states of the entry, and the walk has to start again.
  test("row 85: the hook gets node and name of one state of the entry", async (t) => {
    const { peer, walker, driver, judged } = await caseless(t);
    assert.equal(walker.fs.existsSync("/c/new"), false);
    const opened = passes(walker, POINT.SEQ_OPENED, () => walker.fs.existsSync("/c/NEW"));
    walker.at(
      POINT.SEQ_OPENED,
      () => {
        peer.fs.mkdirSync("/c/new");
        judged.length = 0;
      },
      opened,
    );
    const run = counted(walker, () => assert.ok(walker.fs.statSync("/c/NEW").isDirectory()));
    assert.equal(walker.waits(POINT.SEQ_OPENED), false);
    assert.equal(run.echildRestarts, 0);
    const { ino } = defined(driver.lookup(1, "new"), "node of /c/new");
    assert.ok(judged.some(({ node, rcu }) => node === ino && rcu));
    assert.ok(!judged.some(({ node, rcu }) => node === null && rcu));
  });
});
