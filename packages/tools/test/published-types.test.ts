/** What the library publishes as its types. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { REPOSITORY } from "../dist/documents.js";

const TYPES = join(REPOSITORY, "packages", "threadfs", "dist", "types", "src");
const COMPILER = join(REPOSITORY, "node_modules", "typescript", "bin", "tsc");

// Fails when a file with an exported type also declares a function that takes a type of the inside: the declarations import it.
test("the published types need the types of no host", () => {
  const files = [
    "index",
    "inline",
    "module",
    "emscripten",
    "just-bash",
    "napi-rs",
    "node-vfs",
    "wasi",
    "wasi-preview2",
  ].map((entry) => join(TYPES, `${entry}.d.ts`));
  const options = "--ignoreConfig --noEmit --strict --module nodenext --target es2024 --lib es2024 --types".split(" ");
  const { status, stdout } = spawnSync(process.execPath, [COMPILER, ...options, "", ...files], { encoding: "utf8" });
  assert.equal(stdout.split("\n").slice(0, 20).join("\n"), "");
  assert.equal(status, 0);
});
