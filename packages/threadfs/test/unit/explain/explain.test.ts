/**
 * `vfs.explain()` on the shipping core: what it says of each kind of step, and which arguments it refuses. That it tells the truth is in
 * truth.test.ts.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { O_DIRECTORY } from "../../../dist/abi/abi.js";
import {
  ACL_TAG,
  type ExplainOptions,
  type Explanation,
  loadCore,
  type TraceStep,
  type Vfs,
} from "../../../dist/src/index.js";
import { createVfs as createInline } from "../../../dist/src/inline.js";
import { createVfs as createModule } from "../../../dist/src/module.js";
import { DEBUG_CORE } from "../../support/debug-core.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { shippedTree } from "../../support/interleavings.js";

type Kind = TraceStep["step"];
const of = <K extends Kind>({ steps }: Explanation, kind: K) =>
  steps.filter((step): step is Extract<TraceStep, { step: K }> => step.step === kind);

describe("what an explanation says", () => {
  test("the steps to a file, all in rcu mode, with the sequences of dentries and mounts, and the file", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.mkdirSync("/dir");
    vfs.fs.writeFileSync("/dir/file", "hello");
    const told = await vfs.explain("/dir/./file");
    const { ino, mode, uid, gid, nlink } = vfs.fs.statSync("/dir/file");
    assert.deepEqual(told.found, { ino, mode, uid, gid, nlink, size: 5 });
    assert.deepEqual([told.answer, told.mode, told.drops, told.restarts, told.error], ["ok", "rcu", [], [], undefined]);
    assert.deepEqual(
      of(told, "component").map(({ name, kind, mode }) => [name, kind, mode]),
      [
        ["dir", "name", "rcu"],
        [".", "dot", "rcu"],
        ["file", "name", "rcu"],
      ],
    );
    assert.deepEqual(
      of(told, "sequence").map(({ of, sequence }) => [of, sequence % 2]),
      [["mounts", 0]],
    );
    const [dir] = of(told, "found");
    assert.equal(of(told, "parent").at(-1)?.sequence, dir?.sequence, "what was read is what is compared");
    assert.deepEqual(structuredClone({ ...told }), { ...told }, "plain data");
  });

  test("who decides on each directory: everyone, owner, group, others, an ACL, a capability", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.mkdirSync("/a/b/c/d", { recursive: true, mode: 0o755 });
    vfs.fs.chmodSync("/a/b", 0o711 & ~0o001);
    vfs.fs.chownSync("/a/b", 7, 8);
    vfs.fs.mkdirSync("/acl/x", { recursive: true });
    vfs.fs.chmodSync("/acl", 0o700);
    vfs.setfacl("/acl", [
      { tag: ACL_TAG.USER_OBJ, perm: 7 },
      { tag: ACL_TAG.USER, id: 7, perm: 5 },
      { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
      { tag: ACL_TAG.MASK, perm: 5 },
      { tag: ACL_TAG.OTHER, perm: 0 },
    ]);
    const by = async (path: string, ids: { uid: number; gid: number; caps?: number }) => {
      const context = vfs.context(ids);
      // What the thread's own lookup has found out about the directories is not taken for granted.
      context.fs.existsSync(path);
      const told = await context.explain(path);
      return [...of(told, "permission").map(({ by }) => by), told.answer];
    };
    assert.deepEqual(await by("/a/b/c", { uid: 7, gid: 9 }), ["everyone", "everyone", "owner", "ok"]);
    assert.deepEqual(await by("/a/b/c", { uid: 9, gid: 8 }), ["everyone", "everyone", "group", "ok"]);
    assert.deepEqual(await by("/a/b/c", { uid: 9, gid: 9 }), ["everyone", "everyone", "other", "EACCES"]);
    assert.deepEqual(await by("/a/b/c", { uid: 0, gid: 0 }), ["everyone", "everyone", "capability", "ok"]);
    assert.deepEqual(await by("/acl/x", { uid: 7, gid: 9 }), ["everyone", "acl", "ok"]);
    assert.deepEqual(await by("/acl/x", { uid: 9, gid: 9 }), ["everyone", "acl", "EACCES"]);
  });

  test("access at the end, for another user than the owner", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.writeFileSync("/f", "", { mode: 0o640 });
    const told = await vfs.context({ uid: 5, gid: 5 }).explain("/f", { access: 4 });
    assert.deepEqual([told.call, told.error?.code, of(told, "access")[0]?.by], ["access", "EACCES", "other"]);
    assert.equal(told.found, undefined);
    assert.equal((await vfs.explain("/f", { access: 4 })).answer, "ok");
  });
});

describe("links, mounts and missing names in an explanation", () => {
  test("a link: the one walk in ref mode that updates its time of access, then the body in rcu mode", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/f", "x");
    vfs.fs.symlinkSync("../d/f", "/d/link");
    const first = await vfs.explain("/d/link");
    assert.deepEqual([first.drops, first.mode, of(first, "linkInRef")[0]?.why], [["LINK"], "ref", "atime"]);
    const second = await vfs.explain("/d/link");
    assert.deepEqual([second.drops, second.mode], [[], "rcu"]);
    assert.deepEqual(
      of(second, "link").map(({ path, body }) => [path, body]),
      [["/d/link", "../d/f"]],
    );
    assert.deepEqual(
      of(second, "dotdot").map(({ from, path }) => [from, path]),
      [["/d", "/"]],
    );
    assert.equal((await vfs.explain("/d/link", { follow: false })).call, "lstat");
    assert.equal(of(await vfs.explain("/d/link", { follow: false }), "link").length, 0);
  });

  test("a mount, and what openat2 forbids there", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.mkdirSync("/m");
    vfs.mount("none", "/m", "tmpfs");
    vfs.fs.mkdirSync("/m/in");
    const told = await vfs.explain("/m/in/../..");
    assert.deepEqual([of(told, "mountDown").length, of(told, "mountUp").length, told.mode], [1, 1, "rcu"]);
    const codes: [ExplainOptions["resolve"], string][] = [
      ["no-xdev", "EXDEV"],
      ["no-symlinks", "ok"],
      ["in-root", "ok"],
      [["in-root", "no-xdev"], "EXDEV"],
      ["beneath", "EXDEV"],
    ];
    for (const [resolve, code] of codes) assert.equal((await vfs.explain("/m/in", { resolve })).answer, code);
    assert.ok(of(await vfs.explain("m/in", { resolve: "beneath" }), "sequence").some(({ of }) => of === "renames"));
  });

  test("a missing name: known as negative, and certain where the directory is complete", async (t) => {
    const vfs = await shippedTree(t);
    const told = await vfs.explain("/none/below");
    assert.deepEqual([told.answer, of(told, "missing")[0]?.final], ["ENOENT", true]);
    assert.equal(told.error?.message, "ENOENT: no such file or directory, stat '/none/below'");
    const inRef = await vfs.explain("/none", { ref: true });
    assert.deepEqual([inRef.answer, inRef.mode, of(inRef, "missing")[0]?.final], ["ENOENT", "ref", true]);
    const driver = objectDriver("d", {});
    vfs.registerDriver(driver);
    vfs.fs.mkdirSync("/d");
    vfs.mount("none", "/d", "d");
    assert.deepEqual((await vfs.explain("/d/none")).drops, ["UNCACHED"]);
    const again = await vfs.explain("/d/none");
    assert.deepEqual([again.answer, again.drops, of(again, "negative")[0]?.path], ["ENOENT", [], "/d/none"]);
  });
});

describe("hooks and the prefix cache in an explanation", () => {
  test("the hooks of a driver and of the host, with what they answer; generation numbers", async (t) => {
    let audited = 0;
    const vfs = await shippedTree(t, { security: () => 0, audit: () => audited++ });
    const driver = objectDriver("d", { dir: { f: "x" }, l: { link: "dir" } });
    vfs.fs.mkdirSync("/a");
    audited = 0;
    assert.deepEqual(
      of(await vfs.explain("/a"), "hook").map(({ hook, driver, answer }) => [hook, driver, answer]),
      [["security", "", "ok"]],
    );
    assert.equal(audited, 0, "an explanation is not an access");
    const plain = await shippedTree(t);
    plain.registerDriver(Object.assign(driver, { revalidate: () => true, generation: true }));
    plain.fs.mkdirSync("/d");
    plain.mount("none", "/d", "d");
    const hooks = (told: Explanation) => of(told, "hook").map(({ hook, driver, answer }) => [hook, driver, answer]);
    assert.deepEqual(hooks(await plain.explain("/d/l/f")), [
      ["lookup", "d", "ok"],
      ["readlink", "d", "ok"],
      ["lookup", "d", "ok"],
      ["lookup", "d", "ok"],
    ]);
    const cached = await plain.explain("/d/dir/f");
    assert.deepEqual([hooks(cached), cached.drops], [[], []]);
    assert.ok(of(cached, "generation").every(({ entry, fileSystem }) => entry === fileSystem));
    plain.invalidate("/d");
    const stale = await plain.explain("/d/dir/f");
    assert.deepEqual([stale.drops, hooks(stale)[0]], [["REVALIDATE"], ["revalidate", "d", "valid"]]);
    const [generation] = of(stale, "generation");
    assert.equal(generation && generation.fileSystem - generation.entry, 1);
  });

  // Fails when replay() makes its walks without the thread's own prefix cache.
  test("the thread's prefix cache: what its own lookups have put there, with the sequences of the entry", async (t) => {
    const vfs = await shippedTree(t);
    const directory = "/a/long-directory/another-long-one/last";
    vfs.fs.mkdirSync(directory, { recursive: true });
    vfs.fs.writeFileSync(`${directory}/file`, "");
    assert.equal(of(await vfs.explain(`${directory}/file`), "cached").length, 0);
    for (let i = 0; i < 3; i++) vfs.fs.statSync(`${directory}/file`);
    const told = await vfs.explain(`${directory}/file`);
    const [cached] = of(told, "cached");
    assert.deepEqual([cached?.path, cached?.prefix, cached?.chain.length], [directory, directory, 4]);
    assert.equal(cached?.for, "everyone");
    assert.deepEqual(
      of(told, "component").map(({ name }) => name),
      ["file"],
    );
    const whole = await vfs.explain(`${directory}/file`, { prefixCache: false });
    assert.deepEqual([of(whole, "cached").length, of(whole, "component").length], [0, 5]);
    assert.deepEqual(whole.found, told.found);
    // A change of the chain: the entry is not valid any more.
    vfs.fs.renameSync("/a/long-directory", "/a/away");
    assert.equal((await vfs.explain(`${directory}/file`)).answer, "ENOENT");
  });

  test("the thread's prefix cache: an entry that is for one context, since not every user may search its directories", async (t) => {
    const vfs = await shippedTree(t);
    const directory = "/a/long-directory/another-long-one/last";
    vfs.fs.mkdirSync(directory, { recursive: true });
    vfs.fs.writeFileSync(`${directory}/file`, "");
    vfs.fs.chmodSync("/a/long-directory", 0o700);
    const user = vfs.context({ uid: 1000, gid: 1000 });
    t.after(() => user.close());
    for (let i = 0; i < 3; i++) vfs.fs.statSync(`${directory}/file`);
    const told = await vfs.explain(`${directory}/file`);
    const [cached] = of(told, "cached");
    assert.deepEqual([cached?.prefix, cached?.for, cached?.chain.length], [directory, "context", 4]);
    assert.match(String(told), /in the prefix cache of this context, which may search every directory on the way: at/);
    const refused = await user.explain(`${directory}/file`);
    assert.deepEqual([refused.answer, of(refused, "cached").length], ["EACCES", 0]);
  });
});

describe("contexts and errors in an explanation", () => {
  test("a context: its user, root, working directory, descriptors and limits", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.mkdirSync("/jail/home", { recursive: true });
    vfs.fs.symlinkSync("/etc", "/jail/home/out");
    const jailed = vfs.context({ root: "/jail", cwd: "/home", resolve: "beneath" });
    const told = await jailed.explain("out");
    assert.equal(told.answer, "EXDEV");
    assert.equal(of(told, "start")[0]?.path, "/home");
    const fd = jailed.openat2Sync(null, "/home", { flags: O_DIRECTORY });
    const at = await jailed.explain("none", { dir: fd });
    assert.deepEqual([at.answer, of(at, "start")[0]?.path], ["ENOENT", `fd ${fd}`]);
    assert.equal((await jailed.explain("none", { dir: fd + 1 })).answer, "EBADF");
    jailed.close();
    await assert.rejects(jailed.explain("/"), { code: "ERR_THREADFS_CLOSED" });
  });

  test("errors of whole walks: ELOOP, ENOTDIR, ENAMETOOLONG, and a driver that this thread lacks", async (t) => {
    const vfs = await shippedTree(t);
    vfs.fs.symlinkSync("loop", "/loop");
    vfs.fs.writeFileSync("/f", "");
    const cases: [string, string][] = [
      ["/loop", "ELOOP"],
      ["/f/x", "ENOTDIR"],
      ["/f/", "ENOTDIR"],
      [`/${"n".repeat(256)}`, "ENAMETOOLONG"],
      [`/${"n/".repeat(3000)}`, "ENAMETOOLONG"],
      ["", "ENOENT"],
    ];
    for (const [path, code] of cases) assert.equal((await vfs.explain(path)).error?.code, code, path.slice(0, 20));
  });
});

describe("explain(): arguments, and where the debug build comes from", () => {
  test("bad arguments are refused", async (t) => {
    const vfs = await shippedTree(t);
    const cases: [unknown, unknown, string][] = [
      [1, undefined, "ERR_INVALID_ARG_TYPE"],
      ["/a\0", undefined, "ERR_INVALID_ARG_VALUE"],
      ["/", { folow: true }, "ERR_INVALID_ARG_VALUE"],
      ["/", { follow: 1 }, "ERR_INVALID_ARG_TYPE"],
      ["/", { ref: "no" }, "ERR_INVALID_ARG_TYPE"],
      ["/", { prefixCache: 0 }, "ERR_INVALID_ARG_TYPE"],
      ["/", { access: 8 }, "ERR_OUT_OF_RANGE"],
      ["/", { access: "r" }, "ERR_OUT_OF_RANGE"],
      ["/", { resolve: "everything" }, "ERR_INVALID_ARG_VALUE"],
      ["/", { dir: -1 }, "ERR_OUT_OF_RANGE"],
      ["/", { core: {} }, "ERR_INVALID_ARG_TYPE"],
      ["/", { core: await loadCore() }, "ERR_THREADFS_CORE"],
    ];
    for (const [path, options, code] of cases) {
      const told = vfs.explain(path as string, options as ExplainOptions);
      await assert.rejects(told, { code }, JSON.stringify(options));
    }
    assert.equal((await vfs.explain("/")).answer, "ok");
  });

  test('"threadfs" loads it; "threadfs/inline" and "threadfs/module" are given it', async (t) => {
    const debug = (await loadCore({ url: DEBUG_CORE })) as WebAssembly.Module;
    for (const create of [createInline, createModule]) {
      const core = new WebAssembly.Module(readFileSync(new URL("core.wasm", DEBUG_CORE)));
      const vfs = await create({ maxBytes: 16 << 20, core });
      t.after(() => vfs.close());
      await assert.rejects(vfs.explain("/"), { code: "ERR_THREADFS_CORE" });
      assert.equal((await vfs.explain("/", { core: debug })).answer, "ok");
    }
  });

  test("a hook is refused, as for every other call", async (t) => {
    let inside: Promise<unknown> | undefined;
    const vfs: Vfs = await shippedTree(t, {
      security: () => {
        inside ??= vfs.explain("/");
        inside.catch(() => {});
        return 0;
      },
    });
    vfs.fs.mkdirSync("/a/b", { recursive: true });
    vfs.fs.existsSync("/a/b");
    assert.ok(inside);
    await assert.rejects(inside, { code: "ERR_THREADFS_REENTERED" });
  });
});

test("the example in docs/api.md prints what stands there", async (t) => {
  const page = readFileSync(new URL("../../../../../docs/api.md", import.meta.url), "utf8");
  const [, code = "", printed = ""] =
    /## Explaining a lookup[\s\S]*?```js\n([\s\S]*?)```\n\n```\n([\s\S]*?)```/.exec(page) ?? [];
  assert.notEqual(printed, "");
  const vfs = await shippedTree(t);
  const lines: string[] = [];
  const run = new Function("vfs", "console", `return (async () => {${code}})();`) as (
    vfs: Vfs,
    console: { log(line: string): void },
  ) => Promise<void>;
  await run(vfs, { log: (line) => void lines.push(line) });
  // Addresses are those of the arena's layout.
  const plain = (text: string) => text.replace(/0x[0-9a-f]+/g, "0x").trimEnd();
  assert.equal(plain(lines.join("\n")), plain(printed));
});
