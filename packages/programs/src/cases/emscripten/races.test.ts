/** What other threads change between two calls of a program, and between two steps of one call: forced, in one thread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, eachBuild, withTree } from "./one-thread.js";
import type { ProgramFs } from "./program.js";

const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const END = 2;

eachBuild(
  "what others remove, rename, replace and change is seen at once: no node outlives its name",
  async (t, build) => {
    const { FS, vfs, errno } = await withTree(t, build);
    const { fs } = vfs;
    const text = (path: string): string => FS.readFile(path, { encoding: "utf8" });
    fs.mkdirSync("/dir");
    fs.writeFileSync("/dir/file", "one");
    assert.equal(text("/mnt/dir/file"), "one");
    fs.renameSync("/dir/file", "/dir/moved");
    assert.equal(
      errno(() => text("/mnt/dir/file")),
      44,
    );
    assert.equal(text("/mnt/dir/moved"), "one");
    fs.renameSync("/dir", "/other");
    assert.equal(
      errno(() => text("/mnt/dir/moved")),
      44,
    );
    assert.equal(text("/mnt/other/moved"), "one");
    fs.unlinkSync("/other/moved");
    fs.mkdirSync("/other/moved");
    assert.equal(FS.stat("/mnt/other/moved").mode & 0o170000, 0o040000);
    fs.rmdirSync("/other/moved");
    fs.symlinkSync("target", "/other/moved");
    fs.writeFileSync("/other/target", "two");
    assert.equal(text("/mnt/other/moved"), "two");
    fs.chmodSync("/other/target", 0);
    assert.equal(
      errno(() => text("/mnt/other/moved")),
      2,
    );
    fs.chmodSync("/other/target", 0o600);
    assert.equal(text("/mnt/other/moved"), "two");
    // What the program has renamed is in its table of nodes under a name that no walk asks for.
    FS.rename("/mnt/other/target", "/mnt/last");
    fs.unlinkSync("/last");
    assert.equal(
      errno(() => text("/mnt/last")),
      44,
    );
    fs.mkdirSync("/full/inside", { recursive: true });
    fs.mkdirSync("/empty");
    assert.equal(
      errno(() => FS.rename("/mnt/empty", "/mnt/full")),
      55,
    );
    fs.rmdirSync("/empty");
    assert.equal(
      errno(() => FS.stat("/mnt/empty")),
      44,
    );
    fs.writeFileSync("/last", "three");
    assert.equal(text("/mnt/last"), "three");
  },
);

// Before, the call failed with EINVAL, which no lookup has.
test("a walk that finds a link, which is a file when its body is asked for, is made again", async (t) => {
  const { FS, vfs, errno } = await withTree(t, "sql-wasm-debug");
  vfs.fs.symlinkSync("elsewhere", "/name");
  const { readlink } = FS;
  let changes = 1;
  FS.readlink = (path) => {
    if (changes-- > 0) {
      vfs.fs.writeFileSync("/new", "a file");
      vfs.fs.renameSync("/new", "/name");
    }
    return readlink.call(FS, path);
  };
  assert.equal(FS.stat("/mnt/name").size, 6);
  assert.equal(changes, 0);
  assert.equal(
    errno(() => FS.readlink("/mnt/name")),
    28,
    "the program's own readlink()",
  );
});

eachBuild("an open file stays usable when others remove or replace its name", async (t, build) => {
  const { FS, vfs } = await withTree(t, build);
  const { fs } = vfs;
  fs.writeFileSync("/file", "old");
  const stream = FS.open("/mnt/file", "r+");
  fs.unlinkSync("/file");
  fs.writeFileSync("/file", "the new one");
  const into = new Uint8Array(8);
  assert.equal(FS.read(stream, into, 0, 8, 0), 3);
  FS.write(stream, bytes("OLDER"), 0, 5, 0);
  FS.truncate(stream.node, 4);
  assert.equal(FS.read(stream, into, 0, 8, 0), 4);
  assert.equal(FS.llseek(stream, 0, END), 4);
  assert.equal(fs.readFileSync("/file", "utf8"), "the new one");
  FS.close(stream);
});

eachBuild(
  "a file that another thread creates between two steps of an open is opened, unless O_EXCL asks for a new one",
  async (t, build) => {
    const { FS, vfs, errno } = await withTree(t, build);
    // FS.open() has looked for the file when it comes to mknod.
    const { mknod } = FS;
    FS.mknod = (path, ...rest) => {
      vfs.fs.writeFileSync(path.replace("/mnt", ""), "theirs");
      return mknod.call(FS, path, ...rest);
    };
    const stream = FS.open("/mnt/file", O_RDWR | O_CREAT);
    assert.equal(FS.llseek(stream, 0, END), 6);
    assert.equal(FS.llseek(FS.open("/mnt/log", "a+"), 0, END), 6);
    assert.equal(
      errno(() => FS.open("/mnt/lock", O_RDWR | O_CREAT | O_EXCL)),
      20,
    );
    FS.mknod = mknod;
  },
);

/** What FS calls of itself in a build with all names. */
type Steps = Record<"mayCreate" | "mayDelete" | "truncate" | "createStream", (...args: unknown[]) => unknown>;

