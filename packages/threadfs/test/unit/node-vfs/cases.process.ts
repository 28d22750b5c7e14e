/** The cases of provider.test.ts, in a Node.js with node:vfs. Where node:fs on the disk can be asked, both must give the same. */
import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import nodeFs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { type Context, createVfs, type Vfs } from "../../../dist/src/index.js";
import { ThreadProvider } from "../../../dist/src/node-vfs.js";

type NodeFs = typeof nodeFs;

/** node:vfs, as far as the cases use it. */
interface FileSystem extends NodeFs {
  readonly provider: object;
  readonly readonly: boolean;
  mount(): string;
  unmount(): void;
}
interface Module {
  VirtualProvider: new () => object;
  create(provider: object, options?: object): FileSystem;
}
const { create, VirtualProvider } = process.getBuiltinModule("node:vfs" as "node:fs") as unknown as Module;

interface Mounted {
  tree: Vfs;
  files: FileSystem;
  root: string;
}

async function mounted(t: TestContext, view: (tree: Vfs) => Vfs | Context = (tree) => tree): Promise<Mounted> {
  const tree = await createVfs({ maxBytes: 1 << 26 });
  const files = create(new ThreadProvider(view(tree)));
  const root = files.mount();
  t.after(() => {
    files.unmount();
    tree.close();
  });
  return { tree, files, root };
}

/** What a call returns or throws, without the root's path. */
async function resultOf(root: string, call: () => unknown): Promise<string> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    result = { code, syscall };
  }
  return JSON.stringify(result ?? null).replaceAll(root, "ROOT");
}

const later = <T>(begin: (done: (error: unknown, value?: T) => void) => void) =>
  new Promise((resolve, reject) => begin((error, value) => (error ? reject(error) : resolve(value))));
const kinds = (stats: nodeFs.Stats) => [stats.isFile(), stats.isDirectory(), stats.isSymbolicLink(), stats.nlink];
const named = (entries: nodeFs.Dirent[]) =>
  entries.map((entry) => [entry.parentPath, entry.name, entry.isDirectory(), entry.isSymbolicLink()]).sort();

type Calls = Generator<() => unknown>;

/** Directories and contents. */
function* contents(fs: NodeFs, root: string): Calls {
  const at = (path: string) => `${root}/${path}`;
  const { promises } = fs;
  yield () => fs.mkdirSync(at("a/b/c"), { recursive: true });
  yield () => fs.mkdirSync(at("a"));
  yield () => promises.mkdir(at("a/d/e"), { recursive: true });
  yield () => later((done) => fs.mkdir(at("none/x"), done));
  yield () => fs.writeFileSync(at("a/f"), "one");
  yield () => fs.appendFileSync(at("a/f"), " two");
  yield () => fs.readFileSync(at("a/f"), "utf8");
  yield () => fs.readFileSync(at("a/f"));
  yield () => fs.readFileSync(at("a"));
  yield () => fs.readFileSync(at("none"));
  yield () => promises.writeFile(at("a/g"), ["x", "y"]);
  yield () => promises.appendFile(at("a/g"), Buffer.from("z"));
  yield () => promises.readFile(at("a/g"), { encoding: "latin1" });
  yield () => later((done) => fs.readFile(at("a/g"), "hex", done));
  yield () => later((done) => fs.writeFile(at("a/h"), "12345", { mode: 0o600 }, done));
  yield () => fs.writeFileSync(at("a/h"), "", { flag: "wx" });
  yield () => fs.statSync(at("a/h")).mode;
  yield () => kinds(fs.statSync(at("a")));
  yield async () => kinds(await promises.stat(at("a/f")));
  yield () => fs.statSync(at("a/f"), { bigint: true }).size.toString();
  yield () => later((done) => fs.stat(at("none"), done as never));
  yield () => fs.statSync(at("none"), { throwIfNoEntry: false });
  yield () => fs.lstatSync(at("none"), { throwIfNoEntry: false });
  yield () => promises.lstat(at("none"));
}

