/** Links in rcu mode (core/vfs/walk/step.ts pickLinkRcu(), link-body.ts): rows 104, 105 and 107, and each errno of a walk over links. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DROP, ERRNO, POINT, S_IFDIR, S_IFLNK } from "../../../dist/abi/abi.js";
import type { FsSync, SecurityHook } from "../../../dist/src/index.js";
import { counted, gauges } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { flatDriver, mountDriver, walkCode } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import { of, type PointPass, type TestScope, walkerOf } from "../../support/hooked-vfs.js";
import { AskedInRef, atEveryPoint, freshLink, makeOld, setUp } from "../../support/interleavings.js";

const LONG = "a-name-that-is-too-long-for-its-dentry";
/** Bytes of a body that leads to its own directory; with this many only two are walked at a time in rcu mode. */
const LONG_BODY = "./".repeat(2000);

/** Links of every kind: relative and absolute, to each other, up, to the root, over a mount, dangling, in a loop. */
function makeLinks(fs: FsSync, mount: (at: string) => void): void {
  for (const dir of ["/a/b/c", `/a/${LONG}`, "/mnt"]) fs.mkdirSync(dir, { recursive: true });
  mount("/mnt");
  fs.mkdirSync("/mnt/x");
  for (const file of ["/a/f", "/a/b/c/g", `/a/${LONG}/g`, "/mnt/x/f"]) fs.writeFileSync(file, file);
  const links: Readonly<Record<string, string>> = {
    "/a/rel": "b/c",
    "/a/up": "../a/b/..",
    "/a/abs": "/a/b",
    "/a/root": "/",
    "/a/root2": "///",
    "/a/here": ".",
    "/a/two": "rel/../c/",
    "/a/long": LONG,
    "/a/file": "f",
    "/a/slash": "f/",
    "/a/dead": "none/x",
    "/a/loop": "loop",
    "/a/over": "../mnt/x",
    "/mnt/back": "/a/b/c",
    "/mnt/up": "../a",
  };
  for (const [path, target] of Object.entries(links)) freshLink(fs, target, path);
}

const PATHS: readonly (readonly [path: string, code: string | undefined, links: number])[] = [
  ["/a/rel/g", undefined, 1],
  ["/a/rel", undefined, 1],
  ["/a/rel/", undefined, 1],
  ["/a/up/f", undefined, 1],
  ["/a/up/up/up/b", undefined, 3],
  ["/a/abs/c/g", undefined, 1],
  ["/a/root/a/f", undefined, 1],
  ["/a/root2/a/f", undefined, 1],
  ["/a/root", undefined, 1],
  ["/a/root/..", undefined, 1],
  ["/a/here/f", undefined, 1],
  ["/a/here/here/here", undefined, 3],
  ["/a/two/g", undefined, 2],
  ["/a/two", undefined, 2],
  ["/a/two/../../f", undefined, 2],
  ["/a/long/g", undefined, 1],
  ["/a/file", undefined, 1],
  ["/a/over/f", undefined, 1],
  ["/mnt/back/g", undefined, 1],
  ["/mnt/up/over/f", undefined, 2],
  ["/a/root/mnt/back/../../rel/g", undefined, 3],
  ["/a/file/", "ENOTDIR", 1],
  ["/a/file/x", "ENOTDIR", 1],
  ["/a/slash", "ENOTDIR", 1],
  ["/a/slash/x", "ENOTDIR", 1],
  ["/a/dead", "ENOENT", 1],
  ["/a/dead/x", "ENOENT", 1],
  ["/a/rel/none", "ENOENT", 1],
  ["/a/loop", "ELOOP", 40],
  ["/a/loop/x", "ELOOP", 40],
  [`/a/rel/${"n".repeat(256)}`, "ENAMETOOLONG", 1],
];

