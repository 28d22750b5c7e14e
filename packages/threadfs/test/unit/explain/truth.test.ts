/**
 * An explanation tells the truth: its answer, its drops and its restarts are those of the call, also while other threads change the tree;
 * and a replay leaves the thread, its slot and the tree as a call does.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { randomBelow } from "../../../../cli/dist/support/random.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../dist/abi/abi.js";
import {
  ACL_TAG,
  attachVfs,
  type Context,
  type Counters,
  createVfs,
  type Explanation,
  type TraceStep,
  type Vfs,
} from "../../../dist/src/index.js";
import { treeFor as debugTreeFor } from "../../support/debug-tree.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

async function treeFor(t: TestScope, options: Partial<Parameters<typeof createVfs>[0]> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20, ...options });
  t.after(() => vfs.close());
  return vfs;
}

const isWhole = (vfs: Vfs, other: Vfs[] = []) =>
  assert.deepEqual(
    check(vfs.handle.memory, { live: [vfs, ...other].map(({ threadSlot }) => threadSlot) }).problems,
    [],
  );

/** What the counters of this thread grew by. */
async function grown<T>(vfs: Vfs, work: () => Promise<T> | T): Promise<[T, Counters]> {
  const before = vfs.counters({ own: true });
  const result = await work();
  const after = vfs.counters({ own: true });
  const names = Object.keys(after) as (keyof Counters)[];
  return [result, Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Counters];
}

/** The counters that an explanation has something to say of, in the words of the explanation. */
const told = ({ dropUncached, dropPermission, dropRevalidate, dropLink, dropRevalDot, ...rest }: Counters) => ({
  drops: [
    ...Array<string>(dropUncached).fill("UNCACHED"),
    ...Array<string>(dropPermission).fill("PERMISSION"),
    ...Array<string>(dropRevalidate).fill("REVALIDATE"),
    ...Array<string>(dropLink).fill("LINK"),
    ...Array<string>(dropRevalDot).fill("REVAL_DOT"),
  ].sort(),
  ECHILD: rest.echildRestarts,
  ESTALE: rest.estaleRestarts,
  walks: rest.walks,
  mode: rest.endedRef > 0 ? "ref" : "rcu",
});
const says = ({ drops, restarts, mode }: Explanation) => ({
  drops: [...drops].sort(),
  ECHILD: restarts.filter((reason) => reason === "ECHILD").length,
  ESTALE: restarts.filter((reason) => reason === "ESTALE").length,
  walks: 1,
  mode,
});

const NAMES = [
  "a",
  "b",
  "c",
  "link",
  "mnt",
  "drv",
  "none",
  "f",
  "plain",
  "..",
  ".",
  "a-name-of-more-than-eight",
  "priv",
];

/** A tree with links, ACLs, mounts and a driver with generation numbers in its directories. */
function plant(vfs: Vfs, random: (n: number) => number): void {
  const { fs } = vfs;
  const dirs = ["/"];
  for (let i = 0; i < 60; i++) {
    const at = dirs[random(dirs.length)] as string;
    const path = `${at === "/" ? "" : at}/${NAMES[random(NAMES.length - 5)]}`;
    if (codeOf(() => fs.lstatSync(path)) !== "ENOENT") continue;
    const kind = random(6);
    if (kind === 0) fs.writeFileSync(path, "x");
    else if (kind === 1) fs.symlinkSync(["..", "/a", "b/../c", path, "none", "../link/b"][random(6)] as string, path);
    else {
      fs.mkdirSync(path, { mode: [0o755, 0o700, 0o711][random(3)] as number });
      dirs.push(path);
      if (kind === 2 && random(2) === 0) vfs.mount("none", path, random(2) === 0 ? "tmpfs" : "objects");
      if (kind === 3) {
        const perms: [number, number][] = [
          [ACL_TAG.USER_OBJ, 7],
          [ACL_TAG.GROUP_OBJ, 0],
          [ACL_TAG.MASK, random(8)],
          [ACL_TAG.OTHER, random(8)],
        ];
        const user = { tag: ACL_TAG.USER, perm: random(8), id: 5 };
        codeOf(() => vfs.setfacl(path, [...perms.map(([tag, perm]) => ({ tag, perm })), user]));
      }
    }
  }
}