/** Links and listings. */
function* links(fs: NodeFs, root: string): Calls {
  const at = (path: string) => `${root}/${path}`;
  const { promises } = fs;
  yield () => fs.linkSync(at("a/f"), at("hard"));
  yield () => kinds(fs.lstatSync(at("hard")));
  yield () => fs.symlinkSync("a/f", at("soft"));
  yield () => promises.symlink("../a", at("a/up"));
  yield () => kinds(fs.lstatSync(at("soft")));
  yield () => fs.readlinkSync(at("soft"));
  yield () => later((done) => fs.readlink(at("a/up"), "buffer", done));
  yield () => fs.readlinkSync(at("hard"));
  yield () => fs.realpathSync(at("a/up/up/f"));
  yield () => promises.realpath(at("soft"));
  yield () => promises.realpath(at("none"));
  yield () => fs.readdirSync(at("a")).sort();
  yield () => named(fs.readdirSync(at("a"), { withFileTypes: true }));
  yield () => named(fs.readdirSync(root, { withFileTypes: true, recursive: true }));
  yield async () => (await promises.readdir(root, { recursive: true })).sort();
  yield () => later((done) => fs.readdir(at("a/f"), done));
  yield () => fs.existsSync(at("soft"));
  yield () => fs.existsSync(at("a/f/x"));
  yield () => fs.accessSync(at("a/h"), fs.constants.X_OK);
  yield () => promises.access(at("a/h"), fs.constants.R_OK);
}

/** Names, sizes, permissions, times. */
function* names(fs: NodeFs, root: string): Calls {
  const at = (path: string) => `${root}/${path}`;
  const { promises } = fs;
  yield () => fs.renameSync(at("a/g"), at("a/d/g"));
  yield () => promises.rename(at("a"), at("a/d/x"));
  yield () => later((done) => fs.rename(at("none"), at("x"), done));
  yield () => fs.copyFileSync(at("a/d/g"), at("copy"));
  yield () => promises.copyFile(at("a/d/g"), at("copy"), fs.constants.COPYFILE_EXCL);
  yield () => fs.truncateSync(at("copy"), 1);
  yield () => promises.truncate(at("copy"), 4);
  yield () => fs.readFileSync(at("copy"), "latin1");
  yield () => fs.chmodSync(at("copy"), 0o640);
  yield () => promises.chmod(at("a/h"), 0o604);
  yield () => [fs.statSync(at("copy")).mode, fs.statSync(at("a/h")).mode];
  yield () => fs.utimesSync(at("copy"), 1, 2);
  yield () => fs.lutimesSync(at("soft"), 3, 4);
  yield () => [fs.statSync(at("copy")).mtimeMs, fs.lstatSync(at("soft")).mtimeMs];
  yield () => fs.rmdirSync(at("a"));
  yield () => promises.unlink(at("a"));
  yield () => promises.unlink(at("hard"));
  yield () => fs.rmSync(at("none"), { force: true });
  yield () => promises.rm(at("a/b"), { recursive: true });
  yield () => fs.mkdtempSync(at("t-")).replace(/.{6}$/, "");
  yield () => {
    const directory = fs.opendirSync(at("a"));
    const names = [];
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) names.push(entry.name);
    directory.closeSync();
    return names.sort();
  };
}

