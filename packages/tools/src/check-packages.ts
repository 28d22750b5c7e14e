/**
 * Checks the published packages as their users get them: packs both, lints the tarballs, installs them into a fresh project, and
 * runs there the command line, the README's first example and a strict compilation.
 *
 *   npm run test:packages
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TIMEOUT_MS } from "./limits.js";
import { linksOf, PACKED_PAGES } from "./pack-files.js";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const PUBLISHED = ["threadfs", "threadfs-cli"];

/** One of the packages in npm's report on packing. */
interface Packed {
  name: string;
  filename: string;
  files: { path: string }[];
}

/** The fields of a package.json that are checked. */
interface Manifest {
  version: string;
  description?: string;
  keywords?: string[];
  sideEffects?: boolean;
  repository?: unknown;
  dependencies?: Record<string, string>;
}

/** Runs a program; returns its standard output. @throws Error with all of its output when it fails */
function run(cwd: string, program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, {
      cwd,
      encoding: "utf8",
      timeout: TIMEOUT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** The program that a dependency of this package declares under a name. */
function binOf(dependency: string, name = dependency): string {
  const require = createRequire(import.meta.url);
  // Not every package exports its package.json, so the search goes by the folders of modules.
  for (const modules of require.resolve.paths(dependency) ?? []) {
    const manifest = join(modules, dependency, "package.json");
    try {
      const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: string | Record<string, string> };
      const path = typeof bin === "string" ? bin : bin[name];
      if (path !== undefined) return join(dirname(manifest), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error(`${dependency} is not installed`);
}

/** Packs the published packages; returns npm's report by their names. */
function pack(into: string): Map<string, Packed> {
  const workspaces = PUBLISHED.flatMap((name) => ["--workspace", name]);
  // Without this the packages would build once more before they are packed. The scripts around packing print on standard output, in front of the report.
  process.env.THREADFS_BUILT = "1";
  const output = run(REPOSITORY, "npm", "pack", "--json", "--pack-destination", into, ...workspaces);
  const report = JSON.parse(output.slice(output.search(/^\[$/m))) as Packed[];
  return new Map(report.map((packed) => [packed.name, packed]));
}

/** The packed files; each is one that belongs into a package, imports only packed ones, and has its source in its map. */
function filesOf({ name, files }: Packed): Set<string> {
  const paths = new Set(files.map(({ path }) => path));
  for (const path of paths) {
    // Programs to be copied; packages/programs runs them.
    if (path.startsWith("examples/")) continue;
    assert.doesNotMatch(path, /tsbuildinfo|\.names\.|\.d\.ts\.map$|(?<!\.d)\.ts$|test/, path);
    if (!/\.(?:js|d\.ts|map)$/.test(path)) continue;
    const text = readFileSync(join(folderOf(name), path), "utf8");
    if (path.endsWith(".map")) {
      const { sourcesContent } = JSON.parse(text) as { sourcesContent?: string[] };
      assert.ok(
        sourcesContent?.every((source) => source.length > 0),
        `${name}: ${path} has the source in it`,
      );
      continue;
    }
    if (path.endsWith(".d.ts")) assert.doesNotMatch(text, /@internal/, `${name}: ${path} is without internal members`);
    const [, map] = /^\/\/# sourceMappingURL=(.+)$/m.exec(text) ?? [];
    if (map !== undefined) assert.ok(paths.has(posix.join(posix.dirname(path), map)), `${name}: ${map} is packed`);
    for (const [, specifier = ""] of text.matchAll(/(?:\bfrom |\bimport\(|^import )"(\.[^"]*)"/gm)) {
      const file = path.endsWith(".d.ts") ? specifier.replace(/\.js$/, ".d.ts") : specifier;
      const imported = posix.join(posix.dirname(path), file);
      assert.ok(paths.has(imported), `${name}: ${path} imports ${specifier}, which is not packed`);
    }
  }
  return paths;
}

/** The library's tarball: what it holds, and what its package.json says. */
function checkLibrary(packed: Packed): void {
  const files = filesOf(packed);
  for (const file of [
    "README.md",
    ...PACKED_PAGES,
    "LICENSE",
    "CHANGELOG.md",
    "dist/core.wasm",
    "dist/core.debug.wasm",
    "dist/types/src/index.d.ts",
    "dist/src/index.js.map",
    "examples/git/README.md",
    "examples/git/git.mjs",
  ]) {
    assert.ok(files.has(file), `threadfs: ${file} is packed`);
  }
  assert.deepEqual([...files].filter((file) => file.endsWith(".wasm")).sort(), [
    "dist/core.debug.wasm",
    "dist/core.wasm",
  ]);
  const manifest = manifestOf("threadfs");
  assert.deepEqual(manifest.dependencies ?? {}, {});
  assert.equal(manifest.sideEffects, false);
  assert.equal(manifest.repository, undefined);
  assert.ok(manifest.description && manifest.keywords?.length);
}

function checkCommandLine(packed: Packed): void {
  const files = filesOf(packed);
  for (const file of ["README.md", "LICENSE", "bin/threadfs.js", "dist/main.js"]) {
    assert.ok(files.has(file), `threadfs-cli: ${file} is packed`);
  }
}

const folderOf = (name: string): string => join(REPOSITORY, "packages", name.replace(/^threadfs-/, ""));

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(folderOf(name), "package.json"), "utf8")) as Manifest;
}

/** publint on both tarballs, arethetypeswrong on the library's; core.wasm is not a module, so it has no types. */
function lint(tarballs: Map<string, string>): void {
  for (const tarball of tarballs.values())
    run(REPOSITORY, process.execPath, binOf("publint"), "run", tarball, "--strict");
  const library = tarballs.get("threadfs") ?? "";
  const options = ["--profile", "esm-only", "--exclude-entrypoints", "./core.wasm", "./core.debug.wasm"];
  run(REPOSITORY, process.execPath, binOf("@arethetypeswrong/cli", "attw"), library, ...options);
}

/** A fresh project with the tarballs installed. The command line's dependencies come from npm's cache where it has them. */
function install(project: string, tarballs: Map<string, string>): void {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  run(project, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", ...tarballs.values());
}

/** The library brings no other package along. */
function installAlone(project: string, tarball: string): void {
  install(project, new Map([["threadfs", tarball]]));
  assert.deepEqual(
    readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith(".")),
    ["threadfs"],
  );
}

/** The documents of an installed package link to files that it has, and name no others. */
function checkDocuments(folder: string): void {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const path of paths.filter((each) => each.endsWith(".md"))) {
    const text = readFileSync(join(folder, path), "utf8");
    for (const link of linksOf(text)) {
      const target = link.replace(/#.*/, "");
      const isPacked = target === "" || paths.includes(join(dirname(path), target));
      assert.ok(isPacked, `${path} links to ${target}, which is not packed`);
    }
    assert.doesNotMatch(text, /`(?:packages|core|src|abi)\//, `${path} names files that are not packed`);
  }
}

/** Runs `npx threadfs` in a project that has threadfs-cli installed. */
function useCommandLine(project: string): void {
  assert.equal(run(project, "npx", "--no-install", "threadfs", "--version").trim(), manifestOf("threadfs-cli").version);
  writeFileSync(join(project, "file.txt"), "hello");
  const walk = run(project, "npx", "--no-install", "threadfs", "walk", "/file.txt");
  assert.match(walk, /found \/file\.txt: file, .* size 5/);
  const job = run(project, "npx", "--no-install", "threadfs", "job", "node_modules/threadfs", "--seconds", "0.2");
  assert.match(job, /answers checked: 0 wrong/);
}

/** The README's first example: two threads on one tree. */
function useLibrary(project: string): void {
  const readme = readFileSync(join(project, "node_modules", "threadfs", "README.md"), "utf8");
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  assert.ok(example !== undefined, "the packed README has an example");
  writeFileSync(join(project, "example.js"), example);
  assert.equal(run(project, process.execPath, "example.js"), "hello\n");
}

/** A program that uses most of the library's types. */
const TYPED_USER = join(REPOSITORY, "packages", "hosts", "src", "programs", "typed-node.ts");

/** Compiles a user's TypeScript strictly, the library's declarations with it, without the DOM's. */
function compile(project: string): void {
  mkdirSync(join(project, "node_modules", "@types"), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules", "@types", "node"), join(project, "node_modules", "@types", "node"));
  copyFileSync(TYPED_USER, join(project, "user.ts"));
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: "ES2022",
    lib: ["ES2024"],
    module: "NodeNext",
    types: ["node"],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["user.ts"] }));
  run(project, process.execPath, binOf("typescript", "tsc"), "--project", ".");
}

/** Runs a step and prints how long it took. */
function step<T>(what: string, work: () => T): T {
  const begin = performance.now();
  const value = work();
  console.log(`ok  ${what} (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
  return value;
}

export function checkPackages(): void {
  const directory = mkdtempSync(join(tmpdir(), "threadfs-packages-"));
  try {
    const packed = step("npm pack", () => pack(directory));
    const tarballs = new Map([...packed].map(([name, { filename }]) => [name, join(directory, filename)]));
    for (const name of PUBLISHED) assert.ok(packed.has(name), `${name} is packed`);
    step("the files of the packages", () => {
      for (const [name, each] of packed) (name === "threadfs" ? checkLibrary : checkCommandLine)(each);
    });
    step("publint, arethetypeswrong", () => lint(tarballs));
    const library = tarballs.get("threadfs") ?? "";
    step("npm install of the library alone", () => installAlone(join(directory, "alone"), library));
    const project = join(directory, "project");
    step("npm install", () => install(project, tarballs));
    step("the packed documents", () => {
      for (const name of PUBLISHED) checkDocuments(join(project, "node_modules", name));
    });
    step("npx threadfs", () => useCommandLine(project));
    step("the README's example", () => useLibrary(project));
    step("a strict TypeScript user without the DOM", () => compile(project));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) checkPackages();
