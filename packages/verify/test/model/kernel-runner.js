/**
 * The kernel as a runner of the model's calls: node:fs in a temporary directory, with the credentials, working directory and
 * umask of the context that calls. Only the superuser can take others' credentials.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export const SELF = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groups: process.getgroups?.() ?? [],
};

/** A tmpfs where there is one. */
function tempBase() {
  try {
    fs.accessSync("/dev/shm", fs.constants.W_OK | fs.constants.X_OK);
    return "/dev/shm";
  } catch {
    return fs.realpathSync(os.tmpdir());
  }
}

const attributes = ({ ino, mode, nlink, uid, gid, size }) => ({ ino, mode, nlink, uid, gid, size });

/** Each call by node:fs; `fds` are the context's descriptors in the order of the model's numbers. */
const CALLS = {
  sysStat: (a) => attributes(a.nofollow ? fs.lstatSync(a.path) : fs.statSync(a.path)),
  sysAccess: (a) => void fs.accessSync(a.path, a.mode),
  sysReadlink: (a) => ({ path: fs.readlinkSync(a.path) }),
  sysRealpath: (a) => ({ path: fs.realpathSync.native(a.path) }),
  sysGetcwd: () => ({ path: process.cwd() }),
  sysMkdir: (a) => void fs.mkdirSync(a.path, a.mode),
  sysSymlink: (a) => void fs.symlinkSync(a.target, a.path2),
  sysLink: (a) => void fs.linkSync(a.path, a.path2),
  sysUnlink: (a) => void (a.removedir ? fs.rmdirSync(a.path) : fs.unlinkSync(a.path)),
  sysRename: (a) => void fs.renameSync(a.path, a.path2),
  sysFstat: (_a, fd) => attributes(fs.fstatSync(fd)),
  sysRead: (a, fd) => {
    const into = Buffer.alloc(a.n);
    return { data: into.toString("latin1", 0, fs.readSync(fd, into, 0, a.n, a.offset < 0 ? null : a.offset)) };
  },
  sysWrite: (a, fd) =>
    fs.writeSync(fd, Buffer.from(a.data, "latin1"), 0, a.data.length, a.offset < 0 ? null : a.offset),
  sysFtruncate: (a, fd) => void fs.ftruncateSync(fd, a.size),
  sysChmod: (a) => void fs.chmodSync(a.path, a.mode),
  sysFchmod: (a, fd) => void fs.fchmodSync(fd, a.mode),
  sysChown: (a) => void (a.nofollow ? fs.lchownSync : fs.chownSync)(a.path, a.uid, a.gid),
  sysFchown: (a, fd) => void fs.fchownSync(fd, a.uid, a.gid),
};

const codeOf = (error) => {
  if (error?.code === undefined) throw error;
  return error.code === "ENOTSUP" ? "EOPNOTSUPP" : error.code;
};

/** @param contexts the credentials; the first is this process's own. @param floor directories to start below */
export function openKernelRunner(contexts, floor) {
  const top = fs.mkdtempSync(path.join(tempBase(), "model-"));
  const before = { umask: process.umask(0), cwd: process.cwd() };
  const cwd = path.join(top, floor).replace(/\/$/, "");
  fs.mkdirSync(cwd, { recursive: true, mode: 0o777 });
  const directories = cwd
    .split("/")
    .map((_name, n, names) => names.slice(0, n + 1).join("/") || "/")
    .slice(1);
  for (const dir of directories) if (dir.startsWith(top)) fs.chmodSync(dir, 0o777);
  const states = contexts.map(() => ({
    cwd,
    handle: fs.openSync(cwd, fs.constants.O_DIRECTORY),
    umask: 0o022,
    fds: new Map(),
  }));

  function as(n, act) {
    const { uid, gid, groups } = contexts[n];
    process.umask(states[n].umask);
    if (n !== 0) {
      process.setgroups(groups);
      process.setegid(gid);
      process.seteuid(uid);
    }
    try {
      return act();
    } finally {
      if (n !== 0) {
        process.seteuid(SELF.uid);
        process.setegid(SELF.gid);
        process.setgroups(SELF.groups);
      }
    }
  }

  /** The working directory is entered by its descriptor, as it may have been moved, removed or closed to the caller. */
  function enter(state) {
    process.chdir(`/proc/self/fd/${state.handle}`);
  }

  function chdir(state, n, to) {
    as(n, () => process.chdir(to));
    const handle = fs.openSync(".", fs.constants.O_DIRECTORY);
    fs.closeSync(state.handle);
    state.handle = handle;
    return 0;
  }

  /** The model's descriptor numbers: the lowest free one from 3. */
  function open(state, n, { path: name, flags, mode }) {
    const real = as(n, () => fs.openSync(name, flags, mode));
    let fd = 3;
    while (state.fds.has(fd)) fd++;
    state.fds.set(fd, real);
    return fd;
  }

  function close(state, fd) {
    if (!state.fds.has(fd)) return "EBADF";
    fs.closeSync(state.fds.get(fd));
    state.fds.delete(fd);
    return 0;
  }

  function run({ call, ctx = 0, ...args }) {
    const state = states[ctx];
    try {
      enter(state);
      if (call === "sysChdir") return chdir(state, ctx, args.path);
      if (call === "sysUmask") {
        const old = state.umask;
        state.umask = args.mask;
        return old;
      }
      if (call === "sysOpen") return open(state, ctx, args);
      if (call === "sysClose") return close(state, args.fd);
      if ("fd" in args && !state.fds.has(args.fd)) return "EBADF";
      return as(ctx, () => CALLS[call](args, state.fds.get(args.fd))) ?? 0;
    } catch (error) {
      return codeOf(error);
    }
  }

  return {
    run,
    cwd,
    directories,
    /**
     * What only the process's own user can be asked for: access(2) asks with the real user, a hard link to another's file may
     * be refused by a setting of the machine, and realpath(3) is the C library's, which walks from "/". Nobody: to read
     * nothing, which node:fs answers by itself.
     */
    can: ({ call, ctx, n }) => n !== 0 && (ctx === 0 || !["sysAccess", "sysLink", "sysRealpath"].includes(call)),
    /** What both know: no times, and of directories no size. */
    comparable(_call, answer) {
      if (answer?.mode === undefined) return answer;
      const { ino, mode, nlink, uid, gid, size } = answer;
      return { ino, mode, nlink, uid, gid, ...((mode & 0o170000) === 0o040000 ? {} : { size }) };
    },
    /** Every entry below the working directory of the start, by lstat, link bodies and contents. */
    tree(runOn) {
      const found = {};
      const visit = (at) => {
        const stat = this.comparable(undefined, runOn({ call: "sysStat", path: at, nofollow: true, ctx: 0 }));
        found[at] = stat;
        for (const name of namesIn(at)) visit(`${at}/${name}`);
        if ((stat.mode & 0o170000) === 0o120000) found[at].body = runOn({ call: "sysReadlink", path: at, ctx: 0 });
      };
      visit(cwd);
      return found;
    },
    close() {
      process.chdir(before.cwd);
      for (const { fds, handle } of states) for (const fd of [handle, ...fds.values()]) fs.closeSync(fd);
      process.umask(before.umask);
      fs.rmSync(top, { recursive: true, force: true });
    },
  };

  function namesIn(at) {
    try {
      return fs.lstatSync(at).isDirectory() ? fs.readdirSync(at).sort() : [];
    } catch {
      return [];
    }
  }
}