/** Descriptors. */
function* descriptors(fs: NodeFs, root: string): Calls {
  const at = (path: string) => `${root}/${path}`;
  yield () => {
    const fd = fs.openSync(at("fd"), "w+", 0o644);
    const buffer = Buffer.alloc(8);
    const results = [
      fs.writeSync(fd, "abcdef"),
      fs.writevSync(fd, [Buffer.from("gh"), Buffer.from("i")]),
      fs.writeSync(fd, Buffer.from("XY"), 0, 2, 1),
      fs.readSync(fd, buffer, 0, 8, 0),
      buffer.toString(),
      fs.readSync(fd, buffer, 0, 8, null),
      fs.readvSync(fd, [buffer.subarray(0, 2), buffer.subarray(2, 3)], 4),
      fs.fstatSync(fd).size,
    ];
    fs.ftruncateSync(fd, 3);
    fs.fchmodSync(fd, 0o600);
    fs.futimesSync(fd, 5, 6);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    return [...results, fs.readFileSync(at("fd"), "utf8"), fs.statSync(at("fd")).mtimeMs];
  };
  yield () => fs.openSync(at("fd"), "wx");
  yield () => fs.openSync(at("a"), "r+");
  yield () => {
    const fd = fs.openSync(at("fd"), "r");
    try {
      fs.writeSync(fd, "x");
    } finally {
      fs.closeSync(fd);
    }
  };
  yield () => {
    const [one, two] = [fs.openSync(at("log"), "a"), fs.openSync(at("log"), "a")];
    for (const [fd, text] of [
      [one, "1"],
      [two, "2"],
      [one, "3"],
    ] as const)
      fs.writeSync(fd, text);
    fs.closeSync(one);
    fs.closeSync(two);
    return fs.readFileSync(at("log"), "utf8");
  };
}

/** File handles and streams, and what is left. */
function* handles(fs: NodeFs, root: string): Calls {
  const at = (path: string) => `${root}/${path}`;
  const { promises } = fs;
  yield async () => {
    const file = await promises.open(at("file"), "w+");
    await file.writeFile("hello");
    await file.appendFile(" world");
    await file.write(Buffer.from("H"), 0, 1, 0);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(5), 0, 5, 6);
    const { size } = await file.stat();
    await file.chmod(0o640);
    await file.utimes(7, 8);
    await file.truncate(7);
    await file.sync();
    await file.datasync();
    await file.writev([Buffer.from("!"), Buffer.from("?")], 5);
    const parts = [Buffer.alloc(2), Buffer.alloc(9)];
    const vector = await file.readv(parts, 4);
    await file.close();
    const stats = fs.statSync(at("file"));
    return [bytesRead, buffer.toString(), size, vector.bytesRead, parts.join(), stats.mode];
  };
  yield async () => {
    await once(fs.createWriteStream(at("stream")).end("0123456789"), "close");
    await once(fs.createWriteStream(at("stream"), { flags: "r+", start: 4 }).end("ab"), "close");
    let text = "";
    for await (const part of fs.createReadStream(at("stream"), { start: 2, end: 7, encoding: "utf8" })) text += part;
    return text;
  };
  yield () => fs.rmSync(at("a"), { recursive: true });
  yield () =>
    fs
      .readdirSync(root)
      .filter((name) => !name.startsWith("t-"))
      .sort();
}

/** Calls of each form, one after the other; each begins with what the ones before have left. */
function* calls(fs: NodeFs, root: string): Calls {
  for (const part of [contents, links, names, descriptors, handles]) yield* part(fs, root);
}

test("the calls of node:fs give under the mount point what they give on the disk", async (t) => {
  const { root } = await mounted(t);
  const dir = nodeFs.mkdtempSync(join(tmpdir(), "threadfs-vfs-"));
  t.after(() => nodeFs.rmSync(dir, { recursive: true }));
  const [ours, disk] = [calls(nodeFs, root), calls(nodeFs, dir)];
  let count = 0;
  for (const call of disk) {
    const wanted = await resultOf(dir, call);
    assert.equal(await resultOf(root, ours.next().value as () => unknown), wanted, `call ${count}: ${call}`);
    count++;
  }
  assert.ok(count > 60);
});

