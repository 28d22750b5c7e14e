/** Bugs that this algorithm has had, 11 to 17: mounts and "..". 15 (RESOLVE_CACHED) and more of 17 are in packages/threadfs/test/unit/walk/resolve/openat2.test.ts. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT, RENAME_EXCHANGE } from "../../dist/abi/abi.js";
import type { Vfs, VfsHandle } from "../../dist/src/index.js";
import { counted, gauges } from "../support/counters.js";
import { codeOf } from "../support/errors.js";
import { walkerOf } from "../support/hooked-vfs.js";
import { RACE_MS, setUp, shippedTree } from "../support/interleavings.js";
import { memoryOf } from "../support/memory.js";
import { type ThreadBody, threads } from "../support/threads.js";

/** /m is a mount with a file that the directory below it does not have; /x/a and /x/b are places for another mount. */
function makeMounts(vfs: Vfs): void {
  const { fs } = vfs;
  for (const dir of ["/m", "/x/a", "/x/b"]) fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync("/beside", "x");
  vfs.mount("none", "/m", "tmpfs");
  fs.mkdirSync("/m/in");
  fs.writeFileSync("/m/in/f", "x");
  vfs.mount("none", "/x/a", "tmpfs");
  fs.writeFileSync("/x/a/f", "x");
}
const PATHS = { 11: "/m/in/f", 12: "/m/in/../../beside" };

/** The mount made last: its address and its chain in the table (core/vfs/mount/namespace.ts, headOf). */
function newest(vfs: Vfs): { readonly mount: number; readonly chain: number } {
  const { word } = memoryOf(vfs);
  const mount = word(NEWEST_MOUNT);
  const [parent, place] = [word(mount), word(mount + 4)];
  const h = (Math.imul(parent >>> 7, 0x9e3779b1) + Math.imul(place >>> 7, 0x85ebca6b)) >>> 0;
  return { mount, chain: (h >>> 16) & 255 };
}

// The move of another mount can lead a reader into another chain of the table, where the reader does not find its mount. That
// takes a pause between two loads: the tests write to the memory what such a reader sees, until it starts again.
const MOUNT_HEADS = 32768;
const G_MOUNT_SEQ = 4416;
const NEWEST_MOUNT = 5380;

/** Writes a word of the arena. */
const setWord = (vfs: Vfs, address: number, value: number) => {
  Atomics.store(new Uint32Array(vfs.handle.memory.buffer), address >>> 2, value);
};
/** What a move of any mount does to the mount sequence. */
const countMove = (vfs: Vfs) => setWord(vfs, G_MOUNT_SEQ, memoryOf(vfs).word(G_MOUNT_SEQ) + 2);

describe("bugs 11 and 12: mounts that move elsewhere", () => {
  for (const [bug, path] of Object.entries(PATHS)) {
    test(`bug ${bug}: another mount that moves at any step of the walk changes no result`, async (t) => {
      const { vfs, walker, peer } = await setUp(t);
      makeMounts(vfs);
      let at = "/x/a";
      for (const point of ["MOUNT_CHECK", "MOUNT_DOWN", "MOUNT_UP", "DOTDOT", "COMPONENT", "COMPLETE"] as const) {
        for (const ref of [false, true]) {
          walker.walkMode({ ref });
          walker.at(POINT[point], () => {
            const to = at === "/x/a" ? "/x/b" : "/x/a";
            peer.mount(at, to, "none", { move: true });
            at = to;
          });
          assert.equal(walker.fs.statSync(path).size, 1, point);
          walker.never();
        }
      }
      for (const mount of ["/m", at]) vfs.umount(mount);
    });
  }

  // Taken out: the checks of the mount sequence in followMountRcu() and checkRcu().
  test("bug 11: a reader that misses a mount because another mount moved starts again", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    fs.mkdirSync("/m");
    fs.writeFileSync("/m/below", "hidden");
    vfs.mount("none", "/m", "tmpfs");
    const head = MOUNT_HEADS + 4 * newest(vfs).chain;
    fs.writeFileSync("/m/f", "x");
    const saved = memoryOf(vfs).word(head);
    const restore = () => setWord(vfs, head, saved);
    for (const [path, code] of [
      ["/m/f", "EINVAL"],
      ["/m/below", "ENOENT"],
      ["/m/none", "ENOENT"],
    ] as const) {
      walker.at(POINT.MOUNT_CHECK, () => {
        setWord(vfs, head, 0);
        countMove(vfs);
      });
      walker.at(POINT.RESTART, restore);
      const run = counted(walker, () =>
        assert.equal(
          codeOf(() => walker.fs.readlinkSync(path)),
          code,
          path,
        ),
      );
      restore();
      assert.equal(run.echildRestarts, 1, path);
    }
  });

  // Taken out: the same checks in followDotdotRcu() and checkRcu().
  test("bug 12: a reader that finds a mount without a parent starts again", async (t) => {
    const { vfs, walker } = await setUp(t);
    makeMounts(vfs);
    let mount = 0;
    let parent = 0;
    const restore = () => setWord(vfs, mount, parent);
    walker.at(POINT.MOUNT_DOWN, (address) => {
      mount = address;
      parent = memoryOf(vfs).word(mount);
    });
    walker.at(POINT.DOTDOT, () => {
      // A mount that is its own parent stands on nothing.
      setWord(vfs, mount, mount);
      countMove(vfs);
    });
    walker.at(POINT.RESTART, restore);
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.readlinkSync(PATHS[12])),
        "EINVAL",
      ),
    );
    restore();
    assert.equal(run.echildRestarts, 1);
  });
});

