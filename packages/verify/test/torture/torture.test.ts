/** The short form of packages/verify/src/torture/torture.ts, and the tool itself: its readers report each kind of wrong tree. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { randomBelow } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { createVfs, type FsSync } from "../../../threadfs/dist/src/index.js";
import { elementAt } from "../../dist/support/defined.js";
import { registerDrivers } from "../../dist/torture/drivers.js";
import { makeReader } from "../../dist/torture/roles.js";
import { erasOf, makePath, makeSharedState, OP, Ring } from "../../dist/torture/shared-state.js";
import { InvariantViolation, Thread } from "../../dist/torture/thread.js";
import { run } from "../../dist/torture/torture.js";
import type { Workload } from "../../dist/torture/workloads/workload.js";
import {
  itemsOf,
  makeWorkloads,
  type WorkloadName,
  type Workloads,
  workloadNames,
} from "../../dist/torture/workloads/workloads.js";
import { deepUid, twinUid } from "../../dist/workload/twin-driver.js";

test("the readers of real threads report nothing", async (t) => {
  const { ok, explored, failures } = await run({ seed: 1, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(
    failures.map(({ message, trace }) => `${message}\n${trace}`),
    [],
  );
  assert.ok(ok);
  const { lookups, renames, changes } = explored;
  assert.ok(Number(lookups) > 1000 && Number(renames) > 100 && Number(changes) > 100);
});

/** A tree with the files of all workloads, and a thread on it. */
interface Tree {
  thread: Thread;
  workloads: Workloads;
  fs: FsSync;
}

async function built(t: TestContext): Promise<Tree> {
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await createVfs({ maxBytes: 64 << 20, now });
  const arena = Attachment.attach(vfs.handle, { now });
  t.after(() => {
    arena.close();
    vfs.close();
  });
  const sharedState = makeSharedState(1);
  registerDrivers(vfs, arena, sharedState);
  vfs.fs.mkdirSync("/t/tmp", { recursive: true });
  const thread = new Thread({ arena, vfs, clock, sharedState, index: 0, next: randomBelow(7) });
  const workloads = makeWorkloads(thread);
  for (const workload of Object.values<Workload>(workloads)) workload.build(thread);
  return { thread, workloads, fs: vfs.fs };
}

/** Reads the files of a workload many times, as the threads do. */
function readAll({ thread, workloads }: Omit<Tree, "fs">, name: WorkloadName, rounds = 40): void {
  const workload: Workload = workloads[name];
  for (let n = 0; n < rounds; n++) for (let i = 0; i < Math.min(workload.items, 64); i++) workload.read(thread, i);
}

test("a thread alone that changes everything reads nothing wrong", async (t) => {
  const tree = await built(t);
  const owned = itemsOf(tree.workloads, 0, 1);
  for (let n = 0; n < 6000; n++) {
    const [workload, i] = elementAt(owned, tree.thread.next(owned.length));
    workload.write(tree.thread, i);
    if (n % 10 === 0) workload.read(tree.thread, tree.thread.next(workload.items));
  }
  for (const name of workloadNames(tree.workloads)) readAll(tree, name, 3);
});

