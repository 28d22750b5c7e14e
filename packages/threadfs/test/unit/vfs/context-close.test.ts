/**
 * A context that another thread closes in the middle of a call. The call goes on with the credentials that it began with, or
 * it fails with EBADF: it never acts as another user.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  type CoreExports,
  ERRNO,
  F_GETLK,
  F_RDLCK,
  LOCK_SH,
  MS_BIND,
  POINT,
  RESOLVE_IN_ROOT,
} from "../../../dist/abi/abi.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import type { Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { type HookedVfs, PointHooks, type TestScope } from "../../support/hooked-vfs.js";
import { putPath } from "../../support/raw-core.js";

const USER = { uid: 1000, gid: 1000, groups: [50] };

/** Points at which a thread may hold a spin lock, which closing the context would wait for. */
const UNDER_LOCKS: readonly number[] = [POINT.SEQ_OPENED, POINT.CHAIN_NEXT, POINT.COMPARED, POINT.NAME_READ];
const FIRST_OF_WRITERS = POINT.MOVE_BEGIN;

/** An attachment whose core's calls the test makes itself, with the context of its own choice. */
interface RawThread {
  readonly core: CoreExports;
  readonly hooks: PointHooks;
  path(text: string): number;
  path2(text: string): number;
}

function rawThread(t: TestScope, vfs: Vfs): RawThread {
  const hooks = new PointHooks();
  const attachment = Attachment.attach(vfs.handle, { point: hooks.point });
  t.after(() => attachment.close());
  return {
    core: attachment.core,
    hooks,
    path: (text) => putPath(attachment, text),
    path2: (text) => putPath(attachment, text, attachment.path2),
  };
}

/** What the calls of user 1000 are tried on: nothing here may change, and nothing may be read that is closed to the user. */
function fill({ fs }: Vfs): void {
  fs.writeFileSync("/file", "root's", { mode: 0o644 });
  fs.writeFileSync("/closed", "secret", { mode: 0o600 });
  fs.writeFileSync("/denied", "not for the group", { mode: 0o604 });
  fs.chownSync("/denied", 0, 50);
  fs.mkdirSync("/dir", 0o755);
  fs.mkdirSync("/dir/sub", 0o755);
  fs.symlinkSync("file", "/link");
}

/** The tree as root sees it: names, modes, owners, contents, but no times of access. */
function shown({ fs }: Vfs, dir = "/"): string[] {
  return fs.readdirSync(dir).flatMap((name) => {
    const path = dir === "/" ? `/${name}` : `${dir}/${name}`;
    const { mode, uid, gid, nlink, mtimeMs } = fs.lstatSync(path);
    const body = (mode & 0o170000) === 0o100000 ? fs.readFileSync(path, "latin1") : "";
    const line = [path, mode.toString(8), uid, gid, nlink, mtimeMs, body].join(" ");
    return [line, ...((mode & 0o170000) === 0o040000 ? shown(vfs(fs), path) : [])];
  });
}
const vfs = (fs: Vfs["fs"]): Vfs => ({ fs }) as Vfs;

type CallOf = (thread: RawThread, ctx: number, fd: number, dir: number) => number;

