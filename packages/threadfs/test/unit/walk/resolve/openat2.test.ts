/** openat2(2): renames at every point of a walk that stays below its directory, in both modes; RESOLVE_CACHED; the calls' arguments. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AT_FDCWD, ERRNO, POINT, RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT } from "../../../../dist/abi/abi.js";
import { createVfs, OPEN_FLAGS, type ResolveFlag, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { codeOf, refused } from "../../../support/errors.js";
import { type HookedVfs, of, walkerOf } from "../../../support/hooked-vfs.js";
import { rawCore } from "../../../support/raw-core.js";

const { O_PATH } = OPEN_FLAGS;

/** Each directory has a file "here" with its name. /top is where the walks start; /out is outside. */
function fill({ fs }: Vfs): void {
  for (const dir of ["/top", "/top/a", "/top/a/b", "/top/a/b/c", "/out", "/out/x", "/out/x/y"]) {
    fs.mkdirSync(dir);
    fs.writeFileSync(`${dir}/here`, dir);
  }
  fs.writeFileSync("/here", "/");
  fs.symlinkSync("../../here", "/top/a/b/up");
}

const INSIDE = ["/top", "/top/a", "/top/a/b", "/top/a/b/c"];

/** Two names change places again and again: one is below the directory, the other is not. */
function exchanged(tree: Vfs, inside: string, outside: string): () => void {
  return () => tree.linux.renameat2Sync(inside, outside, { exchange: true });
}

/** The name of the directory that a walk ends in, by the file there; or of the file. */
function opened(vfs: Vfs, dir: number, path: string, resolve: ResolveFlag): string {
  const fd = vfs.openat2Sync(dir, path, { resolve });
  try {
    return vfs.fs.readFileSync(fd, "utf8");
  } finally {
    vfs.fs.closeSync(fd);
  }
}

const POINTS = [
  POINT.WALK_START,
  POINT.START_READ,
  POINT.COMPONENT,
  POINT.FOUND,
  POINT.PARENT_CHECK,
  POINT.DOTDOT,
  POINT.PERMISSION,
  POINT.DROPPED,
  POINT.UNLAZY_HALF,
  POINT.LINK,
  POINT.COMPLETE,
];

/** What each path may end in: it leads to a file inside, or leads out, or a name on it is not there at the moment. */
const ATTACKS: Record<string, readonly (string | undefined)[]> = {
  "a/b/../here": [undefined, "ENOENT"],
  "a/b/c/../../here": [undefined, "ENOENT"],
  "a/b/../../here": [undefined, "ENOENT"],
  "a/b/../../../here": ["EXDEV", "ENOENT"],
  "a/b/c/../../../../out/here": ["EXDEV", "ENOENT"],
  "a/b/up": [undefined, "ENOENT"],
  "a/b/../b/../../here": [undefined, "ENOENT"],
};
/** In a root the same paths stay where they are at the root. */
const IN_ROOT = [undefined, "ENOENT"];

for (const resolve of ["beneath", "in-root"] as const) {
  // Fails when ".." does not ask whether its directory is below the root (step.ts), when the end does not (checkFence() in namei.ts), and when
  // an error that a rename has caused is not told from one that the path has (outside() in fence.ts).
  test(`row 113, bug 17: ${resolve}: an exchange at any point of a walk leads to no place outside, and to no error that the path has in neither tree`, async (t) => {
    const { vfs, attach } = await treeFor(t);
    fill(vfs);
    const mover = await attach();
    const walker: HookedVfs = await walkerOf(t, vfs.handle);
    let happened = 0;
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      for (const [path, codes] of Object.entries(ATTACKS)) {
        const may = resolve === "beneath" ? codes : IN_ROOT;
        for (const [inside, outside] of [
          ["/top/a/b", "/out/x"],
          ["/top/a", "/out/x"],
          ["/top/a/b/c", "/out/x/y"],
        ] as const) {
          const dir = walker.fs.openSync("/top", O_PATH);
          const passed = walker.points(() => codeOf(() => opened(walker, dir, path, resolve)));
          for (const id of POINTS) {
            for (let nth = 1; nth <= of(passed, id).length; nth++) {
              const move = exchanged(mover, inside, outside);
              walker.at(id, move, nth);
              let found: string | undefined;
              const code = codeOf(() => {
                found = opened(walker, dir, path, resolve);
              });
              const where = `${path}, ${inside} at passing ${nth} of point ${id}, ref ${ref}`;
              assert.ok(may.includes(code), `${where}: ${code}`);
              // What was outside may be inside after the exchange.
              if (code === undefined) assert.ok(isBelow(found, outside), `${where}: ${found}`);
              const moved = !walker.waits(id);
              walker.never();
              if (!moved) continue;
              happened++;
              move();
            }
          }
          walker.fs.closeSync(dir);
        }
      }
    }
    assert.ok(happened > 200, `${happened} interleavings`);
  });
}

