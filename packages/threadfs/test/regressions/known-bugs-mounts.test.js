/** Bugs that this algorithm has had, 11 to 17: mounts and "..". 15 (RESOLVE_CACHED) belongs to a feature that is not here yet. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../../dist/abi/abi.js";
import { counted, gauges } from "../support/counters.js";
import { codeOf } from "../support/errors.js";
import { walkerOf } from "../support/hooked-vfs.js";
import { RACE_MS, setUp, shippedTree } from "../support/interleavings.js";
import { threads } from "../support/threads.js";

describe("bugs 11 and 12: mounts that move elsewhere", () => {
  /** /m is a mount with a file that the directory below has not; /x/a and /x/b are places for another mount. */
  function mounts(vfs) {
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

  for (const [bug, path] of Object.entries(PATHS)) {
    test(`bug ${bug}: a mount that moves elsewhere at any step changes no answer`, async (t) => {
      const { vfs, walker, peer } = await setUp(t);
      mounts(vfs);
      let at = "/x/a";
      for (const point of ["MOUNT_CHECK", "MOUNT_DOWN", "MOUNT_UP", "DOTDOT", "COMPONENT", "COMPLETE"]) {
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

  /** The mount made last: its address and its chain in the table (core/vfs/mount/namespace.ts, headOf). */
  function newest(vfs) {
    const words = new Uint32Array(vfs.handle.memory.buffer);
    const mount = words[5380 >>> 2];
    const [parent, place] = [words[mount >>> 2], words[(mount >>> 2) + 1]];
    const h = (Math.imul(parent >>> 7, 0x9e3779b1) + Math.imul(place >>> 7, 0x85ebca6b)) >>> 0;
    return { mount, chain: (h >>> 16) & 255 };
  }

  // A reader that another mount's move carries into another chain of the table does not see what is mounted; it would take a
  // pause between two loads to get there, so the tests put into memory what such a reader sees, until it has noticed.
  const MOUNT_HEADS = 32768;
  const G_MOUNT_SEQ = 4416;

  // Taken out: the checks of the mount sequence in followMountRcu() and checkRcu().
  test("bug 11: a reader that was carried off and misses the mount starts again", async (t) => {
    const { vfs, fs, walker } = await setUp(t);
    fs.mkdirSync("/m");
    fs.writeFileSync("/m/below", "hidden");
    vfs.mount("none", "/m", "tmpfs");
    const head = (MOUNT_HEADS >>> 2) + newest(vfs).chain;
    fs.writeFileSync("/m/f", "x");
    const words = new Uint32Array(vfs.handle.memory.buffer);
    const saved = words[head];
    for (const [path, code] of [
      ["/m/f", "EINVAL"],
      ["/m/below", "ENOENT"],
      ["/m/none", "ENOENT"],
    ]) {
      walker.at(POINT.MOUNT_CHECK, () => {
        words[head] = 0;
        words[G_MOUNT_SEQ >>> 2] += 2;
      });
      walker.at(POINT.RESTART, () => {
        words[head] = saved;
      });
      const run = counted(walker, () =>
        assert.equal(
          codeOf(() => walker.fs.readlinkSync(path)),
          code,
          path,
        ),
      );
      words[head] = saved;
      assert.equal(run.echildRestarts, 1, path);
    }
  });

  // Taken out: those in followDotdotRcu() and checkRcu().
  test("bug 12: nor does one get stuck below a mount that seems to stand on nothing", async (t) => {
    const { vfs, walker } = await setUp(t);
    mounts(vfs);
    const words = new Uint32Array(vfs.handle.memory.buffer);
    let mount = 0;
    let parent = 0;
    walker.at(POINT.MOUNT_DOWN, (m) => {
      mount = m >>> 2;
      parent = words[mount];
    });
    walker.at(POINT.DOTDOT, () => {
      words[mount] = mount << 2;
      words[G_MOUNT_SEQ >>> 2] += 2;
    });
    walker.at(POINT.RESTART, () => {
      words[mount] = parent;
    });
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.readlinkSync(PATHS[12])),
        "EINVAL",
      ),
    );
    words[mount] = parent;
    assert.equal(run.echildRestarts, 1);
  });

  test("bug 11: threads: a mount that stands in the same chain of the table moves to and fro", async (t) => {
    const vfs = await shippedTree(t);
    const { fs } = vfs;
    for (const dir of ["/m", "/other"]) fs.mkdirSync(dir);
    vfs.mount("none", "/m", "tmpfs");
    fs.writeFileSync("/m/f", "x");
    const { chain } = newest(vfs);
    let place;
    for (let i = 0; i < 5000 && place === undefined; i++) {
      fs.mkdirSync(`/s${i}`);
      vfs.mount("none", `/s${i}`, "tmpfs");
      if (newest(vfs).chain === chain) place = `/s${i}`;
      else {
        vfs.umount(`/s${i}`);
      }
    }
    assert.ok(place !== undefined);
    const mover = `
      let n = 0;
      while (running()) {
        vfs.mount(data.place, "/other", "none", { move: true });
        vfs.mount("/other", data.place, "none", { move: true });
        n++;
      }
      return n;`;
    const reader = `
      let n = 0;
      while (running()) { if (vfs.fs.statSync("/m/f").size !== 1) throw new Error("wrong"); n++; }
      return n;`;
    const [moved, read] = await threads(vfs.handle, RACE_MS, [mover, reader], { place });
    assert.ok(moved > 10 && read > 10, `${moved} ${read}`);
  });

  test("bug 12: threads: '..' out of a mount that moves leads to where it stands, or stood", async (t) => {
    const vfs = await shippedTree(t);
    const { fs } = vfs;
    const places = ["/a/x", "/b/y"];
    const right = [];
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
    const mover = `
      const { attachVfs } = await import(data.index);
      const root = await attachVfs(data.root);
      let n = 0;
      while (running()) {
        root.mount("/a/x", "/b/y", "none", { move: true });
        root.mount("/b/y", "/a/x", "none", { move: true });
        n++;
      }
      root.close();
      return n;`;
    const reader = `
      const seen = {};
      while (running()) {
        let what;
        try { const { dev, ino, size } = vfs.fs.lstatSync("../../beside"); what = dev + " " + ino + " " + size; }
        catch (error) { what = error.code; }
        seen[what] = (seen[what] ?? 0) + 1;
      }
      return seen;`;
    const data = { root: vfs.handle, index: new URL("../../dist/src/index.js", import.meta.url).href };
    const [moved, seen] = await threads(context.handle, RACE_MS, [`return (async () => {${mover}})()`, reader], data);
    assert.ok(moved > 10, `${moved}`);
    for (const what of Object.keys(seen)) assert.ok(right.includes(what), JSON.stringify({ right, seen }));
    context.close();
  });
});

