/** Programs of Linux's calls on the running kernel: a process of Python, which has them or can call the C library, in a directory on tmpfs. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Result, Step } from "./steps.js";

/** Runs each program of a list in a directory "w" of its own, and writes the results of its steps: as steps.ts has them. */
const PROGRAM = `
import ctypes, errno, fcntl, hashlib, itertools, json, os, re, stat, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
long = ctypes.c_int64
fds = []

def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
    return result

def fd(n): return fds[n] if n < len(fds) and fds[n] >= 0 else 9999
def at(n): return AT_FDCWD if n is None else fd(n)
def raw(path): return path.encode()

def open_at(dir, path, flags, mode):
    fds.append(checked(libc.openat(at(dir), raw(path), flags, mode)))
    return len(fds) - 1

def close(n):
    os.close(fd(n))
    fds[n] = -1

def pipe(flags):
    fds.extend(os.pipe2(flags))
    return len(fds) - 2

def taken(data):
    "Bytes as runs of one byte."
    return [[chr(byte), len(list(run))] for byte, run in itertools.groupby(data)]

class OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]

SYS_OPENAT2 = 437

def openat2(dir, path, flags, mode, resolve):
    how = OpenHow(flags, mode, resolve)
    # Behind a ".." any rename on the machine makes it EAGAIN, which asks for the call once more. RESOLVE_CACHED means what it says.
    for _ in range(1000):
        got = libc.syscall(SYS_OPENAT2, at(dir), ctypes.c_char_p(raw(path)), ctypes.byref(how), ctypes.sizeof(how))
        if got >= 0 or ctypes.get_errno() != errno.EAGAIN or resolve & 0x20: break
    fds.append(checked(got))
    return len(fds) - 1

def where(n):
    "What a descriptor is of: a directory has a file with its name."
    mode = os.fstat(fd(n)).st_mode
    if stat.S_ISLNK(mode): return ["link"]
    if not stat.S_ISDIR(mode): return ["file", os.fstat(fd(n)).st_size]
    try:
        inner = os.open("here", os.O_RDONLY, dir_fd=fd(n))
    except OSError: return ["directory"]
    try: return ["directory", os.read(inner, 100).decode()]
    finally: os.close(inner)

def opened(dir, path, flags, mode, resolve):
    n = openat2(dir, path, flags, mode, resolve)
    try: return where(n)
    finally: close(n)

def statx(path, follow, mask):
    "What is told of a file; the buffer is struct statx. Kernels differ about times of change that are not asked for (0xc0)."
    buffer = ctypes.create_string_buffer(256)
    checked(libc.statx(AT_FDCWD, raw(path), 0 if follow else 0x100, ctypes.c_uint(mask), buffer))
    got, _, attributes, nlink, uid, gid, mode = struct.unpack_from("=IIQIIIH", buffer)
    _, size, blocks = struct.unpack_from("=QQQ", buffer, 32)
    made = got & 0x800 != 0 and struct.unpack_from("=q", buffer, 80)[0] > 0
    counted = [] if stat.S_ISDIR(mode) else [size, blocks]
    mount = struct.unpack_from("=Q", buffer, 144)[0]
    return [got & 0x5f3f, mount == mount_id(path, follow) if got & 0x1000 else None, attributes & 0x2000, nlink, uid, gid, mode, *counted, made]

def statfs_flags(path, options):
    "The flags of a tmpfs that is mounted so. Without ST_VALID."
    run_mount = lambda *args: checked(libc.mount(*args))
    bits = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "strictatime": 1 << 24, "nosymfollow": 256}
    flags = sum(bits[option] for option in options.split(",") if option)
    run_mount(b"none", raw(path), b"tmpfs", ctypes.c_ulong(flags), None)
    try: return os.statvfs(path).f_flag & ~0x20
    finally: checked(libc.umount2(raw(path), 0))

def mount_id(path, follow):
    "The number of a path's mount, as proc(5) has it."
    n = os.open(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
    try: return int(re.search(r"^mnt_id:[^0-9]*([0-9]+)", open("/proc/self/fdinfo/%d" % n).read(), re.M)[1])
    finally: os.close(n)

def shown(s):
    return [s.st_mode, s.st_nlink, 0 if stat.S_ISDIR(s.st_mode) else s.st_size]

IN_EVENTS = {0x2: "modify", 0x4: "attrib", 0x40: "moved_from", 0x80: "moved_to", 0x100: "create", 0x200: "delete"}
IN_ISDIR, IN_NONBLOCK = 0x40000000, 0o4000
followed = []

def follow(*dirs):
    "Watches directories by inotify(7)."
    if followed: os.close(followed[0])
    inotify = checked(libc.inotify_init1(IN_NONBLOCK))
    followed[:] = [inotify, *[checked(libc.inotify_add_watch(inotify, raw(path), sum(IN_EVENTS))) for path in dirs]]

def changes():
    "The events of names since the last call: the directory, the type, the name, which rename, whether it is a directory."
    found, cookies = [], {}
    while True:
        try: data = os.read(followed[0], 65536)
        except BlockingIOError: return found
        while data:
            wd, mask, cookie, size = struct.unpack("iIII", data[:16])
            name = data[16:16 + size].rstrip(b"\\0").decode()
            data = data[16 + size:]
            event = [followed.index(wd) - 1, IN_EVENTS.get(mask & 0xfff), name, cookies.setdefault(cookie, len(cookies)) if cookie else -1, mask & IN_ISDIR != 0]
            if name and (not found or found[-1] != event): found.append(event)

def put_file(path, text):
    with open(path, "w") as file: file.write(text)

def tree(path="."):
    found = []
    for name in sorted(os.listdir(path)):
        below = name if path == "." else path + "/" + name
        found.append([below, *shown(os.lstat(below))])
        if stat.S_ISDIR(os.lstat(below).st_mode): found += tree(below)
    return found

def removed(dir, path, flags):
    return checked(libc.unlinkat(at(dir), raw(path), flags))

def changed(n, what, *args):
    "The names of the times that a call changes."
    os.utime(fd(n), (1000, 1000))
    before = os.fstat(fd(n))
    time.sleep(0.005)
    result = run([what, *args])
    after = os.fstat(fd(n))
    names = ["atime", "mtime", "ctime"]
    return [result, *[name for name in names if getattr(before, "st_" + name) != getattr(after, "st_" + name)]]

def become(user):
    os.seteuid(0)
    os.setgroups([])
    os.setegid(user)
    os.seteuid(user)

MS_REMOUNT = 32
def mounted(path, flags, size, inodes):
    named = [name + "=" + str(n) for name, n in [("size", size), ("nr_inodes", inodes)] if n is not None]
    return checked(libc.mount(b"none", raw(path), b"tmpfs", flags, raw(",".join(named))))

def mount(source, path, flags, data=None):
    return checked(libc.mount(source and raw(source), raw(path), b"tmpfs", ctypes.c_ulong(flags), data))

def pivot(root, new, put):
    "pivot_root(2) of a process that has its root in a directory."
    child = os.fork()
    if child == 0:
        try:
            os.chroot(root)
            os.chdir("/")
            checked(libc.syscall(155 if os.uname().machine == "x86_64" else 41, raw(new), raw(put)))
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    error = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if error != 0: raise OSError(error, "")

CLONE_NEWNS = 0x20000
# Of each namespace of mounts of a program, the first one's own: descriptors of it and of the working directory in it, None if it has ended; and which is the present one.
spaces = []
space = 0

def present():
    return os.open("/proc/self/ns/mnt", os.O_RDONLY), os.open(".", os.O_PATH)

def unshare():
    "A copy of the present namespace, in which the program goes on."
    global space
    if not spaces: spaces.append(present())
    checked(libc.unshare(CLONE_NEWNS))
    spaces.append(present())
    space = len(spaces) - 1

def enter(n):
    global space
    if n == space: return
    checked(libc.setns(spaces[n][0], CLONE_NEWNS))
    os.fchdir(spaces[n][1])
    space = n

def end_space(n):
    for open_fd in spaces[n]: os.close(open_fd)
    spaces[n] = None

def all_mounts():
    "Of each namespace."
    at = space
    found = []
    for n in [n for n, open_fds in enumerate(spaces) if open_fds] or [at]:
        enter(n)
        found.append(mounts())
    enter(at)
    return found

def fresh():
    "A file system of its own as the working directory."
    mount("none", ".", 0, b"mode=755")
    os.chdir(os.getcwd())

def mounts():
    "The mounts in the working directory: where, on what, root, options, propagation, type, source, whether the file system is read-only."
    top = os.getcwd()
    lines = {line.split()[0]: line.split() for line in open("/proc/self/mountinfo")}
    place_of = lambda line: line[4][len(top):]
    def way_to(line):
        on = lines.get(line[1])
        above = on is None or not (on[4] + "/").startswith(top + "/")
        return place_of(line) if above else way_to(on) + " " + place_of(line)
    numbers = {}
    def renumbered(field):
        name, colon, number = field.partition(":")
        return name + (":" + str(numbers.setdefault(number, len(numbers) + 1)) if colon else "")
    found = []
    for line in sorted(lines.values(), key=way_to):
        if line[4] != top and not line[4].startswith(top + "/"): continue
        end = line.index("-")
        on = place_of(lines[line[1]]) if line[4] != top else ""
        shared = " ".join(renumbered(field) for field in line[6:end])
        found.append([place_of(line), on, line[3], line[5], shared, line[end + 1], line[end + 2], line[end + 3].split(",")[0]])
    return found

def touched(path, atime):
    "Whether reading a file, a directory or a link changes its time of access."
    os.utime(path, (atime, 1000), follow_symlinks=False)
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode): os.readlink(path)
    elif stat.S_ISDIR(mode): os.listdir(path)
    else:
        with open(path, "rb", buffering=0) as file: file.read(1)
    return 1 if int(os.lstat(path).st_atime) != atime else 0

def room(path):
    s = os.statvfs(path)
    return [s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree]

CALLS = {
    "mount": lambda path, size, inodes: mounted(path, 0, size, inodes),
    "remount": lambda path, size, inodes: mounted(path, MS_REMOUNT, size, inodes),
    "fresh": fresh,
    "mnt": mount,
    "pivot": pivot,
    "unshare": unshare,
    "enter": enter,
    "endspace": end_space,
    "allmounts": all_mounts,
    "umount2": lambda path, flags: checked(libc.umount2(raw(path), flags)),
    "mounts": mounts,
    "touched": touched,
    "chdir": os.chdir,
    "statfs": room,
    "umask": os.umask,
    "chown": lambda path, uid, gid: os.chown(path, uid, gid),
    "lchown": lambda path, uid, gid: os.lchown(path, uid, gid),
    "make": lambda path, mode: os.mkdir(path, mode),
    "access": lambda path, mode: 0 if os.access(path, mode, effective_ids=True) else 1,
    "setbytes": lambda file, name, value, how, follow: os.setxattr(file, name, bytes.fromhex(value), how, follow_symlinks=follow == 1),
    "getbytes": lambda file, name, follow: os.getxattr(file, name, follow_symlinks=follow == 1).hex(),
    "lblocks": lambda path: os.lstat(path).st_blocks,
    "open": open_at,
    "openat2": openat2,
    "statx": statx,
    "mntflags": statfs_flags,
    "rename": lambda path, to: os.rename(path, to),
    "opened": opened,
    "where": where,
    "chdir": lambda path: os.chdir(path),
    "put_file": lambda path, text: put_file(path, text),
    "close": close,
    "mkdir": lambda dir, path: checked(libc.mkdirat(at(dir), raw(path), 0o755)),
    "symlink": lambda target, dir, path: checked(libc.symlinkat(raw(target), at(dir), raw(path))),
    "unlink": lambda dir, path: removed(dir, path, 0),
    "rmdir": lambda dir, path: removed(dir, path, 0x200),
    "stat": lambda dir, path: shown(os.stat(path, dir_fd=at(dir), follow_symlinks=False)),
    "fstat": lambda n: shown(os.fstat(fd(n))),
    "list": lambda dir, path: sorted(os.listdir(os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at(dir)))),
    "write": lambda n, text: os.write(fd(n), text.encode()),
    "renameat2": lambda a, old, b, new, flags: checked(libc.renameat2(at(a), raw(old), at(b), raw(new), flags)),
    "linkat": lambda a, old, b, new, flags: checked(libc.linkat(at(a), raw(old), at(b), raw(new), flags)),
    "linkfd": lambda n, b, new: checked(libc.linkat(fd(n), b"", at(b), raw(new), AT_EMPTY_PATH)),
    "tree": tree,
    "mknod": lambda dir, path, mode: os.mknod(path, mode, dir_fd=at(dir)),
    "mkfifo": lambda dir, path, mode: os.mkfifo(path, mode, dir_fd=at(dir)),
    "pipe": pipe,
    "put": lambda n, text, count: os.write(fd(n), text.encode() * count),
    "putv": lambda n, text, *counts: os.writev(fd(n), [text.encode() * count for count in counts]),
    "take": lambda n, count: taken(os.read(fd(n), count)),
    "pread": lambda n, count, offset: taken(os.pread(fd(n), count, offset)),
    "fsync": lambda n: os.fsync(fd(n)),
    "pipesize": lambda n: fcntl.fcntl(fd(n), 1032),
    "resize": lambda n, size: fcntl.fcntl(fd(n), 1031, size),
    "truncate": lambda n, size: os.ftruncate(fd(n), size),
    "pwrite": lambda n, text, offset: os.pwrite(fd(n), text.encode(), offset),
    "blocks": lambda n: os.fstat(fd(n)).st_blocks,
    "digest": lambda n: hashlib.sha1(os.pread(fd(n), 1 << 22, 0)).hexdigest(),
    "fallocate": lambda n, mode, offset, length: checked(libc.fallocate(fd(n), mode, long(offset), long(length))),
    "lseek": lambda n, offset, whence: os.lseek(fd(n), offset, whence),
    "copy": lambda a, at, b, to, n: os.copy_file_range(fd(a), fd(b), n, at, to),
    "times": changed,
    "chmod": lambda path, mode: os.chmod(path, mode),
    "follow": follow,
    "changes": changes,
    "as": become,
    "setxattr": lambda file, name, value, how, follow: os.setxattr(file, name, value.encode(), how, follow_symlinks=follow == 1),
    "getxattr": lambda file, name, follow: os.getxattr(file, name, follow_symlinks=follow == 1).decode(),
    "listxattr": lambda file, follow: sorted(os.listxattr(file, follow_symlinks=follow == 1)),
    "removexattr": lambda file, name, follow: os.removexattr(file, name, follow_symlinks=follow == 1),
    "fsetxattr": lambda n, name, value, how: os.setxattr(fd(n), name, value.encode(), how),
    "fgetxattr": lambda n, name: os.getxattr(fd(n), name).decode(),
    "flistxattr": lambda n: sorted(os.listxattr(fd(n))),
    "fremovexattr": lambda n, name: os.removexattr(fd(n), name),
}

def run(step):
    try:
        result = CALLS[step[0]](*step[1:])
        return 0 if result is None else result
    except OSError as error:
        # Linux has two names for one number.
        return "ENOTSUP" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno]

os.umask(0o022)
top = os.getcwd()
results = []
for n, program in enumerate(json.load(sys.stdin)):
    os.makedirs(str(n) + "/w")
    os.chdir(str(n) + "/w")
    results.append([run(step) for step in program])
    os.umask(0o022)
    become(0)
    enter(0)
    for n in [n for n, open_fds in enumerate(spaces) if open_fds]: end_space(n)
    spaces.clear()
    os.chdir(top)
    for open_fd in fds:
        if open_fd >= 0: os.close(open_fd)
    fds.clear()
print(json.dumps(results))
`;

/** tmpfs, where there is one. */
const SHM = "/dev/shm";

/** Why the kernel cannot be asked here; undefined: it can. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== "linux") return "only Linux is the oracle";
  if (!existsSync(SHM)) return `there is no ${SHM}`;
  if (process.getuid?.() !== 0) return "only the superuser can be compared with the tree's";
  const found = spawnSync("python3", ["-c", "import ctypes, os; ctypes.CDLL(None).renameat2; os.memfd_create"]);
  return found.status === 0 ? undefined : "there is no python3";
}

/** A namespace for what a program mounts. */
const NAMESPACE = ["--mount", "--propagation", "private", "python3"] as const;

/** The results of programs. */
export function runOnKernel(programs: readonly (readonly Step[])[]): Result[][] {
  const cwd = mkdtempSync(join(existsSync(SHM) ? SHM : tmpdir(), "linux-"));
  try {
    const done = spawnSync("unshare", [...NAMESPACE, "-c", PROGRAM], {
      cwd,
      input: JSON.stringify(programs),
      maxBuffer: 1 << 28,
    });
    if (done.status !== 0) throw new Error(`the kernel's process: ${done.stderr}`);
    return JSON.parse(done.stdout.toString());
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