/** Whether a file was below "/top" before the exchange or is after it. */
function isBelow(found: string | undefined, outside: string): boolean {
  return found !== undefined && (INSIDE.includes(found) || found.startsWith(outside));
}

/** What another thread does and takes back, beside a walk that one flag makes fail, and the errors that the walk may have. */
const OTHERS: readonly {
  readonly resolve: ResolveFlag;
  readonly paths: readonly string[];
  readonly codes: readonly (string | undefined)[];
  setUp(vfs: Vfs): void;
  toggle(vfs: Vfs, on: boolean): void;
}[] = [
  {
    resolve: "no-symlinks",
    paths: ["a/b/here", "a/b/../here", "a/b/c/here"],
    codes: [undefined, "ELOOP"],
    setUp: ({ fs }) => fs.symlinkSync("a", "/top/l"),
    toggle: (vfs) => vfs.linux.renameat2Sync("/top/a/b", "/top/l", { exchange: true }),
  },
  {
    resolve: "no-xdev",
    paths: ["a/b/here", "a/b/c/../here", "a/b", "a/b/../here"],
    codes: [undefined, "EXDEV"],
    setUp: () => undefined,
    toggle: (vfs, on) => (on ? vfs.mount(null, "/top/a/b", "tmpfs") : vfs.umount("/top/a/b", { detach: true })),
  },
  {
    resolve: "cached",
    paths: ["a/b/here", "a/b/../here"],
    codes: [undefined, "EAGAIN"],
    setUp: () => undefined,
    toggle: (vfs) => exchanged(vfs, "/top/a/b", "/out/x")(),
  },
];

for (const { resolve, paths, codes, setUp, toggle } of OTHERS) {
  // Fails when rcu mode decides by what it has not checked (stepInto() and followMountRcu() in step.ts, checkRcu() in namei.ts).
  test(`row 114: ${resolve}: what comes or goes at any point of a walk is refused, or was not there`, async (t) => {
    const { vfs, attach } = await treeFor(t);
    fill(vfs);
    setUp(vfs);
    const mover = await attach();
    const walker = await walkerOf(t, vfs.handle);
    let happened = 0;
    const seen = new Set<string | undefined>();
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      const dir = walker.fs.openSync("/top", O_PATH);
      for (const path of paths) {
        for (const before of [false, true]) {
          // An umount beside a walk in rcu mode waits until the walk is expelled, for 2 s each time: one path and three points are enough for that.
          const waits = before && !ref && resolve === "no-xdev";
          if (waits && path !== paths[0]) continue;
          if (before) toggle(mover, true);
          const open = () =>
            codeOf(() => walker.fs.closeSync(walker.openat2Sync(dir, path, { flags: O_PATH, resolve })));
          const passed = walker.points(open);
          const atMount = [POINT.MOUNT_CHECK, POINT.MOUNT_DOWN, POINT.COMPLETE];
          for (const id of waits ? atMount : [...POINTS, POINT.MOUNT_CHECK, POINT.MOUNT_DOWN]) {
            for (let nth = 1; nth <= of(passed, id).length; nth++) {
              walker.at(id, () => toggle(mover, !before), nth);
              const code = open();
              const moved = !walker.waits(id);
              walker.never();
              assert.ok(codes.includes(code), `${path} at passing ${nth} of point ${id}, ref ${ref}: ${code}`);
              seen.add(code);
              if (!moved) continue;
              happened++;
              toggle(mover, before);
            }
          }
          if (before) toggle(mover, false);
        }
      }
      walker.fs.closeSync(dir);
    }
    assert.ok(happened > 30, `${happened} interleavings`);
    assert.deepEqual(seen, new Set(codes));
  });
}

