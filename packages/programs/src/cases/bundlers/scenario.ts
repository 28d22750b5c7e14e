/** enhanced-resolve, webpack and rollup on any `fs`. */
import nodeFs from "node:fs";
import { fileURLToPath } from "node:url";
import { threadId } from "node:worker_threads";
import resolve from "enhanced-resolve";
import { type RollupFsModule, rollup } from "rollup";
import type { Fs } from "threadfs";
import webpack from "webpack";
import { startThreads } from "./loader-threads.js";

const { CachedInputFileSystem, ResolverFactory } = resolve;
const LOADER = fileURLToPath(new URL("./shout-loader.cjs", import.meta.url));
const WORDS_LOADER = fileURLToPath(new URL("./words-loader.cjs", import.meta.url));

/** A project: a package with conditions, one behind a link, JSON, a chunk that is loaded later, a file for a loader. */
export function project(fs: Fs, dir: string): void {
  const files = {
    "src/index.js": `import { a } from "./a"; import sub from "dep/sub"; import data from "./data.json";
      import("./lazy.js").then((lazy) => console.log(lazy.default)); console.log(a, sub, data.x);`,
    "src/a.js": "export const a = 1; export const unused = 2;",
    "src/lazy.js": 'export default "lazy";',
    "src/data.json": '{ "x": 42 }',
    "src/loud.js": 'import text from "./text.loud"; console.log(text);',
    "src/text.loud": "quiet",
    "src/threads.js": `import one from "./1.words"; import two from "./2.words"; import three from "./3.words";
      console.log(one, two, three);`,
    "src/1.words": "one.txt",
    "src/2.words": "two.txt",
    "src/3.words": "none.txt",
    "src/one.txt": "first",
    "src/two.txt": "second",
    "node_modules/dep/package.json": JSON.stringify({
      name: "dep",
      exports: { "./sub": { import: "./esm/sub.js", require: "./cjs/sub.js" } },
      sideEffects: false,
    }),
    "node_modules/dep/esm/sub.js": 'export { default } from "linked";',
    "node_modules/dep/cjs/sub.js": 'module.exports = "cjs";',
    "store/linked/package.json": JSON.stringify({ name: "linked", module: "i.mjs" }),
    "store/linked/i.mjs": 'export default "linked";',
  };
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(`${dir}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    fs.writeFileSync(`${dir}/${name}`, text);
  }
  fs.symlinkSync("../store/linked", `${dir}/node_modules/linked`);
}

export function write(fs: Fs, path: string, text: string): void {
  fs.writeFileSync(path, text);
}

/** All files below a directory with their contents. */
export function contents(fs: Fs, dir: string): [string, string][] {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => fs.statSync(`${dir}/${name}`).isFile());
  return files.map((name) => [name, fs.readFileSync(`${dir}/${name}`, "utf8")]);
}

/** Resolves requests as webpack does: by callbacks and synchronously, with the cache and without. */
export async function resolveAll(fs: Fs, dir: string): Promise<unknown> {
  const results: unknown[] = [];
  const requests = ["./a", "./data", "dep/sub", "linked", "dep/none", "./none", "none"];
  for (const fileSystem of [fs, new CachedInputFileSystem(fs, 4000)]) {
    const options = { extensions: [".js", ".json"], conditionNames: ["import"], mainFields: ["module"], fileSystem };
    const resolver = ResolverFactory.createResolver(options);
    const sync = ResolverFactory.createResolver({ ...options, useSyncFileSystemCalls: true });
    for (const request of requests) {
      const missing = new Set<string>();
      const found = await new Promise((done) => {
        resolver.resolve({}, `${dir}/src`, request, { missingDependencies: missing }, (error, path) =>
          done(error?.message ?? path),
        );
      });
      results.push([found, [...missing].sort()]);
      try {
        results.push(sync.resolveSync({}, `${dir}/src`, request));
      } catch (error) {
        results.push((error as Error).message);
      }
    }
  }
  return results;
}

/** The plugin that a program writes to have webpack work on a tree. Loaders and webpack itself stay on the disk. */
function onTree(fs: Fs): webpack.WebpackPluginInstance {
  return {
    apply(compiler) {
      compiler.inputFileSystem = new CachedInputFileSystem(fs, 60_000);
      compiler.outputFileSystem = fs;
      compiler.intermediateFileSystem = fs;
      const disk = new CachedInputFileSystem(nodeFs, 60_000);
      compiler.resolverFactory.hooks.resolveOptions
        .for("loader")
        .tap("disk", (options) => ({ ...options, fileSystem: disk }));
    },
  };
}

/** The loaders: thread-loader has two threads of its own, and tells the loader behind it who runs webpack. */
function rules(): webpack.RuleSetRule[] {
  const threads = { loader: "thread-loader", options: { workers: 2, poolTimeout: 100, poolRespawn: true } };
  const words = { loader: WORDS_LOADER, options: { pid: process.pid, threadId } };
  return [
    { test: /\.loud$/, type: "javascript/auto", use: LOADER },
    { test: /\.words$/, type: "javascript/auto", use: [threads, words] },
  ];
}

/**
 * Builds an entry of the project. Returns the modules, and which of them came from the cache of an earlier build. With a loader there is no
 * cache: webpack would look for the loader in the tree to see whether it has changed.
 */
export async function buildWithWebpack(fs: Fs, dir: string, name: "index" | "loud" | "threads"): Promise<unknown> {
  if (name === "threads") startThreads();
  const config: webpack.Configuration = {
    mode: "production",
    devtool: "source-map",
    context: dir,
    entry: { [name]: `./src/${name}.js` },
    module: { rules: rules() },
    // The loaders by their names, from where this program is: the tree has none.
    resolveLoader: { modules: [fileURLToPath(new URL("../../../node_modules", import.meta.url))] },
    output: { path: `${dir}/dist`, clean: true },
    cache:
      name !== "index"
        ? false
        : { type: "filesystem", cacheDirectory: `${dir}/cache`, buildDependencies: { defaultWebpack: [] } },
    plugins: [onTree(fs)],
  };
  const compiler = webpack(config);
  const stats = await new Promise<webpack.Stats | undefined>((done, reject) => {
    compiler?.run((error, result) => (error ? reject(error) : done(result)));
  });
  await new Promise((done) => compiler?.close(done));
  const { errors, warnings, modules } =
    stats?.toJson({ all: false, errors: true, warnings: true, modules: true, cachedModules: true }) ?? {};
  return {
    errors,
    warnings,
    modules: modules
      ?.filter(({ name }) => name !== undefined)
      .map(({ name, cached }) => [name, cached])
      .sort(),
  };
}

/** The bundle of rollup, with a plugin that resolves packages by its own `fs`. */
export async function buildWithRollup(fs: Fs, dir: string): Promise<unknown> {
  const warnings: unknown[] = [];
  const bundle = await rollup({
    input: `${dir}/src/index.js`,
    // Its type asks for a `mkdir` that returns nothing, which that of node:fs/promises does not have either.
    fs: fs.promises as RollupFsModule,
    onwarn: ({ code }) => warnings.push(code),
    plugins: [
      {
        name: "packages",
        async resolveId(source) {
          if (source === "dep/sub") return this.fs.realpath(`${dir}/node_modules/dep/esm/sub.js`);
          return source === "linked" ? this.fs.realpath(`${dir}/node_modules/linked/i.mjs`) : null;
        },
        transform: (code, id) => (id.endsWith(".json") ? `export default ${code}` : null),
      },
    ],
  });
  const { output } = await bundle.write({ dir: `${dir}/rolled`, sourcemap: true });
  await bundle.close();
  return [warnings, bundle.watchFiles.sort(), output.map(({ fileName }) => fileName)];
}
