/** The two entries of the package, and where they get the core from. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import * as entry from "../../../dist/src/index.js";
import * as inline from "../../../dist/src/inline.js";

const PACKAGE = new URL("../../../", import.meta.url);
const DIST = new URL("dist/", PACKAGE);
const CORE = new URL("core.wasm", DIST);

/** The modules of the package that an entry imports, by their paths below dist/. */
function graphOf(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const text = readFileSync(new URL(path, DIST), "utf8");
  for (const [, specifier = ""] of text.matchAll(/(?:\bfrom |\bimport\(|^import )"([^"]*)"/gm)) {
    assert.match(specifier, /^\.\.?\//, `${path} imports ${specifier}`);
    graphOf(new URL(specifier, new URL(path, DIST)).href.slice(DIST.href.length), seen);
  }
  return seen;
}

describe("the entries", () => {
  test("both export the same names", () => {
    assert.deepEqual(Object.keys(inline).sort(), Object.keys(entry).sort());
  });

  test("no module imports one of Node, so that a bundler for browsers meets none", () => {
    for (const path of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
      if (path.endsWith(".js")) graphOf(path.replaceAll("\\", "/"));
    }
  });

  test('the text of the core is imported by "threadfs/inline" alone, and the place of core.wasm by "threadfs" alone', () => {
    const [ours, theirs] = [graphOf("src/index.js"), graphOf("src/inline.js")];
    assert.deepEqual([ours.has("generated/core-inline.js"), ours.has("core-url.js")], [false, true], "threadfs");
    assert.deepEqual(
      [theirs.has("generated/core-inline.js"), theirs.has("core-url.js")],
      [true, false],
      "threadfs/inline",
    );
  });

  test("the places of both cores are written as bundlers look for them, and are beside the file that says it", () => {
    const text = readFileSync(new URL("core-url.js", DIST), "utf8");
    assert.match(text, /new URL\("\.\/core\.wasm", import\.meta\.url\)/);
    assert.match(text, /new URL\("\.\/core\.debug\.wasm", import\.meta\.url\)/);
    for (const core of [CORE, new URL("core.debug.wasm", DIST)]) assert.ok(readFileSync(core).length > 10_000);
  });

  test("every entry of package.json has files, for browsers too, and types", () => {
    const { exports } = JSON.parse(readFileSync(new URL("package.json", PACKAGE), "utf8")) as {
      exports: Record<string, string | Record<string, string>>;
    };
    for (const [name, target] of Object.entries(exports)) {
      const conditions = typeof target === "string" ? { default: target } : target;
      for (const file of Object.values(conditions)) assert.ok(readFileSync(new URL(file, PACKAGE)).length > 0, file);
      if (name === "./package.json") continue;
      assert.ok(conditions.types, `${name} has types`);
      if (!name.endsWith(".wasm")) assert.ok(conditions.browser, `${name} has the condition "browser"`);
    }
  });
});

describe("where the core comes from", () => {
  for (const [name, { createVfs, loadCore, attachVfs }] of Object.entries({ threadfs: entry, inline })) {
    test(`${name}: a tree is created and attached to`, async () => {
      const vfs = await createVfs({ maxBytes: 1 << 24 });
      const same = await attachVfs(vfs.handle);
      vfs.fs.writeFileSync("/file", "x");
      assert.equal(same.fs.readFileSync("/file", "utf8"), "x");
      same.close();
      vfs.close();
    });

    test(`${name}: the core is compiled once, and can be loaded from another place, by URL or string`, async () => {
      assert.equal(loadCore(), loadCore());
      assert.ok((await loadCore({ url: CORE })) instanceof WebAssembly.Module);
      assert.equal(loadCore({ url: CORE }), loadCore({ url: CORE.href }));
      const data = `data:application/wasm;base64,${readFileSync(CORE, "base64")}`;
      assert.ok((await loadCore({ url: data })) instanceof WebAssembly.Module);
    });

    test(`${name}: bad options are refused before anything is loaded`, async () => {
      for (const options of [undefined, null, 5]) {
        await assert.rejects(createVfs(options as unknown as entry.CreateOptions), { code: "ERR_INVALID_ARG_TYPE" });
      }
    });

    test(`${name}: an error of loading is coded, has its cause, and says what to do`, async () => {
      const missing = new URL("none.wasm", DIST);
      const wrong = new URL(import.meta.url);
      for (const url of [missing, missing.href, wrong, "data:text/html,<!doctype html>", "no URL"]) {
        await assert.rejects(loadCore({ url }), (error: Error & { code?: string }) => {
          assert.equal(error.code, "ERR_THREADFS_CORE");
          assert.ok(error.cause instanceof Error, String(error.cause));
          assert.ok(error.message.includes(String(url)) && error.message.includes("threadfs/inline"), error.message);
          return true;
        });
      }
    });
  }

  test("after a failure a later call tries again", async () => {
    const url = new URL("none.wasm", DIST);
    const first = entry.loadCore({ url });
    await assert.rejects(first, { code: "ERR_THREADFS_CORE" });
    const second = entry.loadCore({ url });
    assert.notEqual(first, second);
    await assert.rejects(second, { code: "ERR_THREADFS_CORE" });
  });

  test("a Node that has no getBuiltinModule is told which version is needed", async (t) => {
    const own = Object.getOwnPropertyDescriptor(process, "getBuiltinModule");
    t.after(() => own && Object.defineProperty(process, "getBuiltinModule", own));
    Object.defineProperty(process, "getBuiltinModule", { value: undefined, configurable: true });
    await assert.rejects(entry.createVfs({ maxBytes: 1 << 24 }), { code: "ERR_THREADFS_HOST", message: /20\.16/ });
    await assert.rejects(entry.loadCore({ url: `${CORE.href}?again` }), { code: "ERR_THREADFS_HOST" });
  });

  test("a browser's stand-in for process is not taken for Node", async (t) => {
    const { process } = globalThis;
    t.after(() => Object.defineProperty(globalThis, "process", { value: process, configurable: true, writable: true }));
    Object.defineProperty(globalThis, "process", {
      value: { env: {}, versions: {} },
      configurable: true,
      writable: true,
    });
    const vfs = await inline.createVfs({ maxBytes: 1 << 24 });
    vfs.fs.writeFileSync("/file", "x");
    vfs.close();
  });
});
