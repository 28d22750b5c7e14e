/**
 * The house stands as it is drawn: imports run downward only, no Node API outside the layers that are Node's.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Sources below a directory, by their path from the project's root. */
function sources(dir) {
  const files = {};
  for (const entry of readdirSync(join(root, dir), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const path = relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/");
    files[path] = readFileSync(join(root, path), "utf8");
  }
  return files;
}

const core = sources("core");
const src = { ...sources("src"), ...sources("abi"), ...sources("generated") };

/** Comments out of the way: a file may talk of another without importing it. */
function code(text) {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

/** What a file imports: [specifier, only types]. */
function imports(text) {
  const found = [];
  const from = /\b(import|export)\s+(type\s+)?([\w*{}\s,$]*?)\s*from\s*["']([^"']+)["']/g;
  for (const [, , type, , specifier] of code(text).matchAll(from)) found.push([specifier, type !== undefined]);
  for (const [, specifier] of code(text).matchAll(/\bimport\s*\(?\s*["']([^"']+)["']/g)) found.push([specifier, false]);
  return found;
}

/** Files of the project that a file imports. */
function local(path, text, { types = true } = {}) {
  return imports(text)
    .filter(([specifier, type]) => specifier.startsWith(".") && (types || !type))
    .map(([specifier]) => {
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, "");
      return target.endsWith(".ts") ? target : `${target}.ts`;
    });
}

/** Strongly connected groups of more than one file (Tarjan), each sorted. */
function cycles(graph) {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const groups = [];
  const visit = (node) => {
    index.set(node, index.size);
    low.set(node, index.get(node));
    stack.push(node);
    for (const next of graph[node] ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(node, Math.min(low.get(node), low.get(next)));
      } else if (stack.includes(next)) low.set(node, Math.min(low.get(node), index.get(next)));
    }
    if (low.get(node) !== index.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) groups.push(group.sort());
  };
  for (const node of Object.keys(graph)) if (!index.has(node)) visit(node);
  return groups;
}

function graphOf(files, options) {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path, local(path, text, options)]));
}

describe("the reading of imports itself", () => {
  test("finds every form, and none in comments", () => {
    const text = `
      import * as host from "../host";
      import { a,
        b as c } from "./x.js";
      import type { T } from "./t.js";
      export { d } from "./y.js";
      export * from './z.js';
      import "./side.js";
      const m = await import("node:fs");
      // import { no } from "./no.js";
      /* import "./never.js"; */
      const url = "http://x"; import e from "./e.js";`;
    assert.deepEqual(
      imports(text)
        .map(([specifier]) => specifier)
        .sort(),
      ["../host", "./e.js", "./side.js", "./t.js", "./x.js", "./y.js", "./z.js", "node:fs"],
    );
  });
  test("finds a cycle where there is one", () => {
    assert.deepEqual(cycles({ a: ["b"], b: ["c"], c: ["b"], d: ["a"] }), [["b", "c"]]);
    assert.deepEqual(cycles({ a: ["b"], b: ["c"], c: [] }), []);
  });
  test("every file was read", () => {
    assert.ok(Object.keys(core).length >= 30 && Object.keys(src).length >= 20);
    for (const [path, text] of Object.entries({ ...core, ...src })) {
      for (const target of local(path, text)) {
        assert.ok(
          target in core || target in src || target.endsWith(".d.ts"),
          `${path} imports ${target}, which is not there`,
        );
      }
    }
  });
});

describe("core", () => {
  test("mem knows nothing of files, and nothing knows of the table of calls", () => {
    for (const [path, text] of Object.entries(core)) {
      for (const target of local(path, text)) {
        if (path.startsWith("core/mem/"))
          assert.match(target, /^core\/(mem|host|tracepoints)|^abi\//, `${path} imports ${target}`);
        assert.notEqual(target, "core/sys/index.ts", `${path} imports the table of calls`);
        assert.match(target, /^(core|abi)\//, `${path} imports ${target}`);
      }
    }
  });
  test("the host and the points stand below everything", () => {
    assert.deepEqual(local("core/host.ts", core["core/host.ts"]), []);
    assert.deepEqual(local("core/tracepoints.ts", core["core/tracepoints.ts"]), ["core/host.ts"]);
  });
  test("no import goes round in a circle but for three structures that point at each other", () => {
    // A dentry has an inode and a super block, an inode a super block, a super block its root: each file needs the others' types
    // (AssemblyScript has no imports of types alone), and the inode the dentry's numbers for its own type.
    assert.deepEqual(cycles(graphOf(core)), [
      ["core/vfs/dcache/dentry.ts", "core/vfs/inode/inode.ts", "core/vfs/mount/super.ts"],
    ]);
  });
  test("nothing is imported from a package", () => {
    for (const [path, text] of Object.entries(core)) {
      for (const [specifier] of imports(text)) assert.ok(specifier.startsWith("."), `${path} imports ${specifier}`);
    }
  });
});

describe("src", () => {
  /** Layers from the bottom; a file may import what stands in its own layer or below. */
  const LAYERS = [
    /^(?:abi|generated)\/|^src\/(errors\/errno|bridge\/wasm)\.ts$/,
    /^src\/errors\/errors\.ts$/,
    /^src\/(bridge\/(driver|load|web-locks|node)|node-fs\/(args|bytes|constants))\.ts$/,
    /^src\/bridge\/attachment\.ts$/,
    /^src\/node-fs\//,
    /^src\/api\/context\.ts$/,
    /^src\/api\/vfs\.ts$/,
    /^src\/(index|api\/trace)\.ts$/,
  ];
  const layer = (path) => LAYERS.findIndex((pattern) => pattern.test(path));

  test("imports run downward", () => {
    for (const [path, text] of Object.entries(src)) {
      assert.notEqual(layer(path), -1, `${path} stands in no layer`);
      for (const target of local(path, text)) {
        assert.ok(layer(target) <= layer(path), `${path} imports ${target}, which stands above it`);
      }
    }
  });
  test("and never in a circle", () => {
    assert.deepEqual(cycles(graphOf(src, { types: false })), []);
  });
  test("the shared numbers import nothing", () => {
    const numbers = Object.entries(src).filter(([path]) => path.startsWith("abi/") && path !== "abi/abi.ts");
    for (const [path, text] of numbers) assert.deepEqual(imports(text), [], path);
  });
  test("node: stands in src/node-fs and src/bridge/node.ts only", () => {
    let seen = 0;
    for (const [path, text] of Object.entries(src)) {
      for (const [specifier, type] of imports(text)) {
        // Types leave no trace in what is shipped: the surface is typed as Node's own.
        if (!specifier.startsWith("node:") || type) continue;
        seen++;
        assert.match(path, /^src\/(node-fs\/|bridge\/node\.ts)/, `${path} imports ${specifier}`);
      }
    }
    assert.ok(seen > 0);
  });
  test("no package is imported", () => {
    for (const [path, text] of Object.entries(src)) {
      for (const [specifier] of imports(text)) {
        assert.ok(specifier.startsWith(".") || specifier.startsWith("node:"), `${path} imports ${specifier}`);
      }
    }
  });
  test("nothing does anything when it is imported", async () => {
    const state = () => [process.exitCode, process.getActiveResourcesInfo().length, process.listenerCount("exit")];
    const before = state();
    for (const path of Object.keys(src)) {
      await import(new URL(`../../dist/${path.replace(/\.ts$/, ".js")}`, import.meta.url));
    }
    assert.deepEqual(state(), before);
  });
});
