/** A TypeScript program without @types/node: each TypeScript version compiles this source, with the library's declarations. */
import { type Context, createVfs, type Dir, type Dirent, type PathLike, type Vfs } from "threadfs";
import core from "threadfs/core.wasm";
import { attachVfs, createVfs as createInline, loadCore } from "threadfs/inline";
import { type BashStat, ThreadFs } from "threadfs/just-bash";
import {
  type BindingWorker,
  instantiateBinding,
  type NapiBinding,
  type NapiRuntime,
  runBindingThreads,
  type ThreadRuntime,
} from "threadfs/napi-rs";
import { createWasi, type Wasi, type WasiOptions } from "threadfs/wasi";
import { createPreview2, type Preview2 } from "threadfs/wasi-preview2";

export async function use(path: PathLike, uid: number | undefined): Promise<number> {
  const vfs: Vfs = await createVfs({ maxBytes: 1 << 24, core: await loadCore({ url: core }) });
  const other: Vfs = await createInline({ maxBytes: 1 << 24 });
  const same: Vfs = await attachVfs(vfs.handle);
  const agent: Context = same.context({ uid, cwd: path });
  const bytes: Uint8Array = agent.fs.readFileSync(path);
  const text: string = agent.fs.readFileSync(path, { encoding: "utf8" });
  const names: string[] = agent.fs.readdirSync("/", { recursive: true });
  const typed: Dirent[] = agent.fs.readdirSync("/", { withFileTypes: true });
  const directory: Dir = agent.fs.opendirSync("/");
  const next: Dirent | null = directory.readSync();
  for await (const entry of directory) if (entry.isSymbolicLink()) agent.fs.unlinkSync(entry.name);
  agent.fs.writeFileSync(path, bytes.subarray(1));
  const reader = agent.fs.createReadStream("/copy", { end: 3 });
  reader.on("end", () => vfs.close()).pipe(agent.fs.createWriteStream("/copy", { flush: true }));
  const read: number = reader.bytesRead;
  agent.fs.watchFile(path, { interval: 50 }, (now, before) => now.size > before.size && reader.resume()).unref();
  agent.fs.unwatchFile(path);
  const file = await agent.fs.promises.open(path);
  file.addListener("close", () => stop()).removeAllListeners("close");
  for await (const line of file.readLines()) names.push(line);
  const stop: () => void = vfs.watchThreads({ everyMs: undefined });
  stop();
  const entry: BashStat = await new ThreadFs(agent).stat("/");
  names.push(String(entry.isFile));
  const options: WasiOptions = {
    args: names,
    preopens: { "/": path },
    stdin: () => text,
    stdout: (out) => names.push(`${out.length}`),
  };
  const wasi: Wasi = createWasi(agent, options);
  const code: number = wasi.start({ exports: wasi.getImportObject() });
  wasi.close(code);
  const preview2: Preview2 = createPreview2(agent, { preopens: { "/": path } });
  for (const [dir, name] of preview2.filesystem.preopens.getDirectories()) names.push(name, dir.getType());
  preview2.close();
  other.close();
  return text.length + names.length + typed.length + read + (next?.name.length ?? 0);
}

export async function bind(vfs: Vfs, runtime: NapiRuntime & ThreadRuntime, worker: BindingWorker): Promise<number> {
  runBindingThreads(runtime, { emnapi: { plugins: [] }, stdout: "ignore" });
  const createWorker = (): BindingWorker => worker;
  const wasi: WasiOptions = { preopens: { "/": "/project" } };
  const binding: NapiBinding = await instantiateBinding({ vfs, wasm: new Uint8Array(8), runtime, createWorker, wasi });
  const names: string[] = Object.keys(binding.exports);
  binding.close();
  return names.length + binding.workerCount;
}