describe("row 104: links are followed in rcu mode", () => {
  // Taken out: pickLinkRcu() in pickLink(). Every walk over a link leaves rcu mode.
  test("row 104: a walk over links ends in rcu mode, with the result of a walk in ref mode", async (t) => {
    const { vfs } = await treeFor(t);
    makeLinks(vfs.fs, (at) => vfs.mount(null, at, "tmpfs"));
    for (const [path, code, links] of PATHS) {
      vfs.walkMode({ ref: false });
      let points: PointPass[] = [];
      const run = counted(vfs, () => {
        points = vfs.points(() => assert.equal(walkCode(vfs, path), code, path));
      });
      assert.deepEqual([run.endedRcu, run.endedRef, run.echildRestarts, run.dropLink], [1, 0, 0, 0], path);
      assert.equal(of(points, POINT.LINK).length, links, path);
      const found = code === undefined ? vfs.fs.statSync(path).ino : 0;
      vfs.walkMode({ ref: true });
      assert.equal(walkCode(vfs, path), code, path);
      if (code === undefined) assert.equal(vfs.fs.statSync(path).ino, found, path);
    }
    vfs.umount("/mnt");
  });

  // Taken out: the copy in copyLinkBody(): a store to the body instead of a load, or the reference that dropRcuLink() takes.
  test("row 104: a walk over links stores nothing but to its own memory", async (t) => {
    const { vfs, memory } = await setUp(t);
    makeLinks(vfs.fs, (at) => vfs.mount(null, at, "tmpfs"));
    const before = memory.bytesWithout(vfs);
    for (const [path, code] of PATHS) assert.equal(walkCode(vfs, path), code, path);
    assert.ok(Buffer.compare(before, memory.bytesWithout(vfs)) === 0);
    vfs.umount("/mnt");
  });

  // Taken out: atimeNeedsUpdateRcu() in pickLinkRcu(). The time of access stays what it was.
  test("row 104: a link whose time of access must be updated takes the walk out of rcu mode, once", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    freshLink(fs, "d", "/l");
    makeOld(fs, "/l");
    const first = counted(() => fs.statSync("/l"));
    assert.deepEqual([first.dropLink, first.endedRef, first.echildRestarts], [1, 1, 0]);
    const { atimeMs, ctimeMs } = fs.lstatSync("/l");
    assert.ok(atimeMs >= ctimeMs, "the time of access is updated");
    while (performance.timeOrigin + performance.now() <= ctimeMs + 1);
    fs.statSync("/l");
    const later = counted(() => fs.statSync("/l"));
    assert.deepEqual([later.dropLink, later.endedRcu], [0, 1]);
  });

  test("row 104: no time of access is updated through a read-only mount, and a walk stays in rcu mode there", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.mkdirSync("/m");
    fs.mkdirSync("/ro");
    vfs.mount(null, "/m", "tmpfs");
    fs.symlinkSync(".", "/m/l");
    makeOld(fs, "/m/l");
    vfs.mount("/m", "/ro", "bind", { readonly: true });
    const run = counted(() => fs.statSync("/ro/l"));
    assert.deepEqual([run.dropLink, run.endedRcu], [0, 1]);
    assert.equal(fs.lstatSync("/m/l").atimeMs, 0);
    vfs.umount("/ro");
    vfs.umount("/m");
  });
});