describe("an explanation is that of the call", () => {
  // Fails when replay() does not hand the thread's context, modes or hooks on, or when a tracepoint is missing.
  test("the same answer, file, drops and restarts for 600 random calls of three contexts", async (t) => {
    const random = randomBelow(206);
    const vfs = await treeFor(t);
    const driver = objectDriver("objects", { a: { b: { f: "x" } }, link: { link: "a/b" }, f: "y" });
    vfs.registerDriver(Object.assign(driver, { revalidate: () => true, generation: true }));
    // Without a generation number each step asks the driver in ref mode.
    const plain = objectDriver("plain", { a: { b: "x" }, f: "y" });
    vfs.registerDriver(Object.assign(plain, { revalidate: (_dir: unknown, node: unknown) => node !== null }));
    for (const name of ["objects", "plain"] as const) {
      vfs.fs.mkdirSync(`/${name === "plain" ? name : "drv"}`);
      vfs.mount("none", `/${name === "plain" ? name : "drv"}`, name);
    }
    plant(vfs, random);
    vfs.fs.mkdirSync("/jail/a/b", { recursive: true });
    vfs.fs.symlinkSync("/a", "/jail/link");
    const contexts = [
      vfs.context({}),
      vfs.context({ uid: 5, gid: 5 }),
      vfs.context({ root: "/jail", resolve: "beneath" }),
    ];
    let dropped = 0;
    const answers = new Set<string>();
    for (let i = 0; i < 600; i++) {
      const context = contexts[random(contexts.length)] as Context;
      const path =
        (random(3) === 0 ? "" : "/") +
        Array.from({ length: 1 + random(6) }, () => NAMES[random(NAMES.length)]).join("/");
      const how = random(3);
      const call = () =>
        how === 2 ? context.fs.accessSync(path, 5) : how === 1 ? context.fs.lstatSync(path) : context.fs.statSync(path);
      if (random(20) === 0) codeOf(() => vfs.invalidate("/drv"));
      // Once more first, so that what the first call leaves in caches is there for both.
      codeOf(call);
      if (codeOf(call) === undefined) vfs.fs.statSync("/");
      // A call that fails on its fast path is made again for its error: the first of its walks is meant.
      const [explained, growth] = await grown(vfs, () =>
        context.explain(path, { follow: how !== 1, ...(how === 2 ? { access: 5 } : {}) }),
      );
      assert.deepEqual(says(explained), told(growth), String(explained));
      assert.equal(explained.answer, codeOf(call) ?? "ok", String(explained));
      if (how === 0 && explained.found) assert.equal(explained.found.ino, context.fs.statSync(path).ino);
      if (explained.answer === "ok") {
        const [, real] = await grown(vfs, call);
        const again = await context.explain(path, { follow: how !== 1, ...(how === 2 ? { access: 5 } : {}) });
        assert.deepEqual(says(again), told(real), `${path}\n${again}`);
      }
      dropped += explained.drops.length;
      answers.add(explained.answer);
    }
    for (const code of ["ok", "ENOENT", "EACCES", "ENOTDIR", "EXDEV"]) assert.ok(answers.has(code), code);
    assert.ok(dropped > 0);
    isWhole(vfs);
  });
});

describe("an explanation of a walk under which the tree changes", () => {
  const because = (explanation: Explanation) =>
    explanation.steps.flatMap((step) => (step.step === "restart" ? [step.because] : []));
  const starts = ({ steps }: Explanation) =>
    steps.flatMap((step: TraceStep) => (step.step === "start" ? [step.mode] : []));

  // The hook is called inside of the walk, in rcu mode: what it does through another slot is another thread's change.
  for (const [what, change, expected] of [
    [
      "a rename of the directory",
      (other: Vfs) => other.fs.renameSync("/a/b", "/a/c"),
      { what: "dentry", path: "/a/b" },
    ],
    ["a mount on the way", (other: Vfs) => other.mount("none", "/a", "tmpfs"), { what: "mounts" }],
  ] as const) {
    test(`${what} in the middle of the walk: the explanation shows the restart, and what has moved`, async (t) => {
      let then = () => {};
      const vfs = await treeFor(t, {
        security: (_ino, _mask, rcu) => {
          if (rcu) then();
          return 0;
        },
      });
      vfs.fs.mkdirSync("/a/b/d", { recursive: true });
      vfs.fs.mkdirSync("/m");
      vfs.mount("none", "/m", "tmpfs");
      const other = await attachVfs(vfs.handle, { share: false, security: undefined });
      t.after(() => other.close());
      let asked = 0;
      then = () => {
        if (++asked === 3) change(other);
      };
      const path = expected.what === "mounts" ? "/a/b/d/../../../m" : "/a/b/d";
      const explained = await vfs.explain(path);
      assert.deepEqual(starts(explained), ["rcu", "ref"], String(explained));
      assert.deepEqual([explained.restarts, because(explained)], [["ECHILD"], [expected]], String(explained));
      assert.equal(explained.answer, "ENOENT");
      assert.match(String(explained), /start again: ECHILD, the sequence of \S+ has moved: from the start in ref mode/);
      isWhole(vfs, [other]);
    });
  }
});

