/** Magic links of a driver: /dev/fd of a tree, held against /proc/self/fd of the kernel (proc(5), path_resolution(7)). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { S_IFDIR, S_IFLNK } from "../../../dist/abi/abi.js";
import { type Driver, type FsSync, OPEN_FLAGS, type ResolveFlag, type Vfs } from "../../../dist/src/index.js";
import { whyNoKernel } from "../../conformance/linux/kernel.js";
import { counted, gauges } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

/** A directory with a link for each descriptor: node n + 2 is descriptor n. */
function descriptors(calls: string[] = []): Driver {
  return {
    name: "descriptors",
    root: () => ({ ino: 1, mode: S_IFDIR | 0o555 }),
    lookup: (_dir, name) => (/^\d+$/.test(name) ? { ino: Number(name) + 2, mode: S_IFLNK | 0o777 } : null),
    readlink: (node) => node - 2,
    putLink: () => calls.push("putLink"),
  };
}

/** A file system with links for its descriptors: where they are, and a directory to work in. */
interface Place {
  readonly fs: FsSync;
  readonly links: string;
  readonly top: string;
}

async function ours(t: TestScope): Promise<Place & { vfs: Vfs }> {
  const { vfs } = await treeFor(t);
  vfs.registerDriver(descriptors());
  vfs.fs.mkdirSync("/dev/fd", { recursive: true });
  vfs.mount("none", "/dev/fd", "descriptors");
  vfs.fs.mkdirSync("/top");
  return { vfs, fs: vfs.fs, links: "/dev/fd", top: "/top" };
}

function theKernels(t: TestScope): Place {
  const top = nodeFs.mkdtempSync(join(tmpdir(), "magic-links-"));
  t.after(() => nodeFs.rmSync(top, { recursive: true, force: true }));
  return { fs: nodeFs as unknown as FsSync, links: "/proc/self/fd", top };
}

/** What calls through magic links return, the same on both. */
function outcomes({ fs, links, top }: Place): unknown[] {
  fs.mkdirSync(`${top}/d/e`, { recursive: true });
  fs.writeFileSync(`${top}/d/e/f`, "one");
  fs.writeFileSync(`${top}/d/g`, "two");
  const dir = fs.openSync(`${top}/d/e`, "r");
  const file = fs.openSync(`${top}/d/g`, "r+");
  fs.symlinkSync(`${links}/${dir}`, `${top}/to-it`);
  const place = (path: string) => (path.startsWith(top) ? path.slice(top.length) : path);
  const before = [
    fs.readFileSync(`${links}/${dir}/f`, "utf8"),
    fs.readFileSync(`${links}/${dir}/../g`, "utf8"),
    fs.readFileSync(`${top}/to-it/f`, "utf8"),
    fs.readdirSync(`${links}/${dir}/`),
    fs.lstatSync(`${links}/${dir}`).isSymbolicLink(),
    fs.statSync(`${links}/${dir}`).isDirectory(),
    place(fs.readlinkSync(`${links}/${dir}`)),
    place(fs.realpathSync.native(`${links}/${dir}/f`)),
    codeOf(() => fs.statSync(`${links}/${file}/x`)),
    codeOf(() => fs.statSync(`${links}/${file}/`)),
    codeOf(() => fs.openSync(`${links}/${file}`, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)),
    codeOf(() => fs.openSync(`${links}/${file}`, fs.constants.O_CREAT | fs.constants.O_EXCL)),
  ];
  // The file itself, whatever becomes of its name.
  fs.renameSync(`${top}/d/e`, `${top}/moved`);
  fs.unlinkSync(`${top}/d/g`);
  fs.writeFileSync(`${top}/d/g`, "another");
  fs.writeFileSync(`${links}/${file}`, "three");
  const after = [
    fs.readFileSync(`${links}/${dir}/f`, "utf8"),
    place(fs.readlinkSync(`${links}/${dir}`)),
    fs.readdirSync(`${links}/${dir}/..`).sort(),
    fs.readFileSync(`${links}/${file}`, "utf8"),
    fs.statSync(`${links}/${file}`).nlink,
    fs.readFileSync(`${top}/d/g`, "utf8"),
  ];
  fs.closeSync(dir);
  fs.closeSync(file);
  const closed = [codeOf(() => fs.statSync(`${links}/${dir}`)), codeOf(() => fs.readFileSync(`${top}/to-it/f`))];
  return [...before, ...after, ...closed];
}

