import nodeFs from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { attachVfs, createVfs } from "threadfs";

/** A plugin that has webpack read and write the tree. It must be the first one. */
function onTree(fs, CachedInputFileSystem) {
  return {
    apply(compiler) {
      compiler.inputFileSystem = new CachedInputFileSystem(fs, 60_000);
      compiler.outputFileSystem = fs;
      compiler.intermediateFileSystem = fs; // the cache, records
      const disk = new CachedInputFileSystem(nodeFs, 60_000);
      const loaders = compiler.resolverFactory.hooks.resolveOptions.for("loader");
      loaders.tap("disk", (options) => ({ ...options, fileSystem: disk }));
    },
  };
}

async function build(fs) {
  const { default: webpack } = await import("webpack");
  const { default: resolve } = await import("enhanced-resolve");
  const compiler = webpack({
    mode: "production",
    target: "node",
    context: "/project",
    entry: "./index.js",
    output: { path: "/project/dist" },
    // Without `buildDependencies` webpack would look for itself in the tree.
    cache: { type: "filesystem", cacheDirectory: "/cache", buildDependencies: { defaultWebpack: [] } },
    plugins: [onTree(fs, resolve.CachedInputFileSystem)],
  });
  const stats = await new Promise((done, fail) =>
    compiler.run((error, result) => (error ? fail(error) : done(result))),
  );
  await new Promise((done) => compiler.close(done));
  if (stats.hasErrors()) throw new Error(stats.toString());
}

if (isMainThread) {
  const vfs = await createVfs({ maxBytes: 1 << 28 });
  vfs.fs.mkdirSync("/project");
  vfs.fs.writeFileSync("/project/name.js", 'export const name = "the tree";');
  vfs.fs.writeFileSync("/project/index.js", 'import { name } from "./name.js"; console.log("built in", name);');
  await build(vfs.fs);
  new Worker(new URL(import.meta.url), { workerData: vfs.handle });
} else {
  const { fs } = await attachVfs(workerData);
  new Function(fs.readFileSync("/project/dist/main.js", "utf8"))(); // built in the tree
}