describe("a replay leaves the thread as a call does", () => {
  // Fails when threadShare() keeps the table of searched directories without its G_SEQ_WRAPS, or when replay() leaves a mode behind.
  test("explanations between calls of every kind, in ref mode too: the calls are right, the tree is whole", async (t) => {
    const random = randomBelow(7);
    const vfs = await treeFor(t);
    vfs.registerDriver(objectDriver("objects", { a: { f: "x" } }));
    vfs.fs.mkdirSync("/drv");
    vfs.mount("none", "/drv", "objects");
    const user = vfs.context({ uid: 5, gid: 5 });
    const model = new Set<string>();
    for (let i = 0; i < 400; i++) {
      const name = `/dir-with-a-long-name-${random(8)}/and-another-directory/file-${random(4)}`;
      if (random(3) === 0) {
        vfs.fs.rmSync(name, { force: true });
        model.delete(name);
      } else {
        vfs.fs.mkdirSync(name.slice(0, name.lastIndexOf("/")), { recursive: true });
        vfs.fs.writeFileSync(name, "x");
        model.add(name);
      }
      const asked = `/dir-with-a-long-name-${random(8)}/and-another-directory/file-${random(4)}`;
      if (i % 50 === 25) vfs.walkMode({ ref: i % 100 === 25 });
      if (random(2) === 0) {
        const explained = await user.explain(asked, { ref: random(4) === 0 });
        assert.equal(explained.answer === "ok", model.has(asked), asked);
      }
      assert.equal(user.fs.existsSync(asked), model.has(asked), asked);
      if (random(4) === 0) assert.equal((await vfs.explain("/drv/a/f")).found?.size, 1);
    }
    assert.equal(vfs.walkMode({ ref: false }).ref, false);
    isWhole(vfs);
  });

  // Fails when replay() does not poison the attachment for what is thrown, or abandon() leaves what another instance has begun.
  test("an explanation that waits too long is taken back, and the thread goes on", async (t) => {
    const { vfs: writer, parked } = await debugTreeFor(t);
    const vfs = await attachVfs(writer.handle, { share: false, lockTimeoutMs: 50 });
    t.after(() => vfs.close());
    writer.fs.mkdirSync("/w");
    writer.fs.writeFileSync("/w/x", "");
    const stopped = await parked((tree) => tree.fs.renameSync("/w/x", "/w/y"), POINT.MOVE_BEGIN);
    await assert.rejects(vfs.explain("/w/y", { ref: true }), { code: "ERR_THREADFS_TIMEOUT" });
    assert.equal((await stopped.release()).code, undefined);
    assert.equal((await vfs.explain("/w/y", { ref: true })).answer, "ok");
    assert.equal(vfs.fs.existsSync("/w/x"), false);
    isWhole(writer, [vfs]);
  });

  // Fails when the slot does not have all that a recovery needs: the references and the context of a replay in ref mode.
  test("a thread that ends in an explanation is recovered as in any other call", async (t) => {
    const vfs = await treeFor(t);
    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/f", "");
    const context = vfs.context({ uid: 5, gid: 5 });
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const index = new URL("../../../dist/src/index.js", import.meta.url).href;
    const worker = new Worker(
      `const { workerData } = require("node:worker_threads");
      import(workerData.index).then(async ({ attachVfs }) => {
        const wait = () => {
          Atomics.store(workerData.shared, 0, 1);
          Atomics.notify(workerData.shared, 0);
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        };
        const vfs = await attachVfs(workerData.handle, { security: (ino, mask, rcu) => (rcu ? -10 : wait()) });
        vfs.explain("/d/f");
      });`,
      { eval: true, workerData: { handle: context.handle, shared, index } },
    );
    vfs.attachWorker(worker);
    const there = Atomics.waitAsync(shared, 0, 0, 20_000);
    if (there.async) assert.equal(await there.value, "ok");
    await worker.terminate();
    vfs.fs.rmSync("/d", { recursive: true });
    assert.deepEqual(vfs.fs.readdirSync("/"), []);
    isWhole(vfs);
  });
});