/** A change behind the back of a workload, and what its reader must report. */
type WrongTree = [workload: WorkloadName, change: (tree: Tree) => void, expected: RegExp];
const WRONG_TREES: Record<string, WrongTree> = {
  "fixed: a file is missing": [
    "fixed",
    ({ fs }) => fs.unlinkSync("/t/fix/alpha/beta-with-a-name/gamma/delta/f0"),
    /always there/,
  ],
  "fixed: a file has another owner": [
    "fixed",
    ({ fs }) => fs.chownSync("/t/fix/alpha/beta-with-a-name/gamma/delta/f0", 5, 1),
    /not file 0/,
  ],
  "fixed: a name exists that never did": [
    "fixed",
    ({ fs }) => fs.mkdirSync("/t/fix/alpha/beta-with-a-name/gamma/delta/no0"),
    /never was/,
  ],
  "replaced: a file is of a generation too new": [
    "replaced",
    ({ fs }) => fs.chownSync("/t/rep/r0", 1000, 9),
    /could be there/,
  ],
  "replaced: a file has the size of another": [
    "replaced",
    ({ fs }) => fs.truncateSync("/t/rep/r0", 3),
    /two files at once/,
  ],
  "replaced: a file has other contents": [
    "replaced",
    ({ fs, thread }) => {
      const fd = fs.openSync("/t/rep/r0", "r+");
      thread.clock.ms = 1000 + 1 / 8;
      fs.writeSync(fd, "!", 4);
      fs.closeSync(fd);
    },
    /word 1 is/,
  ],
  "exchanged: a third file has one of the names": [
    "exchanged",
    ({ fs }) => fs.chownSync("/t/ex/0/a0", 77, 1),
    /not one of/,
  ],
  "exchanged: one file has both names": [
    "exchanged",
    ({ fs }) => {
      fs.unlinkSync("/t/ex/0/b0");
      fs.linkSync("/t/ex/0/a0", "/t/ex/0/b0");
    },
    /not the pair|at most 1/,
  ],
  "moved: a file is in the wrong directory": [
    "moved",
    ({ fs }) => fs.renameSync("/t/mv/A/s0", "/t/mv/B/s0"),
    /all the time|never in that place/,
  ],
  "swung: another file is below the directory": [
    "swung",
    ({ fs }) => fs.chownSync("/t/sw/0/L/in/deep/id", 1, 1),
    /is file 1/,
  ],
  "permuted: a directory has an entry too many": [
    "permuted",
    ({ fs }) => fs.writeFileSync("/t/pe/0/more", ""),
    /shows 13 entries/,
  ],
  "torn: a file has a new owner and the old group": [
    "torn",
    ({ fs }) => fs.chownSync("/t/torn/f0", 1, 1),
    /two moments/,
  ],
  "torn: a file has a new size and the old time": [
    "torn",
    ({ fs, thread }) => {
      thread.clock.ms = 1900;
      fs.truncateSync("/t/torn/f1", 4);
    },
    /two moments/,
  ],
  "rewritten: a file has bytes of two versions": [
    "rewritten",
    ({ fs }) => fs.writeFileSync("/t/co/f0", new Uint8Array(512).fill(7).fill(9, 200)),
    /behind \d+ words/,
  ],
  "linked: a file has too many links": [
    "linked",
    ({ fs }) => {
      for (let n = 0; n < 7; n++) fs.linkSync("/t/hl/f0", `/t/hl/extra${n}`);
    },
    /has 8 links/,
  ],
  "bodies: a link has half of a body": [
    "bodies",
    ({ fs }) => {
      fs.unlinkSync("/t/ln/l0");
      fs.symlinkSync("b1.xx", "/t/ln/l0");
    },
    /the body is/,
  ],
  "mounted: a file is of another mount": ["mounted", ({ fs }) => fs.chownSync("/t/mnt/0/here/in", 5, 5), /is file 5/],
  "bound: a file is of another bind mount": [
    "bound",
    ({ fs }) => fs.chownSync("/t/bd/0/target/sub/id", 5, 5),
    /is file 5/,
  ],
  "aliased: a file is of another mount": [
    "aliased",
    ({ fs, thread }) => {
      thread.vfs.mount(null, "/t/alias/b/x3/deep", "tmpfs");
      fs.writeFileSync("/t/alias/a/x3/deep/a", "");
    },
    /is file 0/,
  ],
  "aliased: a mount is not there": [
    "aliased",
    ({ thread, workloads }) => {
      workloads.aliased.write(thread, 3);
      thread.vfs.umount("/t/alias/c/x3/deep", { detach: true });
    },
    /all the time and was not found/,
  ],
  "remade: a mount is there in another era": [
    "remade",
    ({ thread, workloads }) => {
      workloads.remade.write(thread, 3);
      erasOf(thread.words).fill(1, 3, 4);
    },
    /all the time and was not found/,
  ],
  "remade: a directory is of an era that is over": [
    "remade",
    ({ fs, thread }) => {
      thread.vfs.mount(null, "/t/twin/deep/x3", "tmpfs");
      for (const dir of ["", "/deep"]) {
        fs.mkdirSync(`/t/twin/a/x3${dir}`, { recursive: true });
        fs.writeFileSync(`/t/twin/a/x3${dir}/a`, "");
        fs.chownSync(`/t/twin/a/x3${dir}/a`, dir === "" ? twinUid(3) : deepUid(3), 5);
      }
    },
    /of era 5; 0 to 0/,
  ],
  "strayed: a name exists that never did": [
    "strayed",
    ({ fs, workloads }) => fs.mkdirSync(elementAt(workloads.strayed.never, 0).text),
    /found in rcu mode/,
  ],
};

for (const [name, [workload, change, expected]] of Object.entries(WRONG_TREES)) {
  test(`a wrong tree is reported: ${name}`, async (t) => {
    const tree = await built(t);
    readAll(tree, workload);
    change(tree);
    assert.throws(
      () => readAll(tree, workload),
      (error: unknown) => error instanceof InvariantViolation && expected.test(error.message),
    );
  });
}

test("an inode number that another file takes is reported", async (t) => {
  const { thread, workloads } = await built(t);
  readAll({ thread, workloads }, "replaced");
  thread.fs.chownSync("/t/rep/r0", 1000, 1);
  thread.fs.chownSync("/t/rep/r1", 1001, 1);
  // The same inode with another stamp that would be right at this name.
  elementAt(workloads.replaced.names, 0).set(0, 7920);
  thread.fs.chownSync("/t/rep/r0", 1000, 7920);
  assert.throws(() => readAll({ thread, workloads }, "replaced"), /two files at once|was file 1000\.1 and is/);
});

test("the fast reader reports a wrong tree too", async (t) => {
  const { thread, workloads, fs } = await built(t);
  const turn = makeReader(thread, workloads);
  for (let n = 0; n < 50; n++) turn();
  fs.chownSync("/t/fix/alpha/beta-with-a-name/gamma/delta/f0", 5, 1);
  assert.throws(() => {
    for (let n = 0; n < 5000; n++) turn();
  }, InvariantViolation);
});

test("a ring keeps the last calls of a thread, and the one that has not returned", () => {
  const sharedState = makeSharedState(1);
  const ring = new Ring(sharedState, 0);
  for (let n = 0; n < 100; n++) {
    ring.begin(OP.stat, n, 0, makePath(`/p${n}`));
    ring.end(-2);
  }
  ring.begin(OP.rename, 0, 0, makePath("/from"), makePath("/to"));
  const lines = new Ring(sharedState, 0).lines(3);
  assert.deepEqual(lines, [
    "99 stat /p98 98 0 -> -2",
    "100 stat /p99 99 0 -> -2",
    "101 rename /from /to 0 0 -> has not come back",
  ]);
});