describe("row 104: what keeps a link from being followed in rcu mode, and what does not", () => {
  // Taken out: the condition on I_DRIVER in pickLinkRcu(). The body of a driver's link is not in memory.
  test("row 104: a driver's link takes the walk out of rcu mode with references on the link and its place", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const nodes = { d: [2, S_IFDIR], l: [3, S_IFLNK] } as const;
    mountDriver(vfs, flatDriver("linked", nodes, { readlink: () => "d" }));
    freshLink(vfs.fs, "m/l", "/to-it");
    for (const path of ["/m/l", "/to-it"]) {
      vfs.fs.statSync(path);
      const run = counted(() => assert.ok(vfs.fs.statSync(path).isDirectory()));
      assert.deepEqual([run.dropLink, run.endedRef, run.echildRestarts], [1, 1, 0], path);
    }
    vfs.umount("/m");
  });

  // Taken out: the call of the hook in pickLinkRcu(), or its errors but ECHILD.
  test("row 104: the security hook is asked about a link in rcu mode, and again outside if it says ECHILD", async (t) => {
    const { vfs } = await treeFor(t);
    vfs.fs.mkdirSync("/d");
    freshLink(vfs.fs, "d", "/l");
    const link = vfs.fs.lstatSync("/l").ino;
    const asked: boolean[] = [];
    let answer = (_rcu: boolean): number => 0;
    const security: SecurityHook = (ino, _mask, rcu) => {
      if (ino !== link) return 0;
      asked.push(rcu);
      return answer(rcu);
    };
    const walker = await walkerOf(t, vfs.handle, { security });
    walker.fs.statSync("/l");
    assert.deepEqual(asked, [true]);
    asked.length = 0;
    answer = (rcu) => (rcu ? -ERRNO.ECHILD : 0);
    walker.fs.statSync("/l");
    assert.deepEqual(asked, [true, false]);
    answer = (rcu) => (rcu ? -ERRNO.ECHILD : -ERRNO.EACCES);
    assert.equal(walkCode(walker, "/l"), "EACCES");
    asked.length = 0;
    answer = () => -ERRNO.EPERM;
    assert.equal(walkCode(walker, "/l"), "EPERM");
    assert.deepEqual(asked, [true]);
  });

  // Taken out: the check of the dentry's sequence in copyLinkBody() together with the one before pickLink(); and the copy, with poisoned memory.
  test("row 104: a body is that of the link that was found, whatever becomes of the link", async (t) => {
    const { fs, walker, peer } = await setUp(t);
    fs.mkdirSync("/right/a/b", { recursive: true });
    fs.mkdirSync("/wrong/a/b", { recursive: true });
    fs.writeFileSync("/right/a/b/f", "1");
    fs.writeFileSync("/wrong/a/b/f", "22");
    const sizes = new Set<number>();
    const happened = atEveryPoint(walker, {
      prepare: () => {
        for (const path of ["/l", "/spare"]) fs.rmSync(path, { force: true });
        freshLink(fs, "right/a/./b", "/l");
        freshLink(fs, "wrong/a/./b", "/spare");
      },
      call: (own) => sizes.add(own.statSync("/l/f").size),
      change: () => {
        peer.fs.renameSync("/spare", "/l");
        for (let i = 0; i < 40; i++) {
          peer.fs.symlinkSync("x".repeat(11), "/poison");
          peer.fs.unlinkSync("/poison");
        }
      },
      check: (code, where) => assert.equal(code, undefined, where),
    });
    assert.ok(happened > 10, `${happened} interleavings`);
    assert.deepEqual(sizes, new Set([1, 2]));
  });
});

describe("row 105: one stack of links, one limit", () => {
  // Taken out: putLink() in walkComponent(). The room of a finished body is not free for the next one.
  test("row 105: a finished link is popped before the next is pushed", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.writeFileSync("/f", "x");
    for (let n = 0; n < 40; n++) freshLink(fs, `${LONG_BODY}${n === 39 ? "f" : `l${n + 1}`}`, `/l${n}`);
    const run = counted(() => assert.equal(fs.statSync("/l0").size, 1));
    assert.deepEqual([run.dropLink, run.endedRcu], [0, 1]);
    // The same on the way: each link ends before the next component.
    fs.mkdirSync("/d");
    freshLink(fs, LONG_BODY, "/d/here");
    const way = counted(() => fs.statSync(`/d${"/here".repeat(40)}`));
    assert.deepEqual([way.dropLink, way.endedRcu], [0, 1]);
    assert.equal(walkCode(vfs, `/d${"/here".repeat(41)}`), "ELOOP");
  });

  // Taken out: putLink() in linkPathWalk(), for a body that the fast walk has walked to its end; or in followBody(), for "/".
  test("row 105: links to plain directories and to the root are popped too", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    freshLink(fs, `${"/".repeat(4000)}d`, "/d/plain");
    freshLink(fs, "/".repeat(4000), "/d/root");
    for (const path of [`/d${"/plain".repeat(40)}`, `/d${"/root/d".repeat(40)}`]) {
      const run = counted(() => assert.equal(walkCode(vfs, path), undefined));
      assert.deepEqual([run.dropLink, run.endedRcu], [0, 1], path.slice(0, 12));
    }
  });

  // Taken out: the comparison with the room's end in copyLinkBody(). The third body is written over what lies behind.
  test("row 105: nested bodies that do not fit together take the walk out of rcu mode", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    for (const [n, target] of ["d", "l0/.", "l1/.", "l2/."].entries()) {
      freshLink(fs, `${LONG_BODY}${target}`, `/l${n}`);
    }
    const fits = counted(() => assert.equal(fs.statSync("/l1/f").size, 1));
    assert.deepEqual([fits.dropLink, fits.endedRcu], [0, 1]);
    const drops = counted(() => assert.equal(fs.statSync("/l3/f").size, 1));
    assert.deepEqual([drops.dropLink, drops.endedRef, drops.echildRestarts], [1, 1, 0]);
  });

  // Taken out: the limit in pickLink(); with 41 it counts one too many.
  test("row 105: 40 links in rcu mode, on the way and at the end together, nested or not, and 41 are ELOOP", async (t) => {
    const { vfs, counted } = await treeFor(t);
    const { fs } = vfs;
    fs.mkdirSync("/d");
    fs.writeFileSync("/d/f", "x");
    for (let n = 0; n < 20; n++) {
      freshLink(fs, n === 19 ? "d" : `n${n + 1}/.`, `/n${n}`);
      freshLink(fs, n === 19 ? "f" : `e${n + 1}`, `/d/e${n}`);
    }
    freshLink(fs, "e0", "/d/more");
    for (const [path, code] of [
      ["/n0/e0", undefined],
      ["/n0/more", "ELOOP"],
      ["/n0/../n0/f", undefined],
      ["/n0/../n0/e19", "ELOOP"],
    ] as const) {
      const run = counted(() => assert.equal(walkCode(vfs, path), code, path));
      assert.deepEqual([run.dropLink, run.endedRcu, run.echildRestarts], [0, 1, 0], path);
    }
  });
});