/** The bits of openat2(2) by the names that they have here. */
const BITS: readonly (readonly [ResolveFlag | undefined, number])[] = [
  [undefined, 0],
  ["no-xdev", 1],
  ["no-magiclinks", 2],
  ["no-symlinks", 4],
  ["beneath", 8],
  ["in-root", 16],
];
const { O_PATH } = OPEN_FLAGS;
const { O_NOFOLLOW } = nodeFs.constants;

/** Paths from the directory of the links, or from the one to work in; N is a descriptor of a directory there, L one of the links' own directory. */
const OPENED: readonly (readonly [from: "links" | "top", path: string])[] = [
  ["links", "N"],
  ["links", "N/f"],
  ["links", "N/.."],
  ["links", "L"],
  ["links", "L/N"],
  ["top", "to-it"],
  ["top", "to-it/f"],
  ["top", "to-d"],
  ["top", "to-d/f"],
];

/** Each path with each bit, with and without O_NOFOLLOW. */
const OPENS = OPENED.flatMap(([from, path]) =>
  BITS.flatMap(([name, bits]) => [O_PATH, O_PATH | O_NOFOLLOW].map((flags) => ({ from, path, name, bits, flags }))),
);

/** Makes these calls by the kernel in a process of Python: the type of what is opened, or the name of the error. */
const KERNELS_OPENS = `
import ctypes, errno, json, os, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
class OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]
top, opens = json.loads(sys.argv[1])
os.makedirs(top + "/d")
open(top + "/d/f", "w").close()
fds = {"top": os.open(top, os.O_PATH), "links": os.open("/proc/self/fd", os.O_PATH)}
named = {"N": str(os.open(top + "/d", os.O_PATH)), "L": str(fds["links"])}
os.symlink("/proc/self/fd/" + named["N"], top + "/to-it")
os.symlink("d", top + "/to-d")
def opened(one):
    path = "/".join(named.get(part, part) for part in one["path"].split("/"))
    how = OpenHow(one["flags"], 0, one["bits"])
    for _ in range(1000):
        fd = libc.syscall(437, fds[one["from"]], path.encode(), ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0 or ctypes.get_errno() != errno.EAGAIN: break
    if fd < 0: return errno.errorcode[ctypes.get_errno()]
    try: return stat.S_IFMT(os.fstat(fd).st_mode)
    finally: os.close(fd)
print(json.dumps([opened(one) for one in opens]))
`;

// Taken out, one at a time: each check in jumpLink().
test("row 114: openat2 over magic links is refused, or not, as by the kernel, by each flag", async (t) => {
  const reason = whyNoKernel();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const place = theKernels(t);
  const expected = JSON.parse(
    execFileSync("python3", ["-c", KERNELS_OPENS, JSON.stringify([place.top, OPENS])], { encoding: "utf8" }),
  );
  const { vfs, fs, links, top } = await ours(t);
  fs.mkdirSync(`${top}/d`);
  fs.writeFileSync(`${top}/d/f`, "");
  const from = { top: fs.openSync(top, O_PATH), links: fs.openSync(links, O_PATH) };
  const named: Record<string, string> = { N: String(fs.openSync(`${top}/d`, O_PATH)), L: String(from.links) };
  fs.symlinkSync(`${links}/${named.N}`, `${top}/to-it`);
  fs.symlinkSync("d", `${top}/to-d`);
  for (const [n, { path, name, flags, ...one }] of OPENS.entries()) {
    const way = path
      .split("/")
      .map((part) => named[part] ?? part)
      .join("/");
    let found: unknown;
    const code = codeOf(() => {
      const fd = vfs.openat2Sync(from[one.from], way, { flags, ...(name !== undefined && { resolve: name }) });
      found = fs.fstatSync(fd).mode & nodeFs.constants.S_IFMT;
      fs.closeSync(fd);
    });
    assert.equal(code ?? found, expected[n], `${one.from}: ${path}, ${name}, ${flags}`);
  }
  assert.ok(expected.includes("ELOOP") && expected.includes("EXDEV") && expected.includes(S_IFDIR));
});

