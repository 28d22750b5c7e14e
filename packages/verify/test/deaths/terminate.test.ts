/** The short form of packages/verify/src/deaths/terminate.ts, and the tool itself: it reports a tree that a dead worker's record does not allow. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Context, createVfs, type Vfs } from "../../../threadfs/dist/src/index.js";
import { run } from "../../dist/deaths/terminate.js";
import { judgeVictim, removeVictim, type Victim } from "../../dist/deaths/victim-state.js";
import { type FileInode, type VictimApi, VictimWorkload } from "../../dist/deaths/victim-workload.js";
import type { Outcome } from "../../dist/support/check.js";

test("real workers die in every way, and the others continue to work", async (t) => {
  const { ok, explored, failures }: Outcome = await run({ seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(
    failures.map(({ message }) => message),
    [],
  );
  assert.ok(ok);
  const { deaths, steps, "turns of the others": turns } = explored;
  assert.ok(Number(deaths) >= 21 && Number(steps) > 0 && Number(turns) > 0);
});

/** A worker that made `made` steps, and by its record ended `ended` steps and died in step `begun`. */
interface Case {
  seed: number;
  ended: number;
  begun: number;
  made?: number;
}

/** A tree with what such a worker left. */
async function remains(
  t: TestContext,
  { seed, ended, begun, made = ended }: Case,
): Promise<{ one: Victim; workload: VictimWorkload }> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  const options = { seed, life: 1, driver: false };
  for (const dir of ["a", "b", "mnt", "bnd", "drv", "over"]) vfs.fs.mkdirSync(`/m/1/${dir}`, { recursive: true });
  vfs.fs.mkdirSync("/common");
  const context = vfs.context();
  context.chdir("/m/1/a");
  const workload = new VictimWorkload(options);
  // The worker has a context of its own. Three renames stand for exchange(), which `fs` does not have.
  const exchange = (a: string, b: string) => {
    vfs.fs.renameSync(a, "/three");
    vfs.fs.renameSync(b, a);
    vfs.fs.renameSync("/three", b);
  };
  const worker = { fs: context.fs, vfs: vfsOf(vfs, context), exchange };
  for (let n = 0; n < made; n++) {
    const step = workload.next();
    step.run(worker);
    step.apply();
  }
  return { one: { vfs, context, record: { begun, ended }, workload: options }, workload };
}

/** The methods of `vfs` that a worker calls; its working directory is the context's. */
function vfsOf(vfs: Vfs, context: Context): VictimApi["vfs"] {
  return {
    mount: (...args) => vfs.mount(...args),
    umount: (...args) => vfs.umount(...args),
    shrink: (n) => vfs.shrink(n),
    chdir: (path) => context.chdir(path),
  };
}

/** A file with contents, and its path. */
function anyFile(workload: VictimWorkload): [path: string, inode: FileInode] {
  for (const [path, inode] of workload.entries)
    if (inode.type === "file" && inode.data.length > 0) return [path, inode];
  throw new Error("no file with contents");
}

test("the tree that a worker leaves follows from its record, at any step", async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    for (const ended of [0, 7, 60, 150]) {
      const { one } = await remains(t, { seed, ended, begun: ended });
      assert.deepEqual(judgeVictim(one), { wrong: null, inHand: null, text: undefined });
      removeVictim(one);
      assert.deepEqual(one.vfs.fs.readdirSync("/common"), []);
    }
  }
});

// Fails when judgeVictim() compares the names alone, or accepts any state after any step.
test("a step too many, a step too few, a changed byte and a lost name are reported", async (t) => {
  let seen = 0;
  for (const seed of [5, 6, 7]) {
    const ended = 80;
    const few = await remains(t, { seed, ended: ended + 1, begun: ended + 1, made: ended - 20 });
    if (judgeVictim(few.one).wrong !== null) seen++;
    const many = await remains(t, { seed, ended: ended - 20, begun: ended - 20, made: ended });
    if (judgeVictim(many.one).wrong !== null) seen++;
    const { one, workload } = await remains(t, { seed, ended, begun: ended });
    const [path, inode] = anyFile(workload);
    const fd = one.vfs.fs.openSync(workload.full(path), "r+");
    one.vfs.fs.writeSync(fd, Buffer.from([inode.data.readUInt8(0) ^ 1]), 0, 1, 0);
    one.vfs.fs.closeSync(fd);
    assert.match(judgeVictim(one).wrong ?? "", /has other contents/);
    one.vfs.fs.unlinkSync(workload.full(path));
    assert.match(judgeVictim(one).wrong ?? "", /is missing|links/);
  }
  assert.equal(seen, 6);
});