test("it is a provider of the host's, and node:vfs works without a mount", async (t) => {
  const { tree, files } = await mounted(t);
  assert.ok(files.provider instanceof VirtualProvider);
  for (const bad of [undefined, null, {}, { fs: tree.fs }, tree.fs]) {
    assert.throws(() => new ThreadProvider(bad as never), { code: "ERR_INVALID_ARG_TYPE" });
  }
  assert.deepEqual({ ...files.provider }, { readonly: false, supportsSymlinks: true, supportsWatch: true });
  const alone = create(new ThreadProvider(tree), { emitExperimentalWarning: false });
  alone.writeFileSync("relative", "1");
  assert.equal(tree.fs.readFileSync("/relative", "utf8"), "1");
  assert.equal(await alone.promises.readFile("/x/../relative", "utf8"), "1");
  const fd = alone.openSync("/relative", "r");
  alone.closeSync(fd);
  assert.throws(() => alone.readSync(fd, Buffer.alloc(1), 0, 1, 0), { code: "EBADF" });
  tree.fs.symlinkSync("/relative", "/absolute");
  assert.equal(alone.readFileSync("/absolute", "utf8"), "1", "links begin at the tree's root");
  await assert.rejects(async () => alone.promises.lchmod("/absolute", 0o600), { code: "ENOTSUP" });
});

test("a handle gives the whole file, and nothing once it is closed", async (t) => {
  const { tree } = await mounted(t);
  tree.fs.writeFileSync("/f", "0123456789");
  const provider = new ThreadProvider(tree);
  const handle = await provider.open("/f", "r");
  handle.position = 4;
  assert.equal(handle.readFileSync("latin1"), "0123456789");
  assert.equal(await handle.readFile({ encoding: "utf8" }), "0123456789");
  assert.equal(handle.position, 4);
  handle.closeSync();
  handle.closeSync();
  await handle.close();
  const other = provider.openSync("/f", "r");
  assert.throws(() => handle.readSync(Buffer.alloc(1), 0, 1, 0), { code: "EBADF", syscall: "read" });
  await assert.rejects(handle.stat(), { code: "EBADF", syscall: "fstat" });
  assert.equal(other.readSync(Buffer.alloc(1), 0, 1, 0), 1, "the number is another file's now");
  (other as unknown as Disposable)[Symbol.dispose]();
  assert.equal(other.closed, true);
});

test("a relative path begins at the root, whatever the context's working directory is", async (t) => {
  const { tree } = await mounted(t);
  tree.fs.mkdirSync("/d");
  const files = create(new ThreadProvider(tree.context({ cwd: "/d" })), { emitExperimentalWarning: false });
  files.writeFileSync("f", "");
  assert.deepEqual(tree.fs.readdirSync("/"), ["d", "f"]);
});

test("programs of the tree are loaded by require() and by import", async (t) => {
  const { tree, root } = await mounted(t);
  tree.fs.mkdirSync("/app/node_modules/dep/lib", { recursive: true });
  tree.fs.writeFileSync("/app/node_modules/dep/package.json", '{ "exports": { ".": "./lib/dep.mjs" } }');
  tree.fs.writeFileSync("/app/node_modules/dep/lib/dep.mjs", "export const url = import.meta.url;");
  tree.fs.writeFileSync("/app/main.mjs", 'export { url } from "dep"; export { default as json } from "./j.cjs";');
  tree.fs.writeFileSync("/app/j.cjs", 'module.exports = { ...require("./data.json"), file: __filename };');
  tree.fs.writeFileSync("/app/data.json", '{ "n": 1 }');
  tree.fs.symlinkSync("j.cjs", "/app/link.cjs");
  const wanted = { n: 1, file: `${root}/app/j.cjs` };
  const require = createRequire(import.meta.url);
  assert.deepEqual(require(`${root}/app/link.cjs`), wanted, "the real path is the file's name");
  const { json, url } = (await import(pathToFileURL(`${root}/app/main.mjs`).href)) as Record<string, unknown>;
  assert.deepEqual(json, wanted);
  assert.equal(url, pathToFileURL(`${root}/app/node_modules/dep/lib/dep.mjs`).href);
  assert.throws(() => require(`${root}/app/none.cjs`), { code: "MODULE_NOT_FOUND" });
});