describe("magic links", () => {
  // Taken out: jumpLink() (the number is taken for the length of a body); its reference on the file's dentry; putLink() in it.
  test("a link of a driver that is a descriptor leads to the open file, as in the kernel's /proc/self/fd", async (t) => {
    const place = await ours(t);
    const before = gauges(place.vfs);
    const results = outcomes(place);
    assert.deepEqual(results, outcomes(theKernels(t)));
    place.fs.rmSync("/top", { recursive: true });
    place.fs.mkdirSync("/top");
    const { dentries: _, inodes: _i, ...rest } = gauges(place.vfs);
    const { dentries: _2, inodes: _i2, ...level } = before;
    assert.deepEqual(rest, level);
    place.vfs.umount("/dev/fd");
  });

  test("a magic link leads out of a chroot, and is refused where the resolution has limits", async (t) => {
    const { vfs } = await ours(t);
    vfs.fs.mkdirSync("/outside");
    vfs.fs.writeFileSync("/outside/f", "seen");
    for (const resolve of [undefined, "in-root"] as const) {
      const context = vfs.context({ cwd: "/", ...(resolve === undefined ? {} : { resolve }) });
      t.after(() => context.close());
      const fd = context.fs.openSync("/outside", "r");
      context.chroot("/dev");
      const path = `/fd/${fd}/f`;
      if (resolve === undefined) assert.equal(context.fs.readFileSync(path, "utf8"), "seen");
      else
        assert.equal(
          codeOf(() => context.fs.readFileSync(path)),
          "EXDEV",
        );
    }
  });

  test("a magic link counts as a link, and calls putLink for no body", async (t) => {
    const { vfs } = await treeFor(t);
    const calls: string[] = [];
    vfs.registerDriver(descriptors(calls));
    vfs.fs.mkdirSync("/fd");
    vfs.mount("none", "/fd", "descriptors");
    const fd = vfs.fs.openSync("/", "r");
    const run = counted(vfs, () => vfs.fs.statSync(`${`/fd/${fd}`.repeat(40)}/fd`));
    assert.equal(run.endedRef, 1);
    assert.equal(
      codeOf(() => vfs.fs.statSync(`${`/fd/${fd}`.repeat(41)}/fd`)),
      "ELOOP",
    );
    assert.deepEqual(calls, []);
    vfs.fs.closeSync(fd);
    vfs.umount("/fd");
  });

  // Taken out: the range in #putLink() of driver-table.ts.
  test("a number that is no descriptor is a wrong result", async (t) => {
    const { vfs } = await treeFor(t);
    for (const [n, wrong] of [-1, 1.5, 2 ** 20, Number.NaN].entries()) {
      const driver: Driver = { ...descriptors(), name: `wrong${n}`, readlink: () => wrong };
      vfs.registerDriver(driver);
      vfs.fs.mkdirSync(`/wrong${n}`);
      vfs.mount("none", `/wrong${n}`, driver.name);
      assert.equal(
        codeOf(() => vfs.fs.statSync(`/wrong${n}/1`)),
        "EIO",
        String(wrong),
      );
    }
  });
});
