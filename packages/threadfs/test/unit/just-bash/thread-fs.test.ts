/** threadfs/just-bash: what each call of a shell's file system does, and the errors that a shell reads. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { type TestContext, test } from "node:test";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { ThreadFs } from "../../../dist/src/just-bash.js";

async function make(t: TestContext): Promise<{ vfs: Vfs; fs: ThreadFs }> {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  t.after(() => vfs.close());
  return { vfs, fs: new ThreadFs(vfs) };
}

test("text is read and written in just-bash's encodings", async (t) => {
  const { vfs, fs } = await make(t);
  const cases = [
    ["utf8", "é\ufeff", [0xc3, 0xa9, 0xef, 0xbb, 0xbf]],
    ["utf-8", "é", [0xc3, 0xa9]],
    ["ascii", "a", [0x61]],
    ["binary", "\xff\x00\x80", [0xff, 0, 0x80]],
    ["latin1", "\xe9", [0xe9]],
    ["base64", "/wCA", [0xff, 0, 0x80]],
    ["hex", "ff0080", [0xff, 0, 0x80]],
  ] as const;
  for (const [encoding, text, bytes] of cases) {
    await fs.writeFile("/f", text, encoding);
    assert.deepEqual([...vfs.fs.readFileSync("/f")], bytes, encoding);
    assert.equal(await fs.readFile("/f", { encoding }), text, encoding);
    await fs.appendFile("/f", text, { encoding });
    assert.deepEqual([...(await fs.readFileBuffer("/f"))], [...bytes, ...bytes], encoding);
  }
  await fs.writeFile("/f", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), "hex");
  assert.equal(await fs.readFile("/f"), "\ufeffa", "the mark at the start stays");
  assert.equal(await fs.readFileBytes("/f"), "\xef\xbb\xbfa");
  const bytes = await fs.readFileBuffer("/f");
  assert.equal(bytes.buffer.byteLength, bytes.length, "memory of its own");
  const long = "\xff".repeat(100_000);
  await fs.writeFile("/long", long, "binary");
  assert.equal(await fs.readFile("/long", "latin1"), long);
});

test("bad arguments are refused, and nothing is written", async (t) => {
  const { vfs, fs } = await make(t);
  for (const tree of [undefined, null, {}, { fs: {} }, vfs.fs]) {
    assert.throws(() => new ThreadFs(tree as never), { code: "ERR_INVALID_ARG_TYPE" });
  }
  await assert.rejects(fs.writeFile("/f", "a", "utf16le" as never), { code: "ERR_INVALID_ARG_VALUE" });
  await assert.rejects(fs.readFile("/f", 7 as never), { code: "ERR_INVALID_ARG_TYPE" });
  await assert.rejects(fs.writeFile("/f", "abc", "hex"), { code: "ERR_INVALID_ARG_VALUE" });
  await assert.rejects(fs.writeFile("/f", "zz", "hex"), { code: "ERR_INVALID_ARG_VALUE" });
  await assert.rejects(fs.appendFile("/f", "=a", "base64"), { code: "ERR_INVALID_ARG_VALUE" });
  await assert.rejects(fs.writeFile("/f", 7 as never), { code: "ERR_INVALID_ARG_TYPE" });
  await assert.rejects(fs.stat(7 as never), { code: "ERR_INVALID_ARG_TYPE" });
  assert.deepEqual(vfs.fs.readdirSync("/"), []);
});

test("errors name the operation and the path of the shell", async (t) => {
  const { vfs, fs } = await make(t);
  vfs.fs.mkdirSync("/d/e", { recursive: true });
  vfs.fs.writeFileSync("/f", "");
  const none = "no such file or directory";
  const cases: [() => Promise<unknown>, string][] = [
    [() => fs.readFile("/none"), `ENOENT: ${none}, open '/none'`],
    [() => fs.readFileBuffer("/d"), "EISDIR: illegal operation on a directory, open '/d'"],
    [() => fs.writeFile("/d", ""), "EISDIR: illegal operation on a directory, open '/d'"],
    [() => fs.stat("none"), `ENOENT: ${none}, stat 'none'`],
    [() => fs.lstat("/f/x"), "ENOTDIR: not a directory, lstat '/f/x'"],
    [() => fs.mkdir("/none/x"), `ENOENT: ${none}, mkdir '/none/x'`],
    [() => fs.mkdir("/d"), "EEXIST: file already exists, mkdir '/d'"],
    [() => fs.readdir("/f"), "ENOTDIR: not a directory, scandir '/f'"],
    [() => fs.readdirWithFileTypes("/none"), `ENOENT: ${none}, scandir '/none'`],
    [() => fs.rm("/none"), `ENOENT: ${none}, rm '/none'`],
    [() => fs.rm("/none", { recursive: true }), `ENOENT: ${none}, rm '/none'`],
    [() => fs.rm("/d"), "ENOTEMPTY: directory not empty, rm '/d'"],
    [() => fs.cp("/none", "/x"), `ENOENT: ${none}, cp '/none' -> '/x'`],
    [() => fs.cp("/d", "/x"), "EISDIR: illegal operation on a directory, cp '/d' -> '/x'"],
    [
      () => fs.cp("/d", "/d/e/g", { recursive: true }),
      "EINVAL: a directory cannot go into itself, cp '/d' -> '/d/e/g'",
    ],
    [() => fs.mv("/none", "/x/y"), `ENOENT: ${none}, mv '/none' -> '/x/y'`],
    [() => fs.mv("/d", "/d/e/g"), "EINVAL: a directory cannot go into itself, mv '/d' -> '/d/e/g'"],
    [() => fs.mv("/f", "/d"), "EISDIR: illegal operation on a directory, mv '/f' -> '/d'"],
    [() => fs.chmod("/none", 0o600), `ENOENT: ${none}, chmod '/none'`],
    [() => fs.symlink("a", "/f"), "EEXIST: file already exists, symlink '/f'"],
    [() => fs.link("/none", "/x"), `ENOENT: ${none}, link '/none'`],
    [() => fs.link("/d", "/x"), "EPERM: operation not permitted, link '/d'"],
    [() => fs.link("/f", "/d"), "EEXIST: file already exists, link '/d'"],
    [() => fs.readlink("/f"), "EINVAL: invalid argument, readlink '/f'"],
    [() => fs.realpath("/none"), `ENOENT: ${none}, realpath '/none'`],
    [() => fs.utimes("/none", new Date(0), new Date(0)), `ENOENT: ${none}, utimes '/none'`],
    [() => fs.readFile("/a\0b"), "ENOENT: a path with a null byte, open '/a\0b'"],
    [() => fs.mv("/f", "/a\0b"), "ENOENT: a path with a null byte, mv '/a\0b'"],
  ];
  for (const [call, message] of cases) {
    await assert.rejects(call, { message, code: message.slice(0, message.indexOf(":")) });
  }
  assert.equal(vfs.fs.existsSync("/x"), false, "no directory is made for a file that is not there");
  vfs.close();
  await assert.rejects(fs.exists("/f"), { code: "ERR_THREADFS_CLOSED" });
});

test("calls that create a name make the directories above it", async (t) => {
  const { vfs, fs } = await make(t);
  await fs.writeFile("a/b/f", "1");
  await fs.appendFile("/c/d/f", "2");
  await fs.symlink("../../a", "/e/g/link");
  await fs.link("/a/b/f", "/h/i/f");
  await fs.cp("/a", "/j/k", { recursive: true });
  await fs.cp("/e/g/link", "/l/link");
  await fs.mv("/c", "/m/n");
  assert.equal(await fs.readFile("/e/g/link/b/f"), "1");
  assert.equal(vfs.fs.statSync("/a/b/f").nlink, 2);
  assert.equal(await fs.readFile("/j/k/b/f"), "1");
  assert.equal(await fs.readlink("/l/link"), "../../a");
  assert.equal(await fs.readFile("/m/n/d/f"), "2");
});

test("names, types and attributes", async (t) => {
  const { vfs, fs } = await make(t);
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/b", "12");
  vfs.fs.symlinkSync("d", "/l");
  vfs.fs.symlinkSync("none", "/d/a");
  vfs.linux.mkfifoSync("/d/c");
  const none = { isFile: false, isDirectory: false, isSymbolicLink: false };
  assert.deepEqual(await fs.readdir("/l"), ["a", "b", "c"]);
  assert.deepEqual(await fs.readdirWithFileTypes("/l"), [
    { ...none, name: "a", isSymbolicLink: true },
    { ...none, name: "b", isFile: true },
    { ...none, name: "c" },
  ]);
  await fs.chmod("/l/b", 0o640);
  await fs.utimes("/l/b", new Date(1000), new Date(2000));
  const { ino, dev } = vfs.fs.statSync("/d/b");
  const file = { ...none, isFile: true, mode: 0o640, size: 2, mtime: new Date(2000), dev, ino };
  assert.deepEqual(await fs.stat("/l/b"), file);
  assert.equal(vfs.fs.statSync("/d/b").atimeMs, 1000);
  assert.equal((await fs.lstat("/l")).isSymbolicLink, true);
  assert.equal((await fs.stat("/l")).isDirectory, true);
  assert.equal(await fs.realpath("/l/../l/b"), "/d/b");
  const there = ["/l/b", "d", "/d/a", "/none", "/a\0b", "/d/b/x"].map((path) => fs.exists(path));
  assert.deepEqual(await Promise.all(there), [true, true, false, false, false, false]);
  assert.deepEqual(fs.getAllPaths().sort(), ["/", "/d", "/d/a", "/d/b", "/d/c", "/l"]);
  const resolved = [
    fs.resolvePath("/a/b", "../c/./d/"),
    fs.resolvePath("/a", "/x//y/.."),
    fs.resolvePath("/", "../.."),
  ];
  assert.deepEqual(resolved, ["/a/c/d", "/x", "/"]);
});

test("rm removes files, links and directories, and forces", async (t) => {
  const { vfs, fs } = await make(t);
  vfs.fs.mkdirSync("/d/e", { recursive: true });
  vfs.fs.writeFileSync("/d/e/f", "");
  vfs.fs.symlinkSync("d", "/l");
  await fs.rm("/none", { force: true });
  await fs.rm("/d/e/f/x", { force: true });
  await assert.rejects(fs.rm("/d", { force: true }), { code: "ENOTEMPTY" });
  await fs.rm("/l", { recursive: true });
  await fs.rm("/d/e/f");
  await fs.rm("/d/e");
  await fs.mkdir("/d/e/f", { recursive: true });
  await fs.rm("/d", { recursive: true, force: true });
  assert.deepEqual(vfs.fs.readdirSync("/"), []);
});

test("cp copies permissions and links, over what is there", async (t) => {
  const { vfs, fs } = await make(t);
  vfs.fs.mkdirSync("/d/sealed", { recursive: true });
  vfs.fs.writeFileSync("/d/run", "new", { mode: 0o755 });
  vfs.fs.writeFileSync("/d/sealed/f", "");
  vfs.fs.symlinkSync("/none", "/d/l");
  vfs.fs.chmodSync("/d/sealed", 0o500);
  vfs.fs.mkdirSync("/to/d", { recursive: true });
  vfs.fs.writeFileSync("/to/d/run", "longer before");
  vfs.fs.symlinkSync("other", "/to/d/l");
  vfs.fs.writeFileSync("/to/d/stays", "");
  vfs.fs.chownSync("/d/sealed", 7, 7);
  vfs.fs.chmodSync("/", 0o777);
  const context = vfs.context({ uid: 7, gid: 7, groups: [] });
  await fs.cp("/d", "/to/d", { recursive: true });
  assert.equal(await fs.readFile("/to/d/run"), "new");
  assert.equal(vfs.fs.statSync("/to/d/run").mode & 0o777, 0o755);
  assert.equal(await fs.readlink("/to/d/l"), "/none");
  assert.deepEqual(await fs.readdir("/to/d"), ["l", "run", "sealed", "stays"]);
  await new ThreadFs(context).cp("/d/sealed", "/copy", { recursive: true });
  assert.equal(vfs.fs.statSync("/copy").mode & 0o777, 0o500, "a user who may not write there copies it");
  assert.deepEqual(vfs.fs.readdirSync("/copy"), ["f"]);
  vfs.linux.mkfifoSync("/fifo");
  await assert.rejects(fs.cp("/fifo", "/x"), { code: "EINVAL" });
  vfs.fs.symlinkSync("d", "/alias");
  await assert.rejects(fs.cp("/d", "/alias/x", { recursive: true }), /cannot go into itself/);
});

test("mv goes from one mount to another", async (t) => {
  const { vfs, fs } = await make(t);
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "tmpfs");
  await fs.writeFile("/d/f", "1");
  await fs.mv("/d", "/m/e");
  assert.equal(await fs.readFile("/m/e/f"), "1");
  assert.equal(await fs.exists("/d"), false);
});

test("a context's shell sees what the context sees", async (t) => {
  const { vfs, fs } = await make(t);
  await fs.mkdir("/home/hidden", { recursive: true });
  await fs.writeFile("/secret", "");
  vfs.fs.symlinkSync("/secret", "/home/out");
  vfs.fs.chmodSync("/home/hidden", 0o700);
  const context = vfs.context({ uid: 7, gid: 7, groups: [], root: "/home", resolve: "beneath" });
  const shell = new ThreadFs(context);
  await assert.rejects(shell.readFile("/out"), { message: "EXDEV: cross-device link not permitted, open '/out'" });
  await assert.rejects(shell.readFile("/../secret"), { code: "EXDEV" });
  await assert.rejects(shell.writeFile("/f", ""), { code: "EACCES" });
  await assert.rejects(shell.readdir("/hidden"), { code: "EACCES" });
  assert.equal(await shell.exists("/out"), false);
  assert.deepEqual(shell.getAllPaths().sort(), ["/", "/hidden", "/out"]);
});

test("calls run where the object was made: a shell refuses timers to what runs inside of a script", async (t) => {
  const { vfs } = await make(t);
  const script = new AsyncLocalStorage<true>();
  const seen: unknown[] = [];
  const readFile = async (path: string): Promise<Uint8Array> => {
    seen.push(script.getStore());
    await null;
    seen.push(script.getStore());
    return vfs.fs.readFileSync(path);
  };
  const readdirSync = (): never[] => {
    seen.push(script.getStore());
    return [];
  };
  const shell = new ThreadFs({ fs: { promises: { readFile }, readdirSync } as never });
  await script.run(true, async () => {
    await assert.rejects(shell.readFile("/none"), { code: "ENOENT" });
    assert.equal(script.getStore(), true);
    shell.getAllPaths();
  });
  assert.deepEqual(seen, [undefined, undefined, undefined]);
});
