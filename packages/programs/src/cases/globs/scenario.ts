/** Programs that search directories, with the `fs` as their option. */
import fastGlob from "fast-glob";
import { fdir } from "fdir";
import { Glob, glob, globSync } from "glob";
import type { Fs } from "threadfs";
import { glob as tinyGlob, globSync as tinyGlobSync } from "tinyglobby";

const FILES = [
  "src/a/1.ts",
  "src/a/b/2.ts",
  "src/a/b/3.js",
  "src/.hidden/4.ts",
  "test/x/5.ts",
  "modules/p/i.js",
  ".dot",
];

/** Makes the tree: links to a file's directory, to a parent and to nothing, an empty directory. */
export function fill(fs: Fs, dir: string): void {
  for (const file of FILES) {
    fs.mkdirSync(`${dir}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
    fs.writeFileSync(`${dir}/${file}`, file);
  }
  fs.mkdirSync(`${dir}/empty`);
  fs.symlinkSync("../src/a", `${dir}/test/link`);
  fs.symlinkSync("nowhere", `${dir}/broken`);
  fs.symlinkSync("..", `${dir}/src/loop`);
}

/** Adds and removes files: what another thread finds next. */
export function change(fs: Fs, dir: string): void {
  fs.renameSync(`${dir}/src/a`, `${dir}/src/moved`);
  fs.writeFileSync(`${dir}/empty/new.ts`, "");
  fs.rmSync(`${dir}/modules`, { recursive: true });
}

export async function withGlob(fs: Fs, cwd: string): Promise<unknown> {
  const absolute: string[] = [];
  for await (const path of new Glob("src/**/*", { cwd, fs, realpath: true, absolute: true })) absolute.push(path);
  const streamed: string[] = [];
  for await (const path of new Glob("{src,test,empty}/**", { cwd, fs, dot: true }).stream()) streamed.push(path);
  const entries = await glob("**/*", { cwd, fs, stat: true, withFileTypes: true });
  return {
    promised: (await glob("**/*.ts", { cwd, fs })).sort(),
    sync: globSync("**", { cwd, fs, dot: true, follow: true }).sort(),
    absolute: absolute.sort(),
    streamed: streamed.sort(),
    entries: entries.map((path) => [path.relative(), path.isFile(), path.isFile() ? path.size : 0]).sort(),
  };
}

export async function withFastGlob(fs: Fs, cwd: string): Promise<unknown> {
  const streamed: string[] = [];
  for await (const path of fastGlob.stream("**/*", { cwd, fs, onlyFiles: false, markDirectories: true }))
    streamed.push(String(path));
  const stats = fastGlob.sync("**", { cwd, fs, dot: true, stats: true, followSymbolicLinks: false });
  const objects = await fastGlob(["src/*/1.ts", "none", ".dot"], { cwd, fs, objectMode: true });
  return {
    promised: (await fastGlob("**/*.ts", { cwd, fs })).sort(),
    streamed: streamed.sort(),
    stats: stats.map(({ path, stats, dirent }) => [path, stats?.size, dirent.isSymbolicLink()]).sort(),
    objects: objects.map(({ path, name, dirent }) => [path, name, dirent.isFile()]).sort(),
  };
}

export async function withTinyglobby(fs: Fs, cwd: string): Promise<unknown> {
  return {
    promised: (await tinyGlob("**/*.ts", { cwd, fs })).sort(),
    sync: tinyGlobSync("**", { cwd, fs, dot: true, onlyFiles: false, followSymbolicLinks: true }).sort(),
    absolute: (await tinyGlob("**", { cwd, fs, absolute: true, followSymbolicLinks: false })).sort(),
  };
}

export async function withFdir(fs: Fs, cwd: string): Promise<unknown> {
  const links = new fdir({ fs }).withFullPaths().withDirs().withSymlinks({ resolvePaths: false });
  const counts = new fdir({ fs }).onlyCounts().crawl(cwd).sync();
  return {
    promised: (await new fdir({ fs }).withRelativePaths().crawl(cwd).withPromise()).sort(),
    links: links.crawl(cwd).sync().sort(),
    resolved: (await new fdir({ fs }).withFullPaths().withSymlinks().crawl(cwd).withPromise()).sort(),
    counts: [counts.files, counts.directories],
  };
}
