/** Options objects: a key that is not known is refused by name, and what is no object is refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attachVfs, createVfs, type Driver, loadCore, type Vfs } from "../../../dist/src/index.js";
import { codeOf, refused } from "../../support/errors.js";
import { tree } from "./trees.js";

/** A call of the library with an options object in its place. */
type OptionsCall = (vfs: Vfs, options: never) => unknown;

const root = () => ({ ino: 1, mode: 0o040755 });
const CALLS: Record<string, [call: OptionsCall, wrong: string, near: string]> = {
  createVfs: [(_vfs, o: object) => createVfs({ maxBytes: 1 << 22, ...o }), "readonly", "security"],
  "createVfs, its size": [(_vfs, o: object) => createVfs({ maxBytes: 1 << 22, ...o }), "maxbytes", "maxBytes"],
  attachVfs: [(vfs, o: object) => attachVfs(vfs.handle, o), "Security", "security"],
  loadCore: [(_vfs, o: object) => loadCore(o), "uri", "url"],
  context: [(vfs, o: object) => vfs.context(o), "user", "uid"],
  "context, umask": [(vfs, o: object) => vfs.context(o), "unmask", "umask"],
  mount: [(vfs, o: object) => vfs.mount(null, "/d", "tmpfs", o), "readOnly", "readonly"],
  umount: [(vfs, o: object) => vfs.umount("/d", o), "detached", "detach"],
  counters: [(vfs, o: object) => vfs.counters(o), "mine", "own"],
  walkMode: [(vfs, o: object) => vfs.walkMode({ ref: false, ...o }), "reff", "ref"],
  watchThreads: [(vfs, o: object) => vfs.watchThreads(o), "everyMS", "everyMs"],
  setfacl: [(vfs, o: object) => vfs.setfacl("/d", [{ tag: 1, perm: 7, ...o }]), "uid", "id"],
  registerDriver: [(vfs, o: object) => vfs.registerDriver({ name: "x", root, ...o }), "lookUp", "lookup"],
  "registerDriver, a data property": [
    (vfs, o: object) => vfs.registerDriver({ name: "x", root, ...o }),
    "revalidateDot",
    "revalidateDots",
  ],
};

describe("keys that are not known", () => {
  for (const [name, [call, wrong, near]] of Object.entries(CALLS)) {
    test(`${name}: "${wrong}" is refused, and "${near}" is named`, async () => {
      const vfs = await tree();
      vfs.fs.mkdirSync("/d");
      const before = vfs.counters();
      for (const value of [1, undefined, () => {}]) {
        await assert.rejects(async () => call(vfs, { [wrong]: value } as never), {
          code: "ERR_INVALID_ARG_VALUE",
          message: new RegExp(`"[\\w.[\\]]*${wrong}" is not known. Did you mean "${near}"`),
        });
      }
      assert.equal(vfs.counters().mounts, before.mounts);
    });
  }

  test("the known options are listed, without the one for the debug build", async () => {
    const vfs = await tree();
    const list = / Known are (?!.*"point").*"locks"/;
    await assert.rejects(createVfs({ maxBytes: 1 << 22, points: 1 } as never), { message: list });
    await assert.rejects(attachVfs(vfs.handle, { points: 1 } as never), { message: list });
    (await attachVfs(vfs.handle, { point: () => {}, share: false })).close();
  });

  test("a key of a prototype is looked at, one of Object.prototype is not an option", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/d");
    refused("ERR_INVALID_ARG_VALUE", () => vfs.context(Object.create({ user: 1000 })));
    vfs.context(Object.create({ uid: 1000 })).fs.accessSync("/");
    refused("EACCES", () => vfs.context(Object.create({ uid: 1000 })).fs.mkdirSync("/e"));
    vfs.mount(null, "/d", "tmpfs");
    const fd = vfs.fs.openSync("/d/f", "w");
    const polluted = Object.prototype as { detach?: boolean; uid?: number };
    try {
      Object.assign(polluted, { detach: true, uid: 1000 });
      refused("EBUSY", () => vfs.umount("/d"));
      refused("EBUSY", () => vfs.umount("/d", {}));
      vfs.context({}).fs.mkdirSync("/of-root");
    } finally {
      delete polluted.detach;
      delete polluted.uid;
    }
    vfs.fs.closeSync(fd);
    vfs.umount("/d");
  });
});

