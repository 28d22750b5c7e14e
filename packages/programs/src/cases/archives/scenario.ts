/** tar and archiver, which take `node:fs` without asking: it is replaced for them. */
import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { TarArchive, ZipArchive } from "archiver";
import * as tar from "tar";
import type { Fs } from "threadfs";

const LONG = `${"long-".repeat(25)}name`;
const TIME = 1_700_000_000;

/** A tree of what an archive keeps: modes, times, links of both kinds, an empty directory, a long name, a file of some size. */
export function fill(fs: Fs, dir: string): void {
  fs.mkdirSync(`${dir}/in/sub/empty`, { recursive: true });
  fs.writeFileSync(`${dir}/in/a.txt`, "a");
  fs.writeFileSync(`${dir}/in/run.sh`, "#!/bin/sh\n", { mode: 0o755 });
  fs.writeFileSync(`${dir}/in/sub/${LONG}`, "long");
  fs.writeFileSync(`${dir}/in/sub/big.bin`, Buffer.alloc(300_000, "0123456789"));
  fs.writeFileSync(`${dir}/in/sub/nothing`, "");
  fs.linkSync(`${dir}/in/a.txt`, `${dir}/in/sub/hard`);
  fs.symlinkSync("../a.txt", `${dir}/in/sub/soft`);
  for (const name of ["a.txt", "run.sh", `sub/${LONG}`, "sub/big.bin", "sub/nothing", "sub/empty", "sub", "."])
    fs.utimesSync(`${dir}/in/${name}`, TIME, TIME);
}

/** What is below a directory, with all that an archive keeps. */
export function look(fs: Fs, dir: string): unknown {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const path = `${dir}/${name}`;
    const stats = fs.lstatSync(path);
    if (stats.isSymbolicLink()) return [name, fs.readlinkSync(path)];
    const contents = stats.isFile() ? createHash("sha256").update(fs.readFileSync(path)).digest("hex") : "";
    return [name, stats.mode.toString(8), stats.nlink, stats.mtimeMs === TIME * 1000, contents];
  });
}

/** Packs with tar: by promises, synchronously, through a pipe of streams; adds to an archive. Returns what the archives list. */
export async function packWithTar(fs: Fs, dir: string): Promise<unknown> {
  await tar.create({ file: `${dir}/promised.tar`, cwd: dir, portable: false }, ["in"]);
  tar.create({ file: `${dir}/sync.tgz`, cwd: dir, gzip: true, sync: true }, ["in"]);
  await pipeline(tar.create({ cwd: dir, gzip: true }, ["in"]), fs.createWriteStream(`${dir}/piped.tgz`));
  fs.writeFileSync(`${dir}/added`, "added");
  await tar.replace({ file: `${dir}/promised.tar`, cwd: dir }, ["added"]);
  const lists: Record<string, unknown[]> = {};
  for (const file of ["promised.tar", "sync.tgz", "piped.tgz"]) {
    const entries: unknown[] = [];
    await tar.list({ file: `${dir}/${file}`, onReadEntry: ({ path, type, size }) => entries.push([path, type, size]) });
    lists[file] = entries.sort();
  }
  return lists;
}

/** Unpacks what another worker has packed. */
export async function unpackWithTar(fs: Fs, dir: string): Promise<unknown> {
  for (const name of ["one", "two", "three"]) fs.mkdirSync(`${dir}/${name}`);
  await tar.extract({ file: `${dir}/promised.tar`, cwd: `${dir}/one` });
  tar.extract({ file: `${dir}/sync.tgz`, cwd: `${dir}/two`, sync: true, strip: 1 });
  await pipeline(fs.createReadStream(`${dir}/piped.tgz`), tar.extract({ cwd: `${dir}/three` }));
  // Over what is there, with a filter; and into a directory that is none.
  await tar.extract({ file: `${dir}/sync.tgz`, cwd: `${dir}/two`, strip: 1, filter: (path) => path.endsWith(".txt") });
  const refused = await tar
    .extract({ file: `${dir}/sync.tgz`, cwd: `${dir}/in/a.txt` })
    .then(() => undefined)
    .catch(({ code, path }: NodeJS.ErrnoException) => [code, path]);
  return [look(fs, `${dir}/one`), look(fs, `${dir}/two`), look(fs, `${dir}/three`), refused];
}

/** Packs with archiver, which reads directories and streams, into a stream. Returns the archive's hash and size. */
export async function packWithArchiver(fs: Fs, dir: string, kind: "tar" | "zip"): Promise<unknown> {
  const date = new Date(TIME * 1000);
  const archive = kind === "tar" ? new TarArchive({}) : new ZipArchive({ store: true });
  const warnings: unknown[] = [];
  archive.on("warning", ({ code }: { code: string }) => warnings.push(code));
  const output = fs.createWriteStream(`${dir}/out.${kind}`);
  const done = pipeline(archive, output);
  archive.append("text", { name: "appended.txt", date });
  archive.append(fs.createReadStream(`${dir}/in/sub/big.bin`), { name: "streamed.bin", date });
  archive.file(`${dir}/in/run.sh`, { name: "run.sh" });
  archive.file(`${dir}/in/none`, { name: "none" });
  await archive.finalize();
  await done;
  const bytes = fs.readFileSync(`${dir}/out.${kind}`);
  return [bytes.length, archive.pointer(), warnings, createHash("sha256").update(bytes).digest("hex")];
}
