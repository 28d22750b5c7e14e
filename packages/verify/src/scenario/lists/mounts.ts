/**
 * The operations on the tree of mounts with flags: remounts beside calls that write, follow links and look up; recursive binds, moves and
 * umounts of mounts on mounts; the list of mounts.
 */
import { MNT_DETACH, MNT_EXPIRE, O_CREAT, O_RDWR, O_WRONLY } from "../../../../threadfs/dist/abi/abi.js";
import type { ProgramCall } from "../../model/call.js";
import {
  access,
  chdir,
  chroot,
  close,
  exchange,
  getcwd,
  readlink,
  rename,
  rmdir,
  stat,
  umount,
  unlink,
  write,
} from "../calls.js";
import { bind, mkdir, mount, open, propagate } from "../setup-calls.js";

type Entry = ProgramCall | ProgramCall[];

const list: ProgramCall = { call: "sysMounts" };
const readonly = (path: string, readonly: boolean, bind = true): ProgramCall => ({
  ...{ call: "sysRemount", path, readonly, bind },
});
const rbind = (path: string, path2: string): ProgramCall => ({
  ...{ call: "sysMount", path, path2, bind: true, recursive: true },
});

/** "/m" is a file system, "/m/s" another, "/b" the first again; descriptor 3 is of "/m/f", for reading. */
const FLAGGED: Record<string, Entry[]> = {
  /** Nothing appears in what a thread has made read-only. */
  freeze: [[readonly("/m", true), stat("/m/x")], [readonly("/m", true, false), stat("/m/x")], readonly("/m/s", true)],
  thaw: [
    [readonly("/m", true), readonly("/m", false)],
    [readonly("/m", true, false), readonly("/m", false, false)],
  ],
  flags: [
    { call: "sysRemount", path: "/m", nosymfollow: true, noexec: true, bind: true },
    { call: "sysRemount", path: "/m", strictatime: true, bind: true },
  ],
  write: [
    mkdir("/m/x"),
    open("/m/x", O_CREAT | O_WRONLY),
    [open("/m/f", O_RDWR), write(4, "more"), close(4)],
    unlink("/m/f"),
    rename("/m/f", "/m/x"),
    mkdir("/b/x"),
    access("/m/f", 2),
  ],
  follow: [stat("/m/l"), readlink("/m/l"), access("/m/f", 1)],
  stat: [stat("/m/s/g"), stat("/n/s/g"), stat("/m/s/.."), stat("/b/s/g")],
  rbind: [rbind("/m", "/n"), rbind("/m/s", "/n"), rbind("/m", "/m/s")],
  bind: [bind("/m", "/n")],
  move: [
    { call: "sysMount", path: "/m", path2: "/n", move: true },
    { call: "sysMount", path: "/m", path2: "/m/s", move: true },
  ],
  mount: [mount("/n"), mount("/m/s")],
  umount: [umount("/m/s"), umount("/m", MNT_DETACH), umount("/b")],
  expire: [umount("/m/s", MNT_EXPIRE), [umount("/m/s", MNT_EXPIRE), umount("/m/s", MNT_EXPIRE)]],
  list: [list, [list, list]],
};

const pivot = (path: string, path2: string): ProgramCall => ({ call: "sysPivotRoot", path, path2, ctx: 1 });
const ofUser = (path: string): ProgramCall => stat(path, { ctx: 1 });

/** Context 1 has its root and its working directory in "/m", a file system with another at "/m/d". */
const PIVOTED: Record<string, Entry[]> = {
  pivot: [pivot("/d", "/d/p"), pivot("/d", "/d"), [pivot("/d", "/d/p"), ofUser("/g")]],
  stat: [ofUser("/f"), ofUser("/g"), ofUser("/d/g"), ofUser("f"), ofUser("d/.."), ofUser("/p/f"), stat("/m/g")],
  open: [{ ...open("/d/g", O_RDWR), ctx: 1 }],
  getcwd: [getcwd(1)],
  place: [chroot("/d", 1), chdir("/d", 1)],
  mount: [mount("/m/d/p"), mount("/m")],
  umount: [umount("/m/d"), umount("/m", MNT_DETACH)],
  move: [{ call: "sysMount", path: "/m", path2: "/n", move: true }],
  remove: [rename("/m/d/p", "/m/d/q"), { call: "sysUnlink", path: "/m/d/p", removedir: true }],
  list: [{ ...list, ctx: 1 }],
};