describe("a walk under which its directory is moved away", () => {
  for (const ref of [false, true]) {
    // Fails when a walk is not checked at its end: the file is made outside, while the walk is below its directory.
    test(`row 113: does not find what is made there afterwards${ref ? ", in ref mode" : ""}`, async (t) => {
      const { vfs, attach } = await treeFor(t);
      fill(vfs);
      const mover = await attach();
      const walker = await walkerOf(t, vfs.handle);
      walker.walkMode({ ref });
      const dir = walker.fs.openSync("/top", O_PATH);
      const passed = walker.points(() => codeOf(() => opened(walker, dir, "a/b/secret", "beneath")));
      const count = of(passed, POINT.COMPONENT).length;
      assert.equal(count, 3);
      walker.at(
        POINT.COMPONENT,
        () => {
          mover.fs.renameSync("/top/a/b", "/out/b");
          mover.fs.writeFileSync("/out/b/secret", "not for you");
        },
        count,
      );
      // In the next attempt the name is not there.
      refused("ENOENT", () => opened(walker, dir, "a/b/secret", "beneath"));
      assert.equal(walker.waits(POINT.COMPONENT), false);
    });
  }
});

// Fails when a walk that was led out begins again without an end (RACE_TRIES).
test("row 113: a walk that is led out each time ends with EAGAIN", async (t) => {
  const { vfs, attach } = await treeFor(t);
  fill(vfs);
  const mover = await attach();
  const walker = await walkerOf(t, vfs.handle);
  const dir = walker.fs.openSync("/top", O_PATH);
  let out = false;
  const move = (to: boolean) => {
    if (out !== to) exchanged(mover, "/top/a/b", "/out/x")();
    out = to;
  };
  let moves = 0;
  let found = 0;
  walker.each(POINT.WALK_START, () => {
    move(false);
    found = 0;
  });
  // As soon as the walk has "b".
  walker.each(POINT.FOUND, () => {
    if (++found !== 2) return;
    moves++;
    move(true);
  });
  refused("EAGAIN", () => opened(walker, dir, "a/b/../../here", "beneath"));
  walker.never();
  assert.ok(moves > 50 && moves < 1000, `${moves} attempts`);
  move(false);
  assert.equal(opened(walker, dir, "a/b/../../here", "beneath"), "/top");
});

describe("RESOLVE_CACHED", () => {
  // Fails when the walk leaves rcu mode nevertheless (mayLeaveRcu() in drop.ts).
  test("row 112: opens what is in the cache, and nothing that would take the walk out of rcu mode", async (t) => {
    const { vfs } = await treeFor(t);
    fill(vfs);
    const walker = await walkerOf(t, vfs.handle);
    const open = (path: string, flags?: string) =>
      walker.openat2Sync(null, path, { resolve: "cached", ...(flags !== undefined && { flags }) });
    const passed = walker.points(() => walker.fs.closeSync(open("/top/a/b/here")));
    assert.equal(of(passed, POINT.DROP).length, 0);
    assert.equal(of(passed, POINT.RESTART).length, 0);
    refused("ENOENT", () => open("/top/missing"));
    // A walk in ref mode may wait for a lock.
    walker.walkMode({ ref: true });
    refused("EAGAIN", () => open("/top/a/b/here"));
    walker.walkMode({ ref: false });
    for (const flags of ["w", "a", "r+"]) {
      if (flags === "r+") walker.fs.closeSync(open("/top/here", flags));
      else refused("EAGAIN", () => open("/top/here", flags));
    }
    assert.equal(vfs.fs.readFileSync("/top/here", "utf8"), "/top");
  });

  test("row 112, bug 15: a driver's name that is not in the cache is EAGAIN, and its hook is not called", async (t) => {
    const { vfs } = await treeFor(t);
    let asked = 0;
    const root = { ino: 1, mode: 0o040755 };
    vfs.registerDriver({
      name: "slow",
      root: () => root,
      lookup: () => {
        asked++;
        return { ino: 2, mode: 0o100644 };
      },
    });
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "slow");
    refused("EAGAIN", () => vfs.openat2Sync(null, "/m/f", { flags: O_PATH, resolve: "cached" }));
    assert.equal(asked, 0);
    vfs.fs.closeSync(vfs.openat2Sync(null, "/m/f", { flags: O_PATH }));
    assert.equal(asked, 1);
    vfs.fs.closeSync(vfs.openat2Sync(null, "/m/f", { flags: O_PATH, resolve: "cached" }));
    assert.equal(asked, 1);
  });
});