/** Runs `work` while `Object.prototype` has a property. */
async function withPolluted<T>(name: string, value: unknown, work: () => T): Promise<Awaited<T>> {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  try {
    return await work();
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
}

/** What a tree is used for, with defaults everywhere. */
async function useTree(): Promise<unknown> {
  const vfs = await createVfs({ maxBytes: 1 << 22 });
  const second = await attachVfs(vfs.handle, { share: false });
  const { fs } = vfs;
  fs.mkdirSync("/d/e", { recursive: true });
  fs.writeFileSync("/d/f", "text");
  vfs.registerDriver({
    name: "plain",
    root,
    lookup: (_dir, name) => (name === "f" ? { ino: 2, mode: 0o100644 } : null),
    readdir: () => [{ name: "f", ino: 2, mode: 0o100644 }],
  });
  fs.mkdirSync("/m");
  vfs.mount(null, "/m", "plain");
  const { uid, gid, size, nlink, mtime } = fs.statSync("/m/f");
  const failed = codeOf(() => fs.rmSync("/d"));
  const missing = codeOf(() => fs.statSync("/m/missing"));
  const read = codeOf(() => fs.readFileSync("/m/f", "utf8"));
  const written = codeOf(() => fs.appendFileSync("/m/f", "x"));
  fs.rmSync("/d", { recursive: true });
  const context = vfs.context();
  const result = [uid, gid, size, nlink, mtime, failed, missing, read, written, fs.readdirSync("/"), context.umask()];
  second.close();
  vfs.close();
  return result;
}

/** Names that the engine or the library reads from objects that are made for it, with values that would change what it does. */
const POLLUTIONS: readonly [name: string, value: unknown][] = [
  ...["get", "set", "value", "writable"].flatMap((name): [string, unknown][] => [
    [name, () => 5],
    [name, 5],
  ]),
  ...["security", "audit", "point"].map((name): [string, unknown] => [name, () => -13]),
  ["now", () => 1],
  ["takeOver", 0],
  ["locks", {}],
  ["thread", "x"],
  ["closeOnExit", true],
  ["lockTimeoutMs", -1],
  ["ancestors", [1]],
  ["0", { name: "f", type: 8 }],
  ...["uid", "gid", "size", "nlink", "mtimeMs"].map((name): [string, unknown] => [name, 7]),
  ...["write", "read", "revalidate", "setattr", "permission"].map((name): [string, unknown] => [name, () => false]),
  ["code", "ENOENT"],
];

// Fails where an object that the library makes, or a driver's, has Object.prototype for its defaults.
describe("a changed Object.prototype changes nothing in trees, contexts and drivers", async () => {
  const expected = await useTree();
  for (const [name, value] of POLLUTIONS) {
    test(`${name}: ${typeof value}`, async () => {
      assert.deepEqual(await withPolluted(name, value, useTree), expected);
    });
  }
});

describe("options that are no objects, and values of other types", () => {
  test("null and values that are no objects are refused with what was expected", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/d");
    for (const value of [null, 5, "uid", true, Symbol("x"), [], () => {}]) {
      const options = value as never;
      const calls: Record<string, () => unknown> = {
        context: () => vfs.context(options),
        mount: () => vfs.mount(null, "/d", "tmpfs", options),
        umount: () => vfs.umount("/d", options),
        counters: () => vfs.counters(options),
        walkMode: () => vfs.walkMode(options),
        watchThreads: () => vfs.watchThreads(options),
      };
      for (const [name, call] of Object.entries(calls))
        refused("ERR_INVALID_ARG_TYPE", call, `${name}(${String(value)})`);
      await assert.rejects(attachVfs(vfs.handle, options), { code: "ERR_INVALID_ARG_TYPE" });
      await assert.rejects(createVfs(options), { code: "ERR_INVALID_ARG_TYPE" });
      await assert.rejects(loadCore(options), { code: "ERR_INVALID_ARG_TYPE" });
    }
    assert.equal(
      codeOf(() => (vfs as unknown as { walkMode(): unknown }).walkMode()),
      "ERR_INVALID_ARG_TYPE",
    );
  });

  test("a switch is true or false", async () => {
    const vfs = await tree();
    vfs.fs.mkdirSync("/d");
    for (const value of [null, 0, 1, "yes", {}]) {
      for (const name of ["readonly", "noexec", "bind", "move"]) {
        refused("ERR_INVALID_ARG_TYPE", () => vfs.mount(null, "/d", "tmpfs", { [name]: value }), name);
      }
      refused("ERR_INVALID_ARG_TYPE", () => vfs.umount("/d", { detach: value as never }));
      refused("ERR_INVALID_ARG_TYPE", () => vfs.walkMode({ ref: value as never }));
      refused("ERR_INVALID_ARG_TYPE", () => vfs.counters({ own: value as never }));
    }
    vfs.mount(null, "/d", "tmpfs", { readonly: true });
    refused("EROFS", () => vfs.fs.writeFileSync("/d/f", ""));
    refused("ERR_INVALID_ARG_VALUE", () => vfs.context({ resolve: "under" as never }));
  });
});

