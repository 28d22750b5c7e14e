/** Magic links of a driver: /dev/fd of a tree, held against /proc/self/fd of the kernel (proc(5), path_resolution(7)). */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { S_IFDIR, S_IFLNK } from "../../../dist/abi/abi.js";
import type { Driver, FsSync, Vfs } from "../../../dist/src/index.js";
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