/** Lets something happen once, before a step of FS. */
function before(FS: ProgramFs, step: keyof Steps, happen: () => void): void {
  const steps = FS as unknown as Steps;
  const { [step]: call } = steps;
  steps[step] = (...args) => {
    steps[step] = call;
    happen();
    return call.apply(FS, args);
  };
}

test("a rename and an open that empties go on when another thread comes between their steps", async (t) => {
  const { FS, vfs, errno } = await withTree(t, "sql-wasm-debug");
  const { fs } = vfs;
  const text = (path: string): string => fs.readFileSync(path, "utf8");
  fs.writeFileSync("/new", "ours");
  before(FS, "mayCreate", () => fs.writeFileSync("/name", "theirs"));
  FS.rename("/mnt/new", "/mnt/name");
  assert.equal(text("/name"), "ours");
  fs.writeFileSync("/new", "again");
  // The first check is that of the old name.
  before(FS, "mayDelete", () => before(FS, "mayDelete", () => fs.unlinkSync("/name")));
  FS.rename("/mnt/new", "/mnt/name");
  assert.equal(text("/name"), "again");
  fs.writeFileSync("/new", "");
  before(FS, "mayDelete", () => fs.unlinkSync("/new"));
  assert.equal(
    errno(() => FS.rename("/mnt/new", "/mnt/name")),
    44,
  );
  before(FS, "truncate", () => fs.unlinkSync("/name"));
  FS.writeFile("/mnt/name", "created");
  assert.equal(text("/name"), "created");
  assert.equal(
    errno(() => FS.open("/mnt/none/name", "w")),
    44,
  );
  // A link takes the place of the file. FS follows it in the program's namespace, the tree does not.
  before(FS, "createStream", () => {
    fs.renameSync("/name", "/target");
    fs.symlinkSync("target", "/name");
  });
  assert.equal(FS.readFile("/mnt/name", { encoding: "utf8" }), "created");
});

eachBuild("an append goes behind what another thread appends between two steps of a write", async (t, build) => {
  const { FS, vfs } = await withTree(t, build);
  const stream = FS.open("/mnt/log", "a");
  // FS.write() asks for the end, and passes it on as the place to write to.
  const { llseek } = FS;
  FS.llseek = (...args) => {
    const end = llseek.apply(FS, args);
    vfs.fs.appendFileSync("/log", "theirs ");
    return end;
  };
  FS.write(stream, bytes("ours "), 0, 5);
  FS.llseek = llseek;
  assert.equal(vfs.fs.readFileSync("/log", "utf8"), "theirs ours ");
  assert.equal(stream.position, 12);
});

eachBuild("a directory is listed to its end while others remove what is in it", async (t, build) => {
  const { FS, vfs, errno } = await withTree(t, build);
  for (const dir of ["/", "/dir/"]) {
    vfs.fs.mkdirSync(dir, { recursive: true });
    vfs.fs.writeFileSync(`${dir}gone`, "");
    const stream = FS.open(`/mnt${dir}`, "r");
    // As getdents64 does: it lists the path, and then looks for each name in the node.
    assert.ok(FS.readdir(`/mnt${dir}`).includes("gone"));
    vfs.fs.unlinkSync(`${dir}gone`);
    if (FS.lookupNode !== undefined) assert.equal(FS.lookupNode(stream.node, "gone").mode & 0o170000, 0o100000);
    assert.equal(
      errno(() => FS.stat(`/mnt${dir}gone`)),
      44,
    );
    FS.close(stream);
    if (FS.lookupNode !== undefined)
      assert.equal(
        errno(() => FS.lookupNode(stream.node, "gone")),
        44,
      );
  }
});