/** A tree in which the body of /l leads through /acl, where a security hook takes the walk out of rcu mode, to /acl/d/f. */
async function inTheMiddle(t: TestScope) {
  const all = await setUp(t);
  const { vfs, fs } = all;
  fs.mkdirSync("/acl/d", { recursive: true });
  fs.writeFileSync("/acl/d/f", "x");
  const asked = new AskedInRef();
  asked.add(vfs, "/acl");
  freshLink(fs, "acl/./d", "/inner");
  freshLink(fs, "inner/.", "/l");
  return { ...all, user: await walkerOf(t, vfs.handle, { security: asked.security }) };
}

describe("row 107: out of rcu mode in the middle of a link", () => {
  // Taken out: the copy of the body in pickLinkRcu() (the walk goes on in the link's own memory, which is another link's by then).
  test("row 107: a walk that leaves rcu mode in the middle of two links goes on, though both are removed", async (t) => {
    const { fs, peer, user } = await inTheMiddle(t);
    user.at(POINT.DROPPED, (ok) => {
      assert.equal(ok, 1);
      peer.fs.unlinkSync("/l");
      peer.fs.unlinkSync("/inner");
      peer.synchronizeRcu();
      for (let i = 0; i < 300; i++) peer.fs.symlinkSync("none/", `/poison${i}`);
    });
    const run = counted(user, () => assert.equal(user.fs.statSync("/l/f").size, 1));
    assert.deepEqual([run.dropPermission, run.dropLink, run.dropFailed, run.echildRestarts], [1, 0, 0, 0]);
    assert.equal(fs.existsSync("/l"), false);
  });

  // Taken out: "nd.bodies = load<u32>(e + 8)" in putLink(), so that it puts the dentry 0.
  test("row 107: links that were followed before the drop have nothing to put, those after it have", async (t) => {
    const { vfs, fs, user } = await inTheMiddle(t);
    fs.symlinkSync("../d", "/acl/d/in-ref-mode");
    const before = gauges(vfs);
    for (const path of ["/l/in-ref-mode/f", "/l/in-ref-mode/in-ref-mode/none", "/l/f/x"]) {
      for (let n = 0; n < 3; n++) walkCode(user, path);
    }
    fs.rmSync("/acl/d", { recursive: true });
    fs.mkdirSync("/acl/d");
    fs.writeFileSync("/acl/d/f", "");
    fs.symlinkSync("x", "/acl/d/in-ref-mode");
    assert.deepEqual(gauges(vfs), before);
  });

  // Taken out: the comparison of the sequence in legitimizeDentry(). What the caller gets is the directory's old place.
  test("row 107: a drop in the middle of a link that fails leaves nothing behind, and the walk starts again", async (t) => {
    const { fs, peer, user, vfs } = await inTheMiddle(t);
    const before = gauges(vfs);
    user.at(POINT.DROP, (reason) => {
      assert.equal(reason, DROP.PERMISSION);
      peer.fs.renameSync("/acl", "/away");
      peer.fs.renameSync("/away", "/acl");
    });
    const run = counted(user, () => assert.equal(user.fs.statSync("/l/f").size, 1));
    assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
    assert.deepEqual(gauges(vfs), before);
    fs.rmSync("/acl", { recursive: true });
  });
});

