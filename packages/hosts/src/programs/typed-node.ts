/** A TypeScript program for Node: each TypeScript version compiles this source, with the library's declarations. */
import * as nodeFs from "node:fs";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import {
  attachVfs,
  type Context,
  type Counters,
  createVfs,
  type Driver,
  type DriverAttributes,
  type DriverChanges,
  type DriverEntry,
  type FsSync,
  type Stats,
  type Vfs,
  type VfsHandle,
} from "threadfs";

const entries: readonly DriverEntry[] = [{ name: "file", ino: 2, mode: 0o100644 }];
const root: DriverAttributes = { ino: 1, mode: 0o040755 };
const driver: Driver = {
  name: "typed",
  root: () => root,
  lookup: (_dir, name) => (name === "file" ? { ino: 2, mode: 0o100644, size: 3 } : null),
  readdir: () => entries,
  setattr: (ino: number, changes: DriverChanges): DriverAttributes => ({
    ...root,
    ino,
    mode: changes.mode ?? root.mode,
  }),
};

/** What a program that takes any `fs` asks for. */
type AnyFs = Pick<
  typeof nodeFs,
  "statSync" | "readFileSync" | "readdirSync" | "writeFileSync" | "mkdirSync" | "readSync"
>;
const systems: AnyFs[] = [nodeFs];

export async function use(handle: VfsHandle, uid: number | undefined): Promise<string> {
  const vfs: Vfs = await createVfs({ maxBytes: 1 << 24, now: undefined });
  const other: Vfs = await attachVfs(handle);
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync("/d", { recursive: true });
  vfs.mount(null, "/d", "typed", { readonly: true });
  const agent: Context = vfs.context({ uid, gid: 1000, cwd: "/d" });
  const fs: FsSync = agent.fs;
  systems.push(fs);
  const stats: Stats = fs.statSync("file");
  const maybe: Stats | undefined = fs.statSync("none", { throwIfNoEntry: false });
  const big: bigint = fs.lstatSync("file", { bigint: true }).mtimeNs;
  const bytes: Buffer = fs.readFileSync("file");
  const names: string[] = fs.readdirSync("/");
  const raw: Buffer[] = fs.readdirSync("/", "buffer");
  const types: boolean[] = fs.readdirSync("/", { withFileTypes: true }).map((entry) => entry.isFile());
  const counters: Counters = vfs.counters();
  const fd: number = fs.openSync(new URL("file:///file"), "r", 0o644);
  fs.readSync(fd, bytes, 0, 1, null);
  fs.writeSync(fd, "text", null, "utf8");
  fs.realpathSync.native("/d", { encoding: "utf8" });
  vfs.attachWorker(new Worker("./worker.js", { workerData: other.handle }));
  const reader: nodeFs.ReadStream = agent.fs.createReadStream("file", { start: 1 });
  const writer: nodeFs.WriteStream = agent.fs.createWriteStream("copy");
  await pipeline(reader, writer);
  const blob: Blob = await agent.fs.openAsBlob("file", { type: "text/plain" });
  const log = new agent.fs.Utf8Stream({ dest: "log", mkdir: true });
  if (blob.size > 0) log.write("text");
  const watcher: nodeFs.StatWatcher = fs.watchFile("file", { bigint: true }, ({ mtimeNs }) => mtimeNs + 1n);
  watcher.unref().once("stop", () => log.end());
  fs.unwatchFile("file");
  const text: string = await promisify(agent.fs.readFile)("file", "utf8");
  const found: boolean = await promisify(agent.fs.exists)("file");
  const { bytesRead, buffer } = await promisify(agent.fs.read)(fd, new Uint8Array(4), 0, 4, null);
  const { bytesWritten } = await promisify(agent.fs.writev)(fd, [buffer]);
  if (found) log.write(String(bytesRead + bytesWritten));
  const file = await agent.fs.promises.open("file");
  file
    .on("close", () => log.end())
    .prependListener("close", () => log.flushSync())
    .emit("ready");
  for await (const line of file.readLines({ encoding: "utf8" })) log.write(line.trim());
  return [text, stats.size, maybe?.size, big, bytes.toString("hex"), names, raw, types, counters.walks].join(" ");
}