test("a worker mounts the same tree, and each thread sees what the other changes", async (t) => {
  const { tree, root } = await mounted(t);
  tree.fs.writeFileSync(
    "/plugin.cjs",
    'module.exports = (root) => require("node:fs").writeFileSync(root + "/made", "yes");',
  );
  const seen = once(nodeFs.watch(root), "change");
  const index = new URL("../../../dist/src/index.js", import.meta.url).href;
  const entry = new URL("../../../dist/src/node-vfs.js", import.meta.url).href;
  const script = `
    const { workerData, parentPort } = require("node:worker_threads");
    (async () => {
      const { attachVfs } = await import("${index}");
      const { ThreadProvider } = await import("${entry}");
      const tree = await attachVfs(workerData);
      const root = require("node:vfs").create(new ThreadProvider(tree)).mount();
      require(root + "/plugin.cjs")(root);
      tree.close();
      parentPort.postMessage(root);
    })();`;
  const worker = new Worker(script, { eval: true, workerData: tree.handle });
  await once(worker, "message");
  assert.equal(nodeFs.readFileSync(`${root}/made`, "utf8"), "yes");
  assert.deepEqual(await seen, ["rename", "made"]);
  await worker.terminate();
});

test("watchers hear of changes by the tree's log", async (t) => {
  const { tree, root } = await mounted(t);
  tree.fs.writeFileSync("/f", "");
  const changes = nodeFs.promises.watch(root, { recursive: true });
  const next = changes[Symbol.asyncIterator]().next();
  tree.fs.mkdirSync("/d");
  assert.deepEqual((await next).value, { eventType: "rename", filename: "d" });
  await changes[Symbol.asyncIterator]().return?.();
  const listener = (now: nodeFs.Stats, before: nodeFs.Stats) => sizes.push(now.size, before.size);
  const sizes: number[] = [];
  const watcher = nodeFs.watchFile(`${root}/f`, { interval: 5 }, listener) as unknown as EventEmitter;
  tree.fs.writeFileSync("/f", "123");
  await once(watcher, "change");
  assert.deepEqual(sizes, [3, 0]);
  nodeFs.unwatchFile(`${root}/f`, listener);
});

test("a context's root and user are the provider's", async (t) => {
  const { tree, root } = await mounted(t, (tree) => {
    tree.fs.mkdirSync("/app");
    tree.fs.writeFileSync("/secret", "");
    tree.fs.symlinkSync("/secret", "/app/out");
    tree.fs.symlinkSync("..", "/app/up");
    return tree.context({ uid: 7, gid: 7, groups: [], root: "/app", resolve: "beneath" });
  });
  assert.throws(() => nodeFs.readFileSync(`${root}/out`), { code: "ENOENT" });
  assert.throws(() => nodeFs.openSync(`${root}/out`, "r"), { code: "EXDEV" });
  assert.throws(() => nodeFs.writeFileSync(`${root}/up/x`, ""), { code: "EXDEV" });
  assert.throws(() => nodeFs.writeFileSync(`${root}/x`, ""), { code: "EACCES" });
  tree.fs.chmodSync("/app", 0o777);
  nodeFs.writeFileSync(`${root}/x`, "");
  assert.equal(tree.fs.statSync("/app/x").uid, 7);
});

test("a path loses its .. before it reaches the tree", async (t) => {
  const { tree, root } = await mounted(t);
  tree.fs.mkdirSync("/real/d", { recursive: true });
  tree.fs.symlinkSync("real/d", "/link");
  tree.fs.writeFileSync("/real/f", "by the walk");
  tree.fs.writeFileSync("/f", "by the text");
  assert.equal(nodeFs.readFileSync(`${root}/link/../f`, "utf8"), "by the text");
  assert.equal(tree.fs.readFileSync("/link/../f", "utf8"), "by the walk");
});