/** A name of a link and two bodies between which it changes, with the errno of a walk over each of them. */
interface Errno {
  readonly path: string;
  readonly bodies: readonly [string, string];
  readonly codes: readonly (string | undefined)[];
}

/** Each errno that a walk over links returns in rcu mode. */
const ERRNOS: Readonly<Record<string, Errno>> = {
  "ENOENT of a dangling link": { path: "/l", bodies: ["none", "d/f"], codes: ["ENOENT", undefined] },
  "ENOENT behind a link": { path: "/l/f", bodies: ["e", "d"], codes: ["ENOENT", undefined] },
  "ENOTDIR of a link to a file": { path: "/l/f", bodies: ["d/f", "d"], codes: ["ENOTDIR", undefined] },
  "ENOTDIR of a link to a file with a slash": { path: "/l", bodies: ["d/f/", "d/"], codes: ["ENOTDIR", undefined] },
  "ELOOP of a link to itself": { path: "/l", bodies: ["l", "d/f"], codes: ["ELOOP", undefined] },
  "ELOOP of 41 links": { path: "/l", bodies: ["c0", "c1"], codes: ["ELOOP", undefined] },
  "ENAMETOOLONG in a body": { path: "/l", bodies: [`d/${"n".repeat(256)}`, "d/f"], codes: ["ENAMETOOLONG", undefined] },
  "ENAMETOOLONG in a body on the way": {
    path: "/l/f",
    bodies: [`${"n".repeat(256)}/d`, "d"],
    codes: ["ENAMETOOLONG", undefined],
  },
};

describe("rows 104 and 105: every errno that rcu mode returns behind a link", () => {
  for (const [name, { path, bodies, codes }] of Object.entries(ERRNOS)) {
    // Taken out: the check of the link's dentry before pickLink(), or checkRcu() in endAttempt(): an errno of no moment.
    test(`${name}: the result is that of one of both bodies, with the change at any point`, async (t) => {
      const { fs, walker, peer } = await setUp(t);
      fs.mkdirSync("/d");
      fs.mkdirSync("/e");
      fs.writeFileSync("/d/f", "x");
      // 40 links from /c0 on, so that /l is one too many.
      for (let n = 0; n < 40; n++) freshLink(fs, n === 39 ? "d/f" : `c${n + 1}`, `/c${n}`);
      for (const [from, to] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const seen = new Set<string | undefined>();
        atEveryPoint(walker, {
          prepare: () => {
            for (const link of ["/l", "/other"]) fs.rmSync(link, { force: true });
            freshLink(fs, bodies[from], "/l");
            freshLink(fs, bodies[to], "/other");
          },
          call: (own) => own.accessSync(path),
          change: () => peer.fs.renameSync("/other", "/l"),
          check: (code, where) => {
            assert.ok(codes.includes(code), `${where}: ${code}`);
            seen.add(code);
          },
        });
        assert.deepEqual(seen, new Set(codes), "both results happen");
        const run = counted(walker, () =>
          assert.equal(
            codeOf(() => walker.fs.accessSync(path)),
            codes[to],
          ),
        );
        assert.deepEqual([run.endedRcu, run.dropLink], [1, 0]);
        fs.rmSync("/l");
        freshLink(fs, bodies[from], "/l");
        const back = counted(walker, () =>
          assert.equal(
            codeOf(() => walker.fs.accessSync(path)),
            codes[from],
          ),
        );
        assert.deepEqual([back.endedRcu, back.dropLink], [1, 0]);
      }
    });
  }
});
