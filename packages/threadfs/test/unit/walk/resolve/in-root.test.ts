/** The option `resolve: "in-root"`: ".." stays where it is in a directory that the context's root is no ancestor of. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT, STAT } from "../../../../dist/abi/abi.js";
import { attachVfs, type Context, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { codeOf, refused } from "../../../support/errors.js";
import { type HookedVfs, of, type TestScope, walkerOf } from "../../../support/hooked-vfs.js";
import { rawCore } from "../../../support/raw-core.js";

/** /sand/home is the root of contexts, /sand/home/b/in a directory in it; each directory has a file "here" with its name. */
function fill({ fs }: Vfs): void {
  for (const dir of ["/sand", "/sand/home", "/sand/home/b", "/sand/home/b/in", "/sand/home/c", "/outside"]) {
    fs.mkdirSync(dir);
    fs.writeFileSync(`${dir}/here`, dir);
  }
  fs.writeFileSync("/here", "/");
  fs.symlinkSync("../here", "/sand/home/b/in/up");
  fs.symlinkSync("../../../here", "/sand/home/b/in/up-up");
  fs.symlinkSync("/here", "/sand/home/b/in/absolute");
}

const MOVED = "/sand/home/b";
const read = ({ fs }: Pick<Context, "fs">, path: string) => fs.readFileSync(path, "utf8");

async function sandboxed(t: TestScope, resolve?: "in-root") {
  const { vfs } = await treeFor(t);
  fill(vfs);
  const sandbox = vfs.context({ root: "/sand/home", cwd: "/b/in", ...(resolve ? { resolve } : {}) });
  return { vfs, sandbox };
}

describe("a working directory that was moved out of the root", () => {
  test("without the option '..' climbs to the tree's root, as in Linux", async (t) => {
    const { vfs, sandbox } = await sandboxed(t);
    assert.equal(read(sandbox, "../../../../here"), "/sand/home");
    vfs.fs.renameSync(MOVED, "/outside/b");
    assert.equal(read(sandbox, "../../here"), "/outside");
    assert.equal(read(sandbox, "../../../here"), "/");
  });

  for (const ref of [false, true]) {
    test(`with it '..' stays put, in every form of path${ref ? ", in ref mode" : ""}`, async (t) => {
      const { vfs, sandbox } = await sandboxed(t, "in-root");
      const walker = await walkerOf(t, sandbox.handle);
      walker.walkMode({ ref });
      assert.equal(read(walker, "../here"), "/sand/home/b");
      assert.equal(read(walker, "../../../../here"), "/sand/home");
      const fd = walker.fs.openSync(".", "r");
      vfs.fs.renameSync(MOVED, "/sand/b");
      for (const path of ["here", "../here", "../../here", "../../../../here", "up", "up-up", "./.././../here"]) {
        assert.equal(read(walker, path), "/sand/home/b/in", path);
      }
      assert.equal(read(walker, "absolute"), "/sand/home");
      assert.equal(read(walker, "/here"), "/sand/home");
      assert.equal(read(walker, "/../../c/../here"), "/sand/home");
      const { core, ctx, path, arena } = rawCore(t, sandbox.handle);
      assert.equal(core.sysStat(ctx, fd, path("../../here"), 0), 0);
      const size = arena.stat[STAT.ino];
      assert.equal(core.sysStat(ctx, fd, path("here"), 0), 0);
      assert.equal(arena.stat[STAT.ino], size);
      for (const wrong of ["../b/here", "../home/here", "../../outside/here", "../../sand/here"]) {
        refused("ENOENT", () => read(walker, wrong), wrong);
      }
      walker.fs.writeFileSync("../made", "");
      walker.fs.mkdirSync("../dir");
      assert.deepEqual(vfs.fs.readdirSync("/sand/b/in").sort(), ["absolute", "dir", "here", "made", "up", "up-up"]);
      refused("ENOENT", () => walker.getcwd());
      walker.chdir("..");
      assert.equal(read(walker, "here"), "/sand/home/b/in");
      vfs.fs.renameSync("/sand/b", MOVED);
      assert.equal(read(walker, "../here"), "/sand/home/b");
      assert.equal(walker.getcwd(), "/b/in");
    });
  }

  test("mounts: '..' leaves a mount below the root, and stays in one that was moved out", async (t) => {
    const { vfs, sandbox } = await sandboxed(t, "in-root");
    vfs.mount(null, "/sand/home/c", "tmpfs");
    vfs.fs.mkdirSync("/sand/home/c/deep");
    vfs.fs.writeFileSync("/sand/home/c/here", "mounted");
    const agent = await attachVfs(sandbox.handle);
    t.after(() => agent.close());
    for (const ref of [false, true]) {
      agent.walkMode({ ref });
      agent.chdir("/c/deep");
      assert.equal(read(agent, "../here"), "mounted");
      assert.equal(read(agent, "../../here"), "/sand/home");
      assert.equal(read(agent, "../../../../here"), "/sand/home");
      vfs.mount("/sand/home/c", "/outside", "", { move: true });
      // Neither the directory nor the mount's root is below the sandbox's root now.
      refused("ENOENT", () => read(agent, "../here"));
      refused("ENOENT", () => read(agent, "../../here"));
      assert.deepEqual(agent.fs.readdirSync("../../.."), []);
      vfs.mount("/outside", "/sand/home/c", "", { move: true });
    }
  });

  test("a root that was moved itself keeps what is below it", async (t) => {
    const { vfs, sandbox } = await sandboxed(t, "in-root");
    vfs.fs.renameSync("/sand/home", "/outside/home");
    assert.equal(read(sandbox, "../here"), "/sand/home/b");
    assert.equal(read(sandbox, "../../../../here"), "/sand/home");
  });

  test("contexts that the context creates have the option too", async (t) => {
    const { vfs, sandbox } = await sandboxed(t, "in-root");
    const agent = await attachVfs(sandbox.handle);
    t.after(() => agent.close());
    const child = agent.context();
    const inner = agent.context({ root: "/b" });
    inner.chdir("/in");
    vfs.fs.renameSync("/sand/home/b/in", "/outside/in");
    assert.equal(read(child, "../../here"), "/sand/home/b/in");
    assert.equal(read(inner, "../../here"), "/sand/home/b/in");
    // The classic way out of chroot(2): a root below the working directory.
    agent.chroot("/c");
    assert.equal(read(agent, "../../../here"), "/sand/home/b/in");
  });
});