describe("arguments", () => {
  test("unknown bits, and two roots, are EINVAL, before the path", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    const { core, ctx, path } = rawCore(t, vfs.handle);
    const openat2 = (flags: number, mode: number, resolve: number, to = "/") =>
      core.sysOpenat2(ctx, AT_FDCWD, path(to), flags, mode, resolve);
    for (const resolve of [64, 2 ** 31, 128 | RESOLVE_BENEATH, RESOLVE_BENEATH | RESOLVE_IN_ROOT]) {
      assert.equal(openat2(0, 0, resolve, "/missing"), -ERRNO.EINVAL, `${resolve}`);
    }
    assert.equal(openat2(2 ** 31, 0, 0), -ERRNO.EINVAL);
    assert.equal(openat2(0, 1, RESOLVE_CACHED), -ERRNO.EINVAL);
    assert.equal(openat2(0o100, 0, RESOLVE_CACHED, "/missing"), -ERRNO.EAGAIN);
    assert.equal(core.sysOpenat2(ctx, AT_FDCWD, 0, 0, 0, 0), -ERRNO.ENOENT);
    assert.equal(core.sysOpenat2(ctx, AT_FDCWD, 5000, 0, 0, 0), -ERRNO.ENAMETOOLONG);
    assert.equal(core.sysOpenat2(ctx, 99, path("x"), 0, 0, 0), -ERRNO.EBADF);
  });

  test("both forms, the defaults, and what is refused", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    vfs.fs.mkdirSync("/d");
    const dir = vfs.fs.openSync("/d", "r");
    const made = await vfs.openat2(dir, "f", { flags: "w" });
    assert.equal(vfs.fs.fstatSync(made).mode & 0o777, 0o644);
    vfs.fs.closeSync(made);
    vfs.fs.closeSync(await vfs.linux.openat2(null, "/d/f"));
    vfs.fs.closeSync(vfs.linux.at(dir).openat2Sync(null, "f", { resolve: ["beneath", "no-symlinks"] }));
    const context = vfs.context({ uid: 1000, gid: 1000 });
    assert.throws(() => context.openat2Sync(null, "/d/f", { flags: "r+" }), {
      code: "EACCES",
      syscall: "openat2",
      path: "/d/f",
    });
    await assert.rejects(context.openat2(null, "/d/g"), { code: "ENOENT", syscall: "openat2" });
    for (const how of [
      { resolve: "under" },
      { resolve: ["beneath", 1] },
      { resolve: null },
      { flag: "r" },
      { flags: "q" },
    ]) {
      refused("ERR_INVALID_ARG_VALUE", () => vfs.openat2Sync(null, "/d/f", how as never), JSON.stringify(how));
    }
    refused("ERR_OUT_OF_RANGE", () => vfs.openat2Sync(null, "/d/f", { mode: -1 }));
    refused("ERR_INVALID_ARG_TYPE", () => vfs.openat2Sync("3" as never, "/d/f"));
    refused("EINVAL", () => vfs.openat2Sync(null, "/d/f", { mode: 0o644 }));
    refused("EINVAL", () => vfs.openat2Sync(null, "/d/f", { resolve: ["beneath", "in-root"] }));
    vfs.fs.closeSync(vfs.openat2Sync(null, "/d/f", { resolve: [] }));
    assert.equal(vfs.counters().openFiles, 1);
  });

  test("an open of a FIFO waits for the other end, as fs.open does", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    vfs.linux.mkfifoSync("/p");
    const reads = vfs.openat2(null, "/p", { resolve: "no-symlinks" });
    const [writer, reader] = await Promise.all([vfs.openat2(null, "/p", { flags: "r+" }), reads]);
    vfs.fs.writeSync(writer, "x");
    assert.equal(vfs.fs.readSync(reader, Buffer.alloc(1)), 1);
  });
});