describe("drivers", () => {
  test("a driver may not have the name of a built-in type", async () => {
    const vfs = await tree();
    for (const name of ["tmpfs", "bind"]) refused("ERR_INVALID_ARG_VALUE", () => vfs.registerDriver({ name, root }));
  });

  test("the object of a class may have other properties, but no misspelt hook", async () => {
    const vfs = await tree();
    class Own implements Driver {
      readonly name: string = "own";
      readonly files = new Map<string, number>();
      root = root;
      find(name: string) {
        return this.files.get(name);
      }
    }
    vfs.registerDriver(new Own());
    class Misspelt extends Own {
      override readonly name = "misspelt";
      readDir() {
        return [];
      }
    }
    assert.throws(() => vfs.registerDriver(new Misspelt()), { message: /"driver.readDir" .*Did you mean "readdir"/ });
  });
});

test("umask() without an argument reads; its argument is checked as that of process.umask()", async () => {
  const vfs = await tree();
  vfs.umask(0o077);
  const worker = new (await import("node:worker_threads")).Worker(
    new URL(
      `data:text/javascript,${encodeURIComponent(`
        import { workerData, parentPort } from "node:worker_threads";
        const { attachVfs } = await import(workerData.library);
        const vfs = await attachVfs(workerData.handle);
        const stop = new Int32Array(workerData.stop);
        parentPort.postMessage("ready");
        while (Atomics.load(stop, 0) === 0) for (let n = 0; n < 1000; n++) vfs.umask();
      `)}`,
    ),
    {
      workerData: {
        handle: vfs.handle,
        library: new URL("../../../dist/src/index.js", import.meta.url).href,
        stop: new SharedArrayBuffer(4),
      },
    },
  );
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  for (let n = 0; n < 5000; n++) {
    vfs.fs.writeFileSync("/f", "");
    assert.equal(vfs.fs.statSync("/f").mode & 0o777, 0o600);
    vfs.fs.unlinkSync("/f");
  }
  await worker.terminate();
  assert.equal(vfs.umask(), 0o077);
  for (const mask of [null, {}, true, -1, 2 ** 32, 1.5, "9", "", "0o7", Number.NaN]) {
    const expected = codeOf(() => process.umask(mask as number));
    assert.ok(expected);
    refused(expected, () => vfs.umask(mask as number), `${mask}`);
    assert.equal(vfs.umask(), 0o077);
  }
  assert.equal(vfs.umask("027"), 0o077);
  assert.equal(vfs.umask(0o7777), 0o027);
  assert.equal(vfs.umask(), 0o777);
});