// Fails when rm finds its way back up by ".." alone.
test("in a working directory that was moved out of the root, rm of a tree that is deeper than rm's descriptors removes it", async (t) => {
  const { vfs, sandbox } = await sandboxed(t, "in-root");
  vfs.fs.renameSync(MOVED, "/outside/b");
  let path = "deep";
  for (let depth = 0; depth < 100; depth++) {
    sandbox.fs.mkdirSync(path);
    sandbox.fs.writeFileSync(`${path}/a`, "");
    sandbox.fs.writeFileSync(`${path}/z`, "");
    path += "/dir";
  }
  sandbox.fs.rmSync("deep", { recursive: true });
  assert.deepEqual(vfs.fs.readdirSync("/outside/b/in"), ["absolute", "here", "up", "up-up"]);
  assert.equal(vfs.counters().openFiles, 0);
});

test("mounts: '..' stays in the root of one that was moved out of the sandbox's root", async (t) => {
  const { vfs, sandbox } = await sandboxed(t, "in-root");
  vfs.mount(null, "/sand/home/c", "tmpfs");
  vfs.fs.writeFileSync("/sand/home/c/here", "mounted");
  const agent = await attachVfs(sandbox.handle);
  t.after(() => agent.close());
  for (const ref of [false, true]) {
    agent.walkMode({ ref });
    agent.chdir("/c");
    assert.equal(read(agent, "../here"), "/sand/home");
    vfs.mount("/sand/home/c", "/outside", "", { move: true });
    // The directory that it is mounted on now is not below the sandbox's root.
    for (const path of ["here", "../here", "../../here"]) assert.equal(read(agent, path), "mounted", path);
    vfs.mount("/outside", "/sand/home/c", "", { move: true });
  }
});

/** The two directories change places again and again: one is below the root of the sandbox, the other is not. */
function exchanged(tree: HookedVfs): () => void {
  let out = false;
  return () => {
    if (out) tree.fs.renameSync("/outside/b", "/sand/home/b");
    else tree.fs.renameSync("/sand/home/b", "/outside/b");
    out = !out;
  };
}

// Fails when the directory is checked instead of its parent, and when the check does not validate the rename sequence.
test("a rename at any point of a walk of c/../.. leads to no place outside of the root", async (t) => {
  const { vfs, attach } = await treeFor(t);
  fill(vfs);
  const mover = await attach();
  const sandbox = vfs.context({ root: "/sand/home", cwd: "/", resolve: "in-root" });
  const walker = await walkerOf(t, sandbox.handle);
  const inside = ["/sand/home", "/sand/home/b", "/sand/home/b/in"];
  const points = [
    POINT.WALK_START,
    POINT.COMPONENT,
    POINT.FOUND,
    POINT.PARENT_CHECK,
    POINT.DOTDOT,
    POINT.PERMISSION,
    POINT.DROPPED,
  ];
  let happened = 0;
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (const path of ["b/in/../here", "b/in/../../here", "b/in/../../../here", "b/in/../../outside/here"]) {
      const passed = walker.points(() => codeOf(() => read(walker, path)));
      for (const id of points) {
        for (let nth = 1; nth <= of(passed, id).length; nth++) {
          const move = exchanged(mover);
          walker.at(id, move, nth);
          const code = codeOf(() => assert.ok(inside.includes(read(walker, path)), `${path} left the root`));
          assert.ok(code === undefined || code === "ENOENT", `${path}: ${code}`);
          if (!walker.waits(id)) {
            happened++;
            move();
          }
          walker.never();
        }
      }
    }
  }
  assert.ok(happened > 50, `${happened} interleavings`);
});

test("beside a thread that renames all the time no walk leaves the root", async (t) => {
  const { vfs, parked } = await treeFor(t);
  fill(vfs);
  const sandbox = vfs.context({ root: "/sand/home", cwd: "/", resolve: "in-root" });
  const worker = await parked(
    "for (let n = 0; n < 3000; n++) { vfs.fs.renameSync('/sand/home/b', '/outside/b'); vfs.fs.renameSync('/outside/b', '/sand/home/b'); }",
    POINT.MOVE_END,
  );
  const ended = worker.release();
  let done = false;
  ended.then(() => {
    done = true;
  });
  while (!done) {
    for (let n = 0; n < 200; n++) {
      let found: string | undefined;
      const code = codeOf(() => {
        found = read(sandbox, "b/in/../../here");
      });
      if (code === undefined) assert.ok(["/sand/home", "/sand/home/b/in", "/sand/home/b"].includes(found ?? ""), found);
      else assert.equal(code, "ENOENT");
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { code } = await ended;
  assert.equal(code, undefined);
});
