/** The two builds of the core: the one that ships and the one for tests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadCore } from "../../dist/src/index.js";
import { DEBUG_CORE } from "../support/debug-core.js";

const shipped = (await loadCore()) as WebAssembly.Module;
const debug = (await loadCore({ url: DEBUG_CORE })) as WebAssembly.Module;

const functions = (module: WebAssembly.Module): string[] =>
  WebAssembly.Module.exports(module).flatMap(({ kind, name }) => (kind === "function" ? [name] : []));
const imports = (module: WebAssembly.Module): string[] => WebAssembly.Module.imports(module).map(({ name }) => name);

test("both builds of the core export the same system calls", () => {
  assert.ok(functions(shipped).includes("sysStat"));
  assert.deepEqual(functions(debug), functions(shipped));
});

test("the debug build alone imports point", () => {
  assert.deepEqual(
    imports(debug).filter((name) => !imports(shipped).includes(name)),
    ["point"],
  );
});
