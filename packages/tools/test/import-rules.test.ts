/** The rules for imports in biome.json fire: each is broken once, in a folder of its own that has the project's configuration. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BIOME = join(ROOT, "node_modules", "@biomejs", "biome", "bin", "biome");

/** A file, a specifier that it imports from, and whether it may. */
type Import = [file: string, specifier: string, allowed: boolean];

const LIBRARY = "packages/threadfs";
const IMPORTS: Import[] = [
  [`${LIBRARY}/core/mem/a.ts`, "../vfs/layout", false],
  [`${LIBRARY}/core/mem/lock/a.ts`, "../../fs/tmpfs/data", false],
  [`${LIBRARY}/core/mem/lock/b.ts`, "../layout", true],
  [`${LIBRARY}/core/vfs/a.ts`, "../sys/index", false],
  [`${LIBRARY}/core/vfs/walk/a.ts`, "lodash", false],
  [`${LIBRARY}/core/vfs/walk/b.ts`, "../../../src/errors/errors.js", false],
  [`${LIBRARY}/core/vfs/walk/c.ts`, "../../../abi/errno", true],
  [`${LIBRARY}/core/host.ts`, "../abi/errno", false],
  [`${LIBRARY}/core/tracepoints.ts`, "./mem/layout", false],
  [`${LIBRARY}/abi/a.ts`, "./errno.js", false],
  [`${LIBRARY}/src/errors/a.ts`, "../bridge/load.js", false],
  [`${LIBRARY}/src/bridge/a.ts`, "../node-fs/args.js", false],
  [`${LIBRARY}/src/bridge/b.ts`, "../api/vfs.js", false],
  [`${LIBRARY}/src/bridge/c.ts`, "node:fs", false],
  [`${LIBRARY}/src/bridge/d.ts`, "../errors/errors.js", true],
  [`${LIBRARY}/src/bridge/node.ts`, "node:fs/promises", false],
  [`${LIBRARY}/src/node-fs/a.ts`, "../api/context.js", false],
  [`${LIBRARY}/src/node-fs/b.ts`, "lodash", false],
  [`${LIBRARY}/src/node-fs/c.ts`, "node:fs/promises", true],
  [`${LIBRARY}/src/node-fs/d.ts`, "../load-save/json.js", false],
  [`${LIBRARY}/src/load-save/a.ts`, "../api/vfs.js", false],
  [`${LIBRARY}/src/load-save/b.ts`, "../node-fs/args.js", true],
  [`${LIBRARY}/src/api/a.ts`, "../index.js", false],
  [`${LIBRARY}/src/api/b.ts`, "../wasi/wasi.js", false],
  [`${LIBRARY}/src/node-fs/z.ts`, "../emscripten/mount.js", false],
  [`${LIBRARY}/src/emscripten/a.ts`, "../wasi/wasi.js", false],
  [`${LIBRARY}/src/just-bash/a.ts`, "../wasi/wasi.js", false],
  [`${LIBRARY}/src/just-bash/b.ts`, "../node-fs/types.js", true],
  [`${LIBRARY}/src/node-vfs/a.ts`, "../just-bash/paths.js", false],
  [`${LIBRARY}/src/node-vfs/b.ts`, "../bridge/node.js", true],
  [`${LIBRARY}/src/wasi/a.ts`, "../index.js", false],
  [`${LIBRARY}/src/wasi/c.ts`, "../napi-rs/binding.js", false],
  [`${LIBRARY}/src/napi-rs/a.ts`, "../emscripten/mount.js", false],
  [`${LIBRARY}/src/napi-rs/b.ts`, "../wasi/wasi.js", true],
  [`${LIBRARY}/src/wasi/b.ts`, "../api/context.js", true],
  ["packages/cli/src/a.ts", "../../threadfs/dist/src/index.js", false],
  ["packages/cli/src/b.ts", "threadfs", true],
  ["packages/verify/src/a.ts", "../../bench/dist/run.js", false],
  ["packages/verify/src/machine/a.ts", "../explore/explore.js", false],
  ["packages/verify/src/model/a.ts", "../fsck/fsck.js", false],
  ["packages/verify/src/races/a.ts", "../explore/explore.js", true],
  ["packages/bench/src/a.ts", "../../verify/dist/main.js", false],
];

let dir = "";
/** The files that biome refuses, each with the names of the rules. */
const refused = new Map<string, string[]>();

function write(file: string, text: string): void {
  mkdirSync(dirname(join(dir, file)), { recursive: true });
  writeFileSync(join(dir, file), text);
}

before(() => {
  dir = mkdtempSync(join(tmpdir(), "threadfs-imports-"));
  cpSync(join(ROOT, "biome.json"), join(dir, "biome.json"));
  for (const [file, specifier] of IMPORTS) write(file, `import { x } from "${specifier}";\nexport const y = x;\n`);
  write("packages/bench/src/one.ts", 'import { two } from "./two.js";\nexport const one = () => two;\n');
  write("packages/bench/src/two.ts", 'import { one } from "./one.js";\nexport const two = () => one;\n');
  write(`${LIBRARY}/core/vfs/one.ts`, 'import { two } from "./two";\nexport const one = () => two;\n');
  write(`${LIBRARY}/core/vfs/two.ts`, 'import { one } from "./one";\nexport const two = () => one;\n');
  const args = [BIOME, "lint", "--reporter=github", "--max-diagnostics=none", "packages"];
  const { stdout } = spawnSync(process.execPath, args, { cwd: dir, encoding: "utf8" });
  for (const [, rule = "", path = ""] of stdout.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+),/g)) {
    const file = path.slice(path.indexOf("packages/"));
    refused.set(file, [...(refused.get(file) ?? []), rule]);
  }
});

after(() => rmSync(dir, { recursive: true, force: true }));

describe("the rules for imports", () => {
  for (const [file, specifier, allowed] of IMPORTS) {
    test(`${file} may ${allowed ? "" : "not "}import ${specifier}`, () => {
      assert.deepEqual(refused.get(file) ?? [], allowed ? [] : ["noRestrictedImports"]);
    });
  }

  for (const folder of ["packages/bench/src", `${LIBRARY}/core/vfs`]) {
    test(`a cycle of imports in ${folder} is refused`, () => {
      assert.deepEqual(refused.get(`${folder}/one.ts`), ["noImportCycles"]);
      assert.deepEqual(refused.get(`${folder}/two.ts`), ["noImportCycles"]);
    });
  }
});