// Put in: the mount put at every step, not only where the step left it.
test("bug 13: a mount that is reached through links is put once", async (t) => {
  // A link cannot be a mount's root here: mount(2) follows it. What can be done: a file bound over a mount point's file, a link
  // in one mount that leads into another, and a mount bound through a link over a mount point.
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
  // Each of them can be taken down once, and not before what stands on it.
  assert.equal(
    codeOf(() => vfs.umount("/a")),
    "EBUSY",
  );
  for (const mount of ["/a/file", "/a/place", "/a", "/b"]) {
    vfs.umount(mount);
    assert.equal(
      codeOf(() => vfs.umount(mount)),
      mount.startsWith("/a/") && fs.existsSync(mount) ? "EINVAL" : codeOf(() => vfs.umount(mount)),
    );
  }
  assert.equal(gauges(vfs).mounts, 1);
});

describe("bug 14: references dropped inside a read-side section", () => {
  // Put in: putPending() before the section has ended. The end of the file system waits for itself.
  test("bug 14: the last reference on a mount or a file, from a drop that failed, goes after the section", async (t) => {
    const { vfs, fs, walker, peer, memory } = await setUp(t);
    const slot = walker.threadSlot;
    const epochs = [];
    walker.each(POINT.KILL, () => epochs.push(memory.epoch(slot)));
    fs.mkdirSync("/m");
    vfs.mount("none", "/m", "tmpfs");
    fs.writeFileSync("/m/f", "x");
    const level = gauges(vfs);
    fs.writeFileSync("/f", "x".repeat(10000));
    walker.at(POINT.UNLAZY_HALF, () => peer.fs.unlinkSync("/f"));
    assert.equal(
      codeOf(() => walker.fs.openSync("/f")),
      "ENOENT",
    );
    assert.deepEqual(new Set(epochs), new Set([0]), "the walk was the last to let go, outside of its section");
    assert.deepEqual(gauges(vfs), level);
    // The end of a file system waits for a grace period, which a section of one's own would hold up for ever.
    epochs.length = 0;
    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/m/f", "/m/g");
      peer.umount("/m", { detach: true });
    });
    assert.equal(
      codeOf(() => walker.fs.openSync("/m/f")),
      "ENOENT",
    );
    assert.ok(epochs.length > 0);
    assert.deepEqual(new Set(epochs), new Set([0]));
    assert.equal(gauges(vfs).mounts, level.mounts - 1);
    assert.equal(vfs.counters().expelledReaders, 0);
  });
});