test("bug 11: with threads, a mount is found while another one in its hash chain moves to and fro", async (t) => {
  const vfs = await shippedTree(t);
  const { fs } = vfs;
  for (const dir of ["/m", "/other"]) fs.mkdirSync(dir);
  vfs.mount("none", "/m", "tmpfs");
  fs.writeFileSync("/m/f", "x");
  const { chain } = newest(vfs);
  let place: string | undefined;
  for (let i = 0; i < 5000 && place === undefined; i++) {
    fs.mkdirSync(`/s${i}`);
    vfs.mount("none", `/s${i}`, "tmpfs");
    if (newest(vfs).chain === chain) place = `/s${i}`;
    else {
      vfs.umount(`/s${i}`);
    }
  }
  assert.ok(place !== undefined);
  const mover: ThreadBody<string> = (movingVfs, _raw, running, from): number => {
    let n = 0;
    for (; running(); n++) {
      movingVfs.mount(from, "/other", "none", { move: true });
      movingVfs.mount("/other", from, "none", { move: true });
    }
    return n;
  };
  const reader: ThreadBody<string> = (readVfs, _raw, running): number => {
    let n = 0;
    for (; running(); n++) if (readVfs.fs.statSync("/m/f").size !== 1) throw new Error("wrong");
    return n;
  };
  const [moved, read] = await threads<[number, number], string>(vfs.handle, RACE_MS, [mover, reader], place);
  assert.ok(moved > 10 && read > 10, `${moved} ${read}`);
});

test("bug 12: with threads, '..' out of a moving mount leads to its present or its former place", async (t) => {
  const vfs = await shippedTree(t);
  const { fs } = vfs;
  const places = ["/a/x", "/b/y"] as const;
  const right: string[] = [];
  for (const [i, place] of places.entries()) {
    const top = place.slice(0, 2);
    fs.mkdirSync(top);
    vfs.mount("none", top, "tmpfs");
    fs.mkdirSync(place);
    fs.writeFileSync(`${top}/beside`, "x".repeat(i + 1));
    const { dev, ino, size } = fs.statSync(`${top}/beside`);
    right.push(`${dev} ${ino} ${size}`);
  }
  vfs.mount("none", places[0], "tmpfs");
  fs.mkdirSync(`${places[0]}/in`);
  const context = vfs.context({ cwd: `${places[0]}/in` });
  const mover: ThreadBody<VfsHandle> = async (_vfs, _raw, running, handle, tools): Promise<number> => {
    const root = await tools.walkerOf({ after() {} }, handle);
    let n = 0;
    for (; running(); n++) {
      root.mount("/a/x", "/b/y", "none", { move: true });
      root.mount("/b/y", "/a/x", "none", { move: true });
    }
    root.close();
    return n;
  };
  /** How often each file, or each error, was found. */
  type Found = Record<string, number>;
  const reader: ThreadBody<VfsHandle> = (readVfs, _raw, running): Found => {
    const found: Found = {};
    while (running()) {
      let what: string;
      try {
        const { dev, ino, size } = readVfs.fs.lstatSync("../../beside");
        what = `${dev} ${ino} ${size}`;
      } catch (error) {
        what = (error as { code: string }).code;
      }
      found[what] = (found[what] ?? 0) + 1;
    }
    return found;
  };
  const bodies = [mover, reader];
  const [moved, found] = await threads<[number, Found], VfsHandle>(context.handle, RACE_MS, bodies, vfs.handle);
  assert.ok(moved > 10, `${moved}`);
  for (const what of Object.keys(found)) assert.ok(right.includes(what), JSON.stringify({ right, found }));
  context.close();
});

