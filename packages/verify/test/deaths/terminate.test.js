/** The short form of packages/verify/src/deaths/terminate.js, and the tool itself: what a dead worker's record does not allow is seen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../threadfs/dist/src/index.js";
import { run } from "../../dist/deaths/terminate.js";
import { judgeVictim, removeVictim } from "../../dist/deaths/victim-state.js";
import { VictimWorkload } from "../../dist/deaths/victim-workload.js";

test("real workers die in every way, and the others work on", { timeout: 120_000 }, async (t) => {
  const { ok, explored, failures } = await run({ seconds: 8, seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(
    failures.map(({ message }) => message),
    [],
  );
  assert.ok(ok);
  assert.ok(explored.deaths >= 3 && explored.steps > 0 && explored["turns of the others"] > 0);
});

/** A tree with what one worker left that made `ended` steps and died in step `begun`. */
async function remains(t, { seed, ended, begun, made = ended }) {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  const options = { seed, life: 1, driver: false };
  for (const dir of ["a", "b", "mnt", "bnd", "drv", "over"]) vfs.fs.mkdirSync(`/m/1/${dir}`, { recursive: true });
  vfs.fs.mkdirSync("/common");
  const context = vfs.context();
  context.chdir("/m/1/a");
  const workload = new VictimWorkload(options);
  // The script works as its own context; exchange() needs the core itself, and is left to a rename of three.
  const exchange = (a, b) => {
    vfs.fs.renameSync(a, "/three");
    vfs.fs.renameSync(b, a);
    vfs.fs.renameSync("/three", b);
  };
  const worker = { fs: context.fs, vfs: Object.assign(Object.create(vfs), methods(vfs, context)), exchange };
  const texts = [];
  for (let n = 0; n < made; n++) {
    const step = workload.next();
    step.run(worker);
    step.apply();
    texts.push(step.text);
  }
  return { one: { vfs, context, record: { begun, ended }, workload: options }, workload, texts };
}

/** What a worker asks of its `vfs`, bound to this thread's. */
function methods(vfs, context) {
  return {
    mount: (...args) => vfs.mount(...args),
    umount: (...args) => vfs.umount(...args),
    shrink: (n) => vfs.shrink(n),
    chdir: (path) => context.chdir(path),
  };
}

test("what a worker has left is known from its record, at any step", async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    for (const ended of [0, 7, 60, 150]) {
      const { one } = await remains(t, { seed, ended, begun: ended });
      assert.deepEqual(judgeVictim(one), { wrong: null, inHand: null, text: undefined });
      removeVictim(one);
      assert.deepEqual(one.vfs.fs.readdirSync("/common"), []);
    }
  }
});

// Fails when the judge looks at the names alone, or takes any step in hand for any state.
test("a step too many, a step too few, a changed byte, a lost name are seen", async (t) => {
  let seen = 0;
  for (const seed of [5, 6, 7]) {
    const ended = 80;
    const few = await remains(t, { seed, ended: ended + 1, begun: ended + 1, made: ended - 20 });
    if (judgeVictim(few.one).wrong !== null) seen++;
    const many = await remains(t, { seed, ended: ended - 20, begun: ended - 20, made: ended });
    if (judgeVictim(many.one).wrong !== null) seen++;
    const { one, workload } = await remains(t, { seed, ended, begun: ended });
    const [path, inode] = [...workload.entries].find(([, { type, data }]) => type === "file" && data.length > 0);
    const fd = one.vfs.fs.openSync(workload.full(path), "r+");
    one.vfs.fs.writeSync(fd, Buffer.from([inode.data[0] ^ 1]), 0, 1, 0);
    one.vfs.fs.closeSync(fd);
    assert.match(judgeVictim(one).wrong, /has other contents/);
    one.vfs.fs.unlinkSync(workload.full(path));
    assert.match(judgeVictim(one).wrong, /is missing|links/);
  }
  assert.equal(seen, 6);
});