describe("bug 16: '..' out of a bind mount that a rename has left behind", () => {
  // Taken out: the look at the mount's root in pathConnected().
  test("bug 16: at any step of the walk", async (t) => {
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
        for (const point of ["WALK_START", "COMPONENT", "DOTDOT", "FOUND", "LOCKED_LOOKUP", "COMPLETE"]) {
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
        // And when it is out already: the directory of work lies outside, and from there no ".." leads anywhere.
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
  // Taken out: atRoot(). The prisoner is out at once.
  test("bug 17: exchange renames against c/../../.. in a chroot: no escape", async (t) => {
    const vfs = await shippedTree(t);
    const { fs } = vfs;
    for (const dir of ["/jail/a/c", "/jail/b/d", "/jail/x/y/z"]) fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync("/secret", "x");
    fs.mkdirSync("/other");
    const jail = vfs.context({ root: "/jail", cwd: "/a" });
    const swapper = `
      let n = 0;
      const pairs = [["/jail/a/c", "/jail/b/d"], ["/jail/a", "/jail/x/y"], ["/jail/b", "/jail/x/y/z"], ["/jail/x", "/jail/b"]];
      while (running()) {
        for (const [a, b] of pairs) {
          for (let i = 0; i < 2; i++) if (raw.rename(a, b, 2) !== 0) throw new Error("no exchange");
        }
        n += 8;
      }
      return n;`;
    const prisoner = `
      const { attachVfs } = await import(data.index);
      const jail = await attachVfs(data.jail);
      const wrong = []; let asked = 0;
      const paths = ["c/../../../secret", "c/../../../../secret", "../../secret", "/a/c/../../../secret", "/b/d/../../../secret", "d/../../../other"];
      while (running()) {
        for (const path of paths) {
          asked++;
          if (jail.fs.existsSync(path)) wrong.push(path);
        }
        for (const path of ["c/../../..", "../../..", "/a/c/../../../.."]) {
          let ino;
          try { ino = jail.fs.statSync(path).ino; } catch {}
          if (ino !== undefined && !data.inside.includes(ino)) wrong.push(path);
        }
      }
      jail.close();
      return { wrong: wrong.slice(0, 5), asked };`;
    const data = {
      jail: jail.handle,
      index: new URL("../../dist/src/index.js", import.meta.url).href,
      inside: ["", "/a", "/a/c", "/b", "/b/d", "/x", "/x/y", "/x/y/z"].map((path) => fs.statSync(`/jail${path}`).ino),
    };
    const bodies = [swapper, `return (async () => {${prisoner}})()`, `return (async () => {${prisoner}})()`];
    const [rounds, ...answers] = await threads(vfs.handle, 2 * RACE_MS, bodies, data);
    assert.ok(rounds > 10, `${rounds}`);
    for (const { wrong, asked } of answers) {
      assert.ok(asked > 100, `${asked}`);
      assert.deepEqual(wrong, []);
    }
    jail.close();
  });
});