// Put in: every step releases the mount, not only a step that leaves it.
test("bug 13: a mount that a walk reaches through links is released once", async (t) => {
  // A link cannot be the root of a mount: mount(2) follows it. Possible are a file bound over a file of a mount, a link in one
  // mount that leads into another, and a mount that is bound through a link.
  const { vfs, fs, walker } = await setUp(t);
  for (const dir of ["/a", "/b"]) {
    fs.mkdirSync(dir);
    vfs.mount("none", dir, "tmpfs");
  }
  fs.mkdirSync("/b/dir");
  fs.writeFileSync("/b/file", "x");
  fs.writeFileSync("/a/file", "over");
  fs.mkdirSync("/a/place");
  fs.symlinkSync("/b/dir", "/a/link");
  fs.symlinkSync("/b/file", "/a/to-file");
  vfs.mount("/a/link", "/a/place", "bind");
  vfs.mount("/a/to-file", "/a/file", "bind");
  fs.writeFileSync("/a/place/g", "xy");
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (let i = 0; i < 50; i++) {
      assert.equal(walker.fs.statSync("/a/link/g").size, 2);
      assert.equal(walker.fs.statSync("/a/link/../file").size, 1);
      assert.equal(walker.fs.statSync("/a/place/../to-file").size, 1);
      assert.equal(walker.fs.readFileSync("/a/file", "utf8"), "x");
      assert.equal(
        codeOf(() => walker.fs.statSync("/a/to-file/x")),
        "ENOTDIR",
      );
      assert.equal(
        codeOf(() => walker.fs.chmodSync("/a/link/none", 0)),
        "ENOENT",
      );
    }
  }
  // Each mount can be unmounted once, and not before the mounts on it.
  assert.equal(
    codeOf(() => vfs.umount("/a")),
    "EBUSY",
  );
  for (const mount of ["/a/file", "/a/place", "/a", "/b"]) {
    vfs.umount(mount);
    assert.equal(
      codeOf(() => vfs.umount(mount)),
      "EINVAL",
    );
  }
  assert.equal(gauges(vfs).mounts, 1);
});

describe("bug 14: references dropped inside a read-side section", () => {
  // Put in: putPending() before the section has ended. The end of the file system then waits for itself.
  test("bug 14: the last reference to a mount or a file, which a failed drop leaves, is released after the read-side section", async (t) => {
    const { vfs, fs, walker, peer, memory } = await setUp(t);
    const slot = walker.threadSlot;
    const epochs: number[] = [];
    walker.each(POINT.KILL, () => epochs.push(memory.epoch(slot)));
    fs.mkdirSync("/m");
    vfs.mount("none", "/m", "tmpfs");
    fs.writeFileSync("/m/f", "x");
    const level = gauges(vfs);
    fs.writeFileSync("/f", "x".repeat(10000));
    walker.at(POINT.UNLAZY_HALF, () => peer.fs.unlinkSync("/f"));
    assert.equal(
      codeOf(() => walker.fs.openSync("/f", "r")),
      "ENOENT",
    );
    assert.deepEqual(new Set(epochs), new Set([0]), "the walk released the last reference, outside of its section");
    assert.deepEqual(gauges(vfs), level);
    // The end of a file system waits for a grace period, which never ends while the thread is in a section of its own.
    epochs.length = 0;
    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/m/f", "/m/g");
      peer.umount("/m", { detach: true });
    });
    assert.equal(
      codeOf(() => walker.fs.openSync("/m/f", "r")),
      "ENOENT",
    );
    assert.ok(epochs.length > 0);
    assert.deepEqual(new Set(epochs), new Set([0]));
    assert.equal(gauges(vfs).mounts, level.mounts - 1);
    assert.equal(vfs.counters().expelledReaders, 0);
  });
});

