/**
 * The errnos that a walk returns in rcu mode by itself, with a change at every point that it passes: another tree takes the place of the one that it walks, and that
 * one becomes, elsewhere, what the errno is of. So the errno is true of what the walk has found, and at no moment of the path: it must not be returned.
 * What links return is in ../links.test.ts, the flags of openat2 are in ../resolve/, ACLs in ../acl-rcu.test.ts, drivers' hooks in ../../fs/rcu-hooks.test.ts.
 */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import { test } from "node:test";
import type { FsSync, MountOptions, Vfs } from "../../../../dist/src/index.js";
import { counted } from "../../../support/counters.js";
import { codeOf } from "../../../support/errors.js";
import { walkerOf } from "../../../support/hooked-vfs.js";
import { atEveryPoint, freshLink, setUp } from "../../../support/interleavings.js";

const { R_OK, W_OK, X_OK } = constants;
const USER = 1000;
const LONG = "n".repeat(256);

interface Errno {
  readonly code: string;
  readonly path: string;
  readonly mode?: number;
  /** The code of the call on the trees that are at the path; none: it succeeds. */
  readonly otherwise?: string;
  /** Makes one of these trees; without it they are d/f. */
  make?(fs: FsSync, top: string): void;
  /** Makes of it, in its place, what the errno is of. */
  spoil(fs: FsSync, top: string): void;
  /** What is exchanged, below the top; a walk with references, too, goes on in a directory that is moved, or with a file that is. */
  readonly exchanged?: readonly string[];
}

/** In the place of the directory d is something else. */
function replaceDir(fs: FsSync, top: string): void {
  fs.unlinkSync(`${top}/d/f`);
  fs.rmdirSync(`${top}/d`);
}

function toDirectory(fs: FsSync, top: string): void {
  fs.unlinkSync(`${top}/d`);
  fs.mkdirSync(`${top}/d`);
}

const ERRNOS: Readonly<Record<string, Errno>> = {
  "ENOENT of the last name": {
    code: "ENOENT",
    path: "/t/d/f",
    spoil: (fs, top) => fs.unlinkSync(`${top}/d/f`),
    exchanged: ["/d", "/d/f"],
  },
  "ENOENT of a name on the way": { code: "ENOENT", path: "/t/d/f", spoil: replaceDir },
  "ENOTDIR of a name on the way": {
    code: "ENOTDIR",
    path: "/t/d/f",
    spoil(fs, top) {
      replaceDir(fs, top);
      fs.writeFileSync(`${top}/d`, "");
    },
  },
  "ENOTDIR of a name with a slash": {
    code: "ENOTDIR",
    path: "/t/d/",
    spoil(fs, top) {
      replaceDir(fs, top);
      fs.writeFileSync(`${top}/d`, "");
    },
  },
  "ENOTDIR of what '..' goes up from": {
    code: "ENOTDIR",
    path: "/t/d/../d/f",
    spoil(fs, top) {
      replaceDir(fs, top);
      fs.writeFileSync(`${top}/d`, "");
    },
  },
  "EACCES of a directory": { code: "EACCES", path: "/t/d/f", spoil: (fs, top) => fs.chmodSync(`${top}/d`, 0o700) },
  "EACCES of the last file": {
    code: "EACCES",
    path: "/t/d/f",
    mode: R_OK,
    spoil: (fs, top) => fs.chmodSync(`${top}/d/f`, 0o600),
    exchanged: ["/d/f"],
  },
  "EACCES of a file that is not to be executed": {
    code: "EACCES",
    path: "/t/d/f",
    mode: X_OK,
    make(fs, top) {
      fs.mkdirSync(`${top}/d`);
      fs.writeFileSync(`${top}/d/f`, "", { mode: 0o755 });
    },
    spoil: (fs, top) => fs.chmodSync(`${top}/d/f`, 0o644),
    exchanged: ["/d/f"],
  },
  "ENAMETOOLONG on the way": {
    code: "ENAMETOOLONG",
    path: `/t/d/${LONG}/f`,
    otherwise: "ENOTDIR",
    make: (fs, top) => fs.writeFileSync(`${top}/d`, ""),
    spoil: toDirectory,
  },
  "ELOOP of a link to itself": {
    code: "ELOOP",
    path: "/t/d/f",
    spoil(fs, top) {
      replaceDir(fs, top);
      freshLink(fs, "d", `${top}/d`);
    },
  },
};