/** "/m" and "/p" are peers, "/s" is a slave of them and shared, "/t" a slave of "/s"; at "d" of each is a mount of the same file system, at "/u" another one. */
const SHARED: Record<string, Entry[]> = {
  mount: [mount("/m/e"), mount("/s/e"), mount("/m/d"), mount("/p")],
  bind: [bind("/u", "/m/e"), bind("/m", "/m/e"), rbind("/m", "/u")],
  move: [
    { call: "sysMount", path: "/u", path2: "/p/e", move: true },
    { call: "sysMount", path: "/m/d", path2: "/u", move: true },
    { call: "sysMount", path: "/s", path2: "/u", move: true },
  ],
  share: [
    propagate("/m", "private"),
    propagate("/p", "slave"),
    propagate("/s", "private", true),
    propagate("/u", "shared"),
    propagate("/m", "unbindable"),
    propagate("/t", "shared", true),
  ],
  umount: [
    umount("/m/d"),
    umount("/s/d"),
    umount("/p/d", MNT_DETACH),
    umount("/m", MNT_DETACH),
    [umount("/p/d", MNT_EXPIRE), umount("/p/d", MNT_EXPIRE)],
  ],
  stat: [stat("/m/d/g"), stat("/t/d/g"), stat("/p/e"), stat("/p/d/.."), [stat("/m/d/g"), stat("/t/d/g")]],
  open: [open("/s/d/g", O_RDWR), open("/t/d/x", O_CREAT | O_WRONLY)],
  list: [list],
};

const inOwn = <C extends ProgramCall>(call: C): C => ({ ...call, ctx: 1 });
const destroy = (ctx: number): ProgramCall => ({ call: "contextDestroy", ctx });

/** Two namespaces, of context 0 and of contexts 1 and 2. */
const NAMESPACES: Record<string, Entry[]> = {
  mount: [mount("/m/e"), mount("/p/n"), mount("/p"), bind("/p", "/m/e")],
  mountOwn: [
    inOwn(mount("/m/e")),
    inOwn(mount("/m/d")),
    inOwn(bind("/p", "/m/e")),
    inOwn(mount("/m")),
    inOwn(mount("/p/n")),
  ],
  umount: [umount("/m/d"), umount("/p"), umount("/m", MNT_DETACH)],
  umountOwn: [
    inOwn(umount("/m/d")),
    inOwn(umount("/p/n")),
    inOwn(umount("/m", MNT_DETACH)),
    inOwn(umount("/p", MNT_DETACH)),
  ],
  share: [propagate("/m", "private"), inOwn(propagate("/m", "slave")), inOwn(propagate("/p", "shared", true))],
  stat: [stat("/m/d/g"), stat("/p/n"), stat("/m/e")],
  statOwn: [inOwn(stat("/m/d/g")), inOwn(stat("/p/n/..")), inOwn(stat("n/../f")), inOwn(stat("/m/e"))],
  /** What contexts 1 and 2 have a mount on, and what both namespaces have one on. */
  remove: [rmdir("/p/n"), [rmdir("/p/n"), mkdir("/p/n")], rmdir("/m/d")],
  replace: [[mkdir("/p/x"), rename("/p/x", "/p/n")], rename("/p/n", "/p/x"), exchange("/p/n", "/p/f")],
  removeOwn: [inOwn(rmdir("/p/n"))],
  openOwn: [inOwn(open("/m/d/g", O_RDWR)), inOwn(mkdir("/p/n/x"))],
  list: [list, inOwn(list)],
  /** A copy of each namespace, and a context that shares one. */
  create: [
    { call: "contextCreate", uid: 0, gid: 0, mounts: "own" },
    inOwn({ call: "contextCreate", uid: 0, gid: 0, mounts: "own" }),
    { call: "contextCreate", uid: 0, gid: 0, ctx: 2 },
  ],
  destroy: [[destroy(1), destroy(2)], destroy(2)],
};

export const MOUNTED = { flagged: FLAGGED, pivots: PIVOTED, shared: SHARED, namespaces: NAMESPACES };