/** Every call of the core that takes a context, with arguments that user 1000 is refused, or that only read. */
const CALLS: Record<string, CallOf> = {
  sysChmod: ({ core, path }, c) => core.sysChmod(c, AT_FDCWD, path("/file"), 0o666, 0),
  sysChown: ({ core, path }, c) => core.sysChown(c, AT_FDCWD, path("/file"), 1000, 1000, 0),
  sysFchmod: ({ core }, c, fd) => core.sysFchmod(c, fd, 0o666),
  sysFchown: ({ core }, c, fd) => core.sysFchown(c, fd, 1000, 1000),
  sysFutimens: ({ core }, c, fd) => core.sysFutimens(c, fd, 1, 0, 2, 0),
  sysUtimens: ({ core, path }, c) => core.sysUtimens(c, AT_FDCWD, path("/file"), 1, 0, 2, 0, 0),
  sysSetacl: ({ core, path }, c) => core.sysSetacl(c, AT_FDCWD, path("/file"), 0, 0),
  sysGetacl: ({ core, path }, c) => core.sysGetacl(c, AT_FDCWD, path("/file"), 0),
  sysAccess: ({ core, path }, c) => core.sysAccess(c, AT_FDCWD, path("/file"), 2, 0),
  sysStat: ({ core, path }, c, _fd, dir) => core.sysStat(c, dir, path("sub/../sub"), 0),
  sysStatx: ({ core, path }, c, _fd, dir) => core.sysStatx(c, dir, path("sub/../sub"), 0),
  sysWalk: ({ core, path }, c, _fd, dir) => core.sysWalk(c, dir, path("sub/../sub"), 0, 2, 0),
  sysReadlink: ({ core, path }, c) => core.sysReadlink(c, AT_FDCWD, path("/link")),
  sysRealpath: ({ core, path }, c) => core.sysRealpath(c, AT_FDCWD, path("/link")),
  sysOpen: ({ core, path }, c) => core.sysOpen(c, AT_FDCWD, path("/closed"), 0, 0),
  sysOpenat2: ({ core, path }, c) => core.sysOpenat2(c, AT_FDCWD, path("/closed"), 0, 0, RESOLVE_IN_ROOT),
  sysOpenAny: ({ core, path }, c) => core.sysOpenAny(c, AT_FDCWD, path("/closed"), 0, 0),
  sysOpenTagged: ({ core, path }, c) => core.sysOpenTagged(c, AT_FDCWD, path("/closed"), 0, 0, RESOLVE_IN_ROOT, 1, 1),
  sysTruncate: ({ core, path }, c) => core.sysTruncate(c, AT_FDCWD, path("/file"), 0),
  sysFtruncate: ({ core }, c, fd) => core.sysFtruncate(c, fd, 0),
  sysMkdir: ({ core, path }, c) => core.sysMkdir(c, AT_FDCWD, path("/dir/new"), 0o777),
  sysMknod: ({ core, path }, c) => core.sysMknod(c, AT_FDCWD, path("/dir/new"), 0o666, 0),
  sysSymlink: ({ core, path, path2 }, c) => core.sysSymlink(c, path("x"), AT_FDCWD, path2("/dir/new")),
  sysLink: ({ core, path, path2 }, c) => core.sysLink(c, AT_FDCWD, path("/file"), AT_FDCWD, path2("/dir/new"), 0),
  sysUnlink: ({ core, path }, c) => core.sysUnlink(c, AT_FDCWD, path("/dir/sub"), AT_REMOVEDIR),
  sysRename: ({ core, path, path2 }, c) => core.sysRename(c, AT_FDCWD, path("/file"), AT_FDCWD, path2("/dir/file"), 0),
  sysRead: ({ core }, c, fd) => core.sysRead(c, fd, 0, 6),
  sysReadDirect: ({ core }, c, fd) => core.sysReadDirect(c, fd, 0, 6),
  sysReadFile: ({ core, path }, c) => core.sysReadFile(c, AT_FDCWD, path("/closed"), 4096),
  sysWrite: ({ core }, c, fd) => core.sysWrite(c, fd, 0, 6),
  sysScandir: ({ core, path }, c) => core.sysScandir(c, AT_FDCWD, path("/dir")),
  sysWriteFile: ({ core, path }, c) => core.sysWriteFile(c, AT_FDCWD, path("/dir/new"), 0, 0o666, 6),
  sysLseek: ({ core }, c, fd) => core.sysLseek(c, fd, 0, 0),
  sysGetdents: ({ core }, c, _fd, dir) => core.sysGetdents(c, dir, 4096, -1),
  sysFsync: ({ core }, c, fd) => core.sysFsync(c, fd),
  sysFileFlags: ({ core }, c, fd) => core.sysFileFlags(c, fd, -1),
  sysPoll: ({ core }, c, fd) => core.sysPoll(c, fd, 1),
  sysFstat: ({ core }, c, fd) => core.sysFstat(c, fd),
  sysFallocate: ({ core }, c, fd) => core.sysFallocate(c, fd, 0, 0, 100),
  sysCopyFileRange: ({ core }, c, fd) => core.sysCopyFileRange(c, fd, 0, fd, 3, 2),
  sysSetxattr: ({ core, path, path2 }, c) => core.sysSetxattr(c, AT_FDCWD, path("/file"), path2("user.name"), 1, 0, 0),
  sysGetxattr: ({ core, path, path2 }, c) => core.sysGetxattr(c, AT_FDCWD, path("/file"), path2("user.name"), 0),
  sysListxattr: ({ core, path }, c) => core.sysListxattr(c, AT_FDCWD, path("/file"), 0),
  sysRemovexattr: ({ core, path, path2 }, c) => core.sysRemovexattr(c, AT_FDCWD, path("/file"), path2("user.name"), 0),
  sysFlock: ({ core }, c, fd) => core.sysFlock(c, fd, LOCK_SH),
  sysFcntlLock: ({ core }, c, fd) => core.sysFcntlLock(c, fd, F_GETLK, F_RDLCK, 0, 0, 0),
  lockRequest: ({ core }, c, fd) => core.lockRequest(c, fd, LOCK_SH),
  lockRequestRange: ({ core }, c, fd) => core.lockRequestRange(c, fd, F_GETLK, F_RDLCK, 0, 0, 0),
  lockRetry: ({ core }, c) => core.lockRetry(c, 1),
  sysPipe: ({ core }, c) => core.sysPipe(c, 0),
  sysPipeSize: ({ core }, c, fd) => core.sysPipeSize(c, fd, 4096),
  sysFifoWait: ({ core }, c, fd) => core.sysFifoWait(c, fd),
  sysFifoCancel: ({ core }, c, fd) => core.sysFifoCancel(c, fd),
  sysClose: ({ core }, c, fd) => core.sysClose(c, fd),
  sysCloseTagged: ({ core, path }, c) => {
    core.sysOpenTagged(c, AT_FDCWD, path("/file"), 0, 0, 0, 1, 2);
    return core.sysCloseTagged(c, 1, 2);
  },
  sysChdir: ({ core, path }, c) => core.sysChdir(c, AT_FDCWD, path("/dir")),
  sysChroot: ({ core, path }, c) => core.sysChroot(c, AT_FDCWD, path("/dir")),
  sysGetcwd: ({ core }, c) => core.sysGetcwd(c),
  sysUmask: ({ core }, c) => core.sysUmask(c, 0),
  sysMount: ({ core, path, path2 }, c) => core.sysMount(c, path("/dir"), path2("/dir/sub"), MS_BIND),
  sysMountNew: ({ core, path }, c) => core.sysMountNew(c, path("/dir"), 0, 0, 0, 0, 0),
  sysMounts: ({ core }, c) => core.sysMounts(c, 0),
  sysPivotRoot: ({ core, path, path2 }, c) => core.sysPivotRoot(c, path("/dir"), path2("/dir/sub")),
  sysStatfs: ({ core, path }, c) => core.sysStatfs(c, AT_FDCWD, path("/dir")),
  sysRemount: ({ core, path }, c) => core.sysRemount(c, path("/"), 1 << 20, -1, 0, 0),
  sysInvalidate: ({ core, path }, c) => core.sysInvalidate(c, path("/")),
  sysUmount: ({ core, path }, c) => core.sysUmount(c, path("/"), 2),
  contextCreate: ({ core }, c) => core.contextCreate(c, 0, 0, 0, 0, -1, 0, 0),
  contextDestroy: ({ core }, c) => core.contextDestroy(c),
  contextKeep: ({ core }, c) => core.contextKeep(c),
  contextAttach: ({ core }, c) => core.contextAttach(c, 0),
  contextList: ({ core }, c) => core.contextList(c, 0),
  contextClose: ({ core }, c) => core.contextClose(c, 0),
  driverRegister: ({ core, path }, c) => core.driverRegister(c, path("new"), 0, 0),
  driverUnregister: ({ core }, c) => core.driverUnregister(c, 1),
  shrink: ({ core }, c) => core.shrink(c, 10),
  threadDied: ({ core }, c) => core.threadDied(c, 0),
  arenaCopy: ({ core }, c) => core.arenaCopy(c, 0),
  changesFollow: ({ core }, c) => core.changesFollow(c, 1),
};