describe("bug 16: '..' out of a bind mount that a rename has left behind", () => {
  // Taken out: the check of the mount's root in pathConnected().
  test("bug 16: '..' leads nowhere when the directory leaves the bind mount at any step of the walk", async (t) => {
    const { vfs, fs, peer } = await setUp(t);
    for (const dir of ["/a/b/c", "/outside", "/view"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/outside/secret", "x");
    vfs.mount("/a/b", "/view", "bind");
    const jail = vfs.context({ root: "/view", cwd: "/c" });
    t.after(() => jail.close());
    const walker = await walkerOf(t, jail.handle);
    for (const path of ["/c/../secret", "../secret", "../../secret", "/c/../../outside/secret"]) {
      for (const ref of [false, true]) {
        walker.walkMode({ ref });
        const passed = walker.points(() => codeOf(() => walker.fs.statSync(path))).map(([id]) => id);
        for (const point of ["WALK_START", "COMPONENT", "DOTDOT", "FOUND", "LOCKED_LOOKUP", "COMPLETE"] as const) {
          const times = passed.filter((id) => id === POINT[point]).length;
          for (let nth = 1; nth <= times; nth++) {
            walker.at(POINT[point], () => peer.fs.renameSync("/a/b/c", "/outside/c"), nth);
            assert.equal(
              codeOf(() => walker.fs.statSync(path)),
              "ENOENT",
              `${path} ${point} ${nth}`,
            );
            walker.never();
            if (fs.existsSync("/outside/c")) fs.renameSync("/outside/c", "/a/b/c");
          }
        }
        // The same when the working directory is outside already.
        fs.renameSync("/a/b/c", "/outside/c");
        if (!path.startsWith("/"))
          assert.equal(
            codeOf(() => walker.fs.statSync(path)),
            "ENOENT",
            path,
          );
        fs.renameSync("/outside/c", "/a/b/c");
      }
    }
  });
});

describe("bug 17: containment of '..' against renames", () => {
  // Taken out: atRoot(). The walk then leaves the root at once.
  test("bug 17: '..' never leads out of a chroot while directories are exchanged", async (t) => {
    const vfs = await shippedTree(t);
    const { fs } = vfs;
    for (const dir of ["/jail/a/c", "/jail/b/d", "/jail/x/y/z"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/secret", "x");
    fs.mkdirSync("/other");
    const jail = vfs.context({ root: "/jail", cwd: "/a" });
    interface Jail {
      readonly handle: VfsHandle;
      /** Inode numbers of the directories inside. */
      readonly inside: readonly number[];
      readonly exchange: number;
    }
    const swapper: ThreadBody<Jail> = (_vfs, raw, running, { exchange }): number => {
      const pairs = [
        ["/jail/a/c", "/jail/b/d"],
        ["/jail/a", "/jail/x/y"],
        ["/jail/b", "/jail/x/y/z"],
        ["/jail/x", "/jail/b"],
      ] as const;
      let n = 0;
      for (; running(); n += 2 * pairs.length) {
        for (const [a, b] of pairs) {
          for (let i = 0; i < 2; i++) if (raw.rename(a, b, exchange) !== 0) throw new Error("no exchange");
        }
      }
      return n;
    };
    interface Walks {
      /** Paths that led out. */
      readonly wrong: string[];
      readonly n: number;
    }
    const walker: ThreadBody<Jail> = async (_vfs, _raw, running, { handle, inside }, tools): Promise<Walks> => {
      const inJail = await tools.walkerOf({ after() {} }, handle);
      const wrong: string[] = [];
      let n = 0;
      const outside = [
        ...["c/../../../secret", "c/../../../../secret", "../../secret"],
        ...["/a/c/../../../secret", "/b/d/../../../secret", "d/../../../other"],
      ];
      while (running()) {
        for (const path of outside) {
          n++;
          if (inJail.fs.existsSync(path)) wrong.push(path);
        }
        for (const path of ["c/../../..", "../../..", "/a/c/../../../.."]) {
          try {
            if (!inside.includes(inJail.fs.statSync(path).ino)) wrong.push(path);
          } catch {
            // A part of the path is elsewhere at the moment.
          }
        }
      }
      inJail.close();
      return { wrong: wrong.slice(0, 5), n };
    };
    const data: Jail = {
      handle: jail.handle,
      inside: ["", "/a", "/a/c", "/b", "/b/d", "/x", "/x/y", "/x/y/z"].map((path) => fs.statSync(`/jail${path}`).ino),
      exchange: RENAME_EXCHANGE,
    };
    const bodies = [swapper, walker, walker];
    const [rounds, ...walks] = await threads<[number, Walks, Walks], Jail>(vfs.handle, 2 * RACE_MS, bodies, data);
    assert.ok(rounds > 10, `${rounds}`);
    for (const { wrong, n } of walks) {
      assert.ok(n > 100, `${n}`);
      assert.deepEqual(wrong, []);
    }
    jail.close();
  });
});
