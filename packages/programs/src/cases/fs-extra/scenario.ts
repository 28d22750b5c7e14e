/** fs-extra and graceful-fs, which take `node:fs` without asking: it is replaced for them. */
import fse from "fs-extra";
import gracefulFs from "graceful-fs";
import type { Fs } from "threadfs";

/** A result, or the fields of an error: fs-extra passes those of the `fs` on, and has some of its own. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return (await call()) ?? null;
  } catch (error) {
    const { name, code, message, syscall, path, dest, errno } = error as NodeJS.ErrnoException & { dest?: string };
    return { name, code, message, syscall, path, dest, errno };
  }
}

/** All files below a directory, with what fs-extra keeps of them. */
export function look(fs: Fs, dir: string): unknown {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const stats = fs.lstatSync(`${dir}/${name}`);
    if (stats.isSymbolicLink()) return [name, fs.readlinkSync(`${dir}/${name}`)];
    return [name, stats.mode.toString(8), stats.nlink, stats.isFile() ? fs.readFileSync(`${dir}/${name}`, "utf8") : ""];
  });
}

/** Makes files, directories and links, in the forms with promises and the synchronous ones. */
export async function make(_fs: Fs, dir: string): Promise<unknown> {
  return [
    await outcome(() => fse.outputFile(`${dir}/a/b/c.txt`, "hello")),
    await outcome(() => fse.ensureDir(`${dir}/x/y`, { mode: 0o700 })),
    await outcome(() => fse.ensureFileSync(`${dir}/x/y/f`)),
    await outcome(() => fse.ensureLink(`${dir}/a/b/c.txt`, `${dir}/l/hard`)),
    await outcome(() => fse.ensureSymlink("../a/b/c.txt", `${dir}/l/soft`)),
    await outcome(() => fse.ensureSymlinkSync(`${dir}/a`, `${dir}/l/dir`)),
    await outcome(() => fse.ensureDir(`${dir}/a/b/c.txt/d`)),
    await outcome(() => fse.outputJson(`${dir}/j/a.json`, { a: [1] }, { spaces: 2 })),
    await outcome(() => new Promise((resolve) => fse.ensureDir(`${dir}/cb/a`, (...results) => resolve(results)))),
  ];
}

/** Copies and moves, and fails where fs-extra or the `fs` refuses. */
export async function copyAndMove(fs: Fs, dir: string): Promise<unknown> {
  fs.utimesSync(`${dir}/a/b/c.txt`, 1000, 2000);
  return [
    await outcome(() => fse.copy(`${dir}/a`, `${dir}/copied`, { preserveTimestamps: true })),
    await outcome(() => fse.statSync(`${dir}/copied/b/c.txt`).mtimeMs),
    await outcome(() => fse.copySync(`${dir}/l`, `${dir}/followed`, { dereference: true })),
    await outcome(() => fse.copy(`${dir}/l`, `${dir}/filtered`, { filter: (source) => !source.endsWith("soft") })),
    await outcome(() => fse.copy(`${dir}/a`, `${dir}/a/b/in`)),
    await outcome(() => fse.copy(`${dir}/a/b/c.txt`, `${dir}/l/hard`)),
    await outcome(() => fse.copy(`${dir}/a/b/c.txt`, `${dir}/x/y/f`, { overwrite: false, errorOnExist: true })),
    await outcome(() => fse.copy(`${dir}/none`, `${dir}/b`)),
    await outcome(() => fse.move(`${dir}/copied`, `${dir}/moved/deep`)),
    await outcome(() => fse.moveSync(`${dir}/moved/deep`, `${dir}/a`, { overwrite: true })),
    await outcome(() => fse.move(`${dir}/a`, `${dir}/l`)),
    await outcome(() => fse.rename(`${dir}/none`, `${dir}/b`)),
  ];
}

/** Reads, removes, and passes descriptors about. */
export async function readAndRemove(fs: Fs, dir: string): Promise<unknown> {
  fs.writeFileSync(`${dir}/bad.json`, "{");
  const descriptors = async () => {
    const fd = await fse.open(`${dir}/w`, "w+");
    const written = await fse.write(fd, "text");
    const more = await fse.writev(fd, [Buffer.from("a"), Buffer.from("bc")]);
    const read = await fse.read(fd, Buffer.alloc(3), 0, 3, 1);
    const parts = await fse.readv(fd, [Buffer.alloc(2), Buffer.alloc(3)], 0);
    await fse.close(fd);
    return [written, more.bytesWritten, read.bytesRead, read.buffer.toString(), String(parts.buffers)];
  };
  const opendir = async () => {
    const names: string[] = [];
    for await (const { name } of await fse.opendir(dir)) names.push(name);
    return names.sort();
  };
  return [
    await outcome(() => Promise.all([fse.readJson(`${dir}/j/a.json`), fse.readFile(`${dir}/j/a.json`, "utf8")])),
    await outcome(() => fse.readJson(`${dir}/bad.json`).catch(({ name }: Error) => name)),
    await outcome(() => fse.readJson(`${dir}/none.json`)),
    await outcome(() => Promise.all([fse.pathExists(`${dir}/a`), fse.pathExists(`${dir}/none`), fse.exists(dir)])),
    await outcome(() => Promise.all([fse.realpath(`${dir}/l/dir`), fse.realpath.native(`${dir}/l/soft`)])),
    await outcome(() => fse.emptyDir(`${dir}/followed`)),
    await outcome(() => fse.emptyDirSync(`${dir}/made`)),
    await outcome(() => Promise.all([fse.remove(`${dir}/filtered`), fse.remove(`${dir}/none`)])),
    await outcome(() => fse.removeSync(`${dir}/j`)),
    await outcome(descriptors),
    await outcome(opendir),
    await outcome(async () => (await fse.mkdtemp(`${dir}/tmp-`)).length),
    await outcome(() => fse.readdirSync(dir).filter((name) => !name.startsWith("tmp-"))).then((n) => (n as []).sort()),
  ];
}

/** graceful-fs: more calls at once than it lets through, and streams of its own classes. */
export async function graceful(fs: Fs, dir: string): Promise<unknown> {
  const count = 500;
  const indices = Array.from({ length: count }, (_, i) => i);
  const write = (i: number) =>
    new Promise<void>((resolve, reject) => {
      gracefulFs.writeFile(`${dir}/many-${i}`, String(i), (error) => (error ? reject(error) : resolve()));
    });
  const read = (i: number) =>
    new Promise<string>((resolve, reject) => {
      gracefulFs.readFile(`${dir}/many-${i}`, "utf8", (error, text) => (error ? reject(error) : resolve(text)));
    });
  await Promise.all(indices.map(write));
  const texts = await Promise.all(indices.map(read));
  const copied = await new Promise((resolve, reject) => {
    const source = gracefulFs.createReadStream(`${dir}/many-499`).on("error", reject);
    const target = gracefulFs.createWriteStream(`${dir}/copy`).on("error", reject);
    source.pipe(target).on("close", () => resolve(fs.readFileSync(`${dir}/copy`, "utf8")));
  });
  const names = await new Promise<string[]>((resolve, reject) => {
    gracefulFs.readdir(dir, (error, found) => (error ? reject(error) : resolve(found)));
  });
  const missing = await outcome(() => gracefulFs.promises.open(`${dir}/none`));
  return [texts.join(), copied, names.filter((name) => !name.startsWith("tmp-")), missing];
}