/** The code of a call that ends in rcu mode, without having left it. */
function codeInRcu(vfs: Vfs, call: (fs: FsSync) => unknown): string | undefined {
  let code: string | undefined;
  const c = counted(vfs, () => {
    code = codeOf(() => call(vfs.fs));
  });
  assert.deepEqual([c.walks, c.endedRcu, c.endedRef, c.echildRestarts], [1, 1, 0, 0]);
  return code;
}

/** A tree, and attachments that walk, as a user, and change it. */
async function asUser(t: Parameters<typeof setUp>[0]) {
  const { vfs, fs, peer } = await setUp(t);
  const user = vfs.context({ uid: USER, gid: USER });
  t.after(() => user.close());
  return { vfs, fs, peer, walker: await walkerOf(t, user.handle) };
}

function makeTree(fs: FsSync, top: string): void {
  fs.mkdirSync(`${top}/d`);
  fs.writeFileSync(`${top}/d/f`, "x");
}

for (const [
  name,
  { code, path, mode = 0, otherwise, make = makeTree, spoil, exchanged = ["", "/d"] },
] of Object.entries(ERRNOS)) {
  // Taken out: the checks of sequences (readSeqRetry(), and those of rcuWalk()); for EACCES of the last file that at the end alone (finishRcu()).
  test(`row 72: ${name} in rcu mode: of no file that is not at the path`, async (t) => {
    const { fs, peer, walker } = await asUser(t);
    const call = (its: FsSync) => its.accessSync(path, mode);
    const prepare = () => {
      for (const top of ["/t", "/o"]) {
        fs.rmSync(top, { recursive: true, force: true });
        fs.mkdirSync(top);
        make(fs, top);
      }
    };
    prepare();
    assert.equal(codeInRcu(walker, call), otherwise);
    spoil(fs, "/t");
    assert.equal(codeInRcu(walker, call), code, "rcu mode itself returns it");
    for (const below of exchanged) {
      atEveryPoint(walker, {
        prepare,
        call,
        change() {
          peer.linux.renameat2Sync(`/t${below}`, `/o${below}`, { exchange: true });
          spoil(peer.fs, "/o");
        },
        check: (found, where) => assert.equal(found, otherwise, `${where}, exchanged /t${below}`),
      });
    }
  });
}

/** What the flags of a mount forbid: to a call that has not crossed it with them. */
const FLAGS: readonly (readonly [code: string, mode: number, flags: MountOptions])[] = [
  ["EROFS", W_OK, { readonly: true }],
  ["EACCES", X_OK, { noexec: true }],
];

for (const [code, mode, flags] of FLAGS) {
  // Taken out: the mount sequence (finishRcu(), checkRcu()).
  test(`row 72: ${code} of the flags of a mount in rcu mode: of no mount that is not at the path`, async (t) => {
    const { vfs, fs, peer, walker } = await asUser(t);
    for (const dir of ["/m", "/o", "/p"]) fs.mkdirSync(dir);
    const umount = (at: string) => vfs.mounts().some(({ mountPoint }) => mountPoint === at) && vfs.umount(at);
    const call = (its: FsSync) => its.accessSync("/m/f", mode);
    const prepare = () => {
      for (const at of ["/m", "/o", "/p"]) {
        umount(at);
        if (at === "/p") continue;
        vfs.mount(null, at, "tmpfs");
        fs.writeFileSync(`${at}/f`, "");
        fs.chmodSync(`${at}/f`, 0o777);
      }
    };
    prepare();
    assert.equal(codeInRcu(walker, call), undefined);
    vfs.mount(null, "/m", "none", { remount: true, bind: true, ...flags });
    assert.equal(codeInRcu(walker, call), code, "rcu mode itself returns it");
    atEveryPoint(walker, {
      prepare,
      call,
      change() {
        // The other mount is at the path before this one has the flag: it is moved on top of it, and this one is reached by its own directory no more.
        peer.mount("/m", "/p", "none", { move: true });
        peer.mount("/o", "/m", "none", { move: true });
        peer.mount(null, "/p", "none", { remount: true, bind: true, ...flags });
      },
      // Between the two moves there is no mount at the path: the file is not there.
      check: (found, where) => assert.ok(found === undefined || found === "ENOENT", `${where}: ${found}`),
    });
  });
}