test("the calls of this test are all calls that take a context", () => {
  const text = readFileSync(new URL("../../../dist/generated/core-exports.d.ts", import.meta.url), "utf8");
  const taking = [...text.matchAll(/^ {4}(\w+)\((?:ctx|from): number/gm)].map(([, name]) => name);
  assert.ok(taking.length > 40, `${taking.length} calls`);
  assert.deepEqual(Object.keys(CALLS).sort(), taking.sort());
});

/** Makes one call with the context closed at the n-th passing of a point, and the place in the table taken by root. */
function closedInside(tree: HookedVfs, thread: RawThread, call: CallOf, id: number, nth: number): number | undefined {
  const user = tree.context(USER);
  const fd = user.fs.openSync("/file", "r");
  const dir = user.fs.openSync("/dir", "r");
  const made: { close(): void }[] = [];
  thread.hooks.at(
    id,
    () => {
      user.close();
      made.push(tree.context({ umask: 0 }));
    },
    nth,
  );
  const result = call(thread, user.handle.ctx, fd, dir);
  const happened = !thread.hooks.waits(id);
  thread.hooks.never();
  user.close();
  for (const context of made) context.close();
  return happened ? result : undefined;
}

for (const [name, call] of Object.entries(CALLS)) {
  // Fails for the calls by descriptor when they look the context up a second time, and a null context reads as uid 0.
  test(`${name}: a context closed inside the call gives EBADF or the result of its own credentials`, async (t) => {
    const { vfs: root } = await treeFor(t);
    fill(root);
    const before = shown(root);
    for (const ref of [0, 1]) {
      const thread = rawThread(t, root);
      thread.core.walkMode(ref);
      const user = root.context(USER);
      const [fd, dir] = [user.fs.openSync("/file", "r"), user.fs.openSync("/dir", "r")];
      let alone = 0;
      const passed = thread.hooks.points(() => {
        alone = call(thread, user.handle.ctx, fd, dir);
      });
      user.close();
      const right = new Set([alone, -ERRNO.EBADF, ...(name === "contextDestroy" ? [-ERRNO.ENODEV] : [])]);
      const times = new Map<number, number>();
      const open = passed.filter(([id]) => id < FIRST_OF_WRITERS && !UNDER_LOCKS.includes(id));
      for (const [id] of open) times.set(id, (times.get(id) ?? 0) + 1);
      for (const [id, count] of times) {
        for (let nth = 1; nth <= count; nth++) {
          const result = closedInside(root, thread, call, id, nth);
          if (result === undefined) continue;
          assert.ok(right.has(result), `${result} instead of ${alone} at passing ${nth} of point ${id}, ref ${ref}`);
          assert.deepEqual(shown(root), before, `at passing ${nth} of point ${id}`);
        }
      }
      // A lock's request is found by its own number.
      if (name !== "contextAttach" && name !== "lockRetry") assert.ok(passed.length > 0, "the call passes a point");
    }
  });
}

// Fails when the end of a context clears its groups while a call still checks them: the group class then no longer applies.
test("a member of a group that is denied stays a member until the call ends", async (t) => {
  const { vfs: root } = await treeFor(t);
  fill(root);
  const thread = rawThread(t, root);
  for (const id of [POINT.START_READ, POINT.FOUND, POINT.COMPLETE, POINT.DROPPED]) {
    for (const ref of [0, 1]) {
      thread.core.walkMode(ref);
      const user = root.context(USER);
      thread.hooks.at(id, () => user.close());
      const result = thread.core.sysAccess(user.handle.ctx, AT_FDCWD, thread.path("/denied"), 4, 0);
      thread.hooks.never();
      user.close();
      assert.ok(result === -ERRNO.EACCES || result === -ERRNO.EBADF, `${result} at point ${id}`);
    }
  }
});

test("a number of no context is refused by every call, whatever the number", async (t) => {
  const { vfs: root } = await treeFor(t);
  fill(root);
  const before = shown(root);
  const thread = rawThread(t, root);
  const gone = root.context(USER);
  const stale = gone.handle.ctx;
  gone.close();
  const numbers = [stale, 1, 1023, 1024, 0.5, -1, -1024, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 53, 1e300];
  for (const [name, call] of Object.entries(CALLS)) {
    for (const number of [...numbers, Number.NaN, Number.POSITIVE_INFINITY]) {
      const refusal = name === "lockRetry" ? -ERRNO.EINVAL : -ERRNO.EBADF;
      assert.equal(call(thread, number, 3, 4), refusal, `${name}(${number})`);
    }
  }
  assert.deepEqual(shown(root), before);
  assert.ok(defined(root.contexts()[0], "context").ctx === 0);
});
