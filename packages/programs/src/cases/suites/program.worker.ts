/** Runs programs of a suite, one after the other, in a thread that can be terminated, and says how each has ended. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parentPort, Worker } from "node:worker_threads";
import type { Wasi } from "threadfs/wasi";
import type { WorkerSetup } from "../wasi/c-worker.js";

/** Whose WASI runs a program, as the tables of docs/wasi.md name it. */
export type Side = "threadfs" | "node:wasi" | "browser_wasi_shim";

export interface SuiteProgram {
  side: Side;
  file: string;
  /** Its preopens: by name the directory of the disk that it gets a copy of; undefined: an empty one. */
  preopens: Readonly<Record<string, string | undefined>>;
  /** Its arguments, the first of which is its name. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin: string;
}

/** How a program ended: its exit code and what it printed, or why it did not end. */
export type SuiteResult = { code: number; stdout: string } | { error: string };

/** Where node:wasi gets the copy: in memory. */
const TMPFS = "/dev/shm";

/** A program that is to run. */
interface Job extends SuiteProgram {
  readonly module: WebAssembly.Module;
  /** The preopens, numbered: each has the directory of that number. */
  readonly directories: readonly { readonly name: string; readonly from: string | undefined; readonly path: string }[];
}

function jobOf(program: SuiteProgram): Job {
  const directories = Object.entries(program.preopens).map(([name, from], n) => ({ name, from, path: `${n}` }));
  return { ...program, module: new WebAssembly.Module(readFileSync(program.file)), directories };
}

/** Only a program with threads has a memory that is made before it. */
const isThreaded = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.imports(module).some(({ kind }) => kind === "memory");

/** What a program with threads imports as its memory, in pages, as Node's own test has it. */
const MEMORY = { initial: 256, maximum: 32_768, shared: true };
/** So many threads has a program at most, besides its first one. */
const THREADS = 2;
const THREAD = new URL("../wasi/c-worker.js", import.meta.url);

/** The imports of the program. One with threads gets a memory, and workers that wait for what it spawns: they end with it. */
async function importsOf(wasi: Wasi, module: WebAssembly.Module): Promise<WebAssembly.Imports> {
  const imports = wasi.getImportObject() as WebAssembly.Imports;
  if (!isThreaded(module)) return imports;
  const memory = new WebAssembly.Memory(MEMORY);
  wasi.bindMemory(memory);
  const setup: WorkerSetup = { threads: { handle: wasi.handle, module, memory } };
  for (let n = 0; n < THREADS; n++) await once(new Worker(THREAD, { workerData: setup }), "message");
  return { ...imports, env: { memory } };
}

async function onTree({ module, directories, args, env, stdin }: Job): Promise<SuiteResult> {
  // Here, because the other sides need none of it.
  const [{ createVfs }, { createWasi }] = await Promise.all([import("threadfs"), import("threadfs/wasi")]);
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  const printed: Buffer[] = [];
  for (const { from, path } of directories) {
    if (from === undefined) vfs.fs.mkdirSync(`/${path}`);
    else await vfs.importDirectory(from, `/${path}`);
  }
  // A pipe whose other end is closed, as that of a process without input.
  const [input, into] = vfs.linux.pipeSync();
  vfs.fs.writeSync(into, stdin);
  vfs.fs.closeSync(into);
  const wasi = createWasi(vfs, {
    args,
    env,
    preopens: Object.fromEntries(directories.map(({ name, path }) => [name, `/${path}`])),
    stdin: input,
    stdout: (bytes) => void printed.push(Buffer.from(bytes)),
    stderr: "ignore",
  });
  try {
    const code = wasi.start(new WebAssembly.Instance(module, await importsOf(wasi, module)));
    return { code, stdout: Buffer.concat(printed).toString() };
  } finally {
    vfs.close();
  }
}

interface Pipe {
  reader: number;
  writer: number;
}

/** A pipe of the kernel. Its reader does not wait. */
function makePipe(path: string): Pipe {
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, "w") };
}

async function withNode({ module, directories, args, env, stdin }: Job): Promise<SuiteResult> {
  const { WASI } = await import("node:wasi");
  const dir = mkdtempSync(join(TMPFS, "threadfs-suite-"));
  const [input, out, err] = [0, 1, 2].map((n) => makePipe(join(dir, `stream${n}`))) as [Pipe, Pipe, Pipe];
  writeFileSync(input.writer, stdin);
  closeSync(input.writer);
  try {
    for (const { from, path } of directories) {
      if (from === undefined) mkdirSync(join(dir, path));
      else cpSync(from, join(dir, path), { recursive: true, verbatimSymlinks: true });
    }
    const wasi = new WASI({
      ...{ version: "preview1", args, env, returnOnExit: true },
      preopens: Object.fromEntries(directories.map(({ name, path }) => [name, join(dir, path)])),
      ...{ stdin: input.reader, stdout: out.writer, stderr: err.writer },
    });
    const code = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject() as WebAssembly.Imports));
    closeSync(out.writer);
    return { code, stdout: readFileSync(out.reader, "utf8") };
  } finally {
    // What else is open is closed with this thread: the program may have closed the streams itself.
    rmSync(dir, { recursive: true });
  }
}

async function withShim({ module, directories, args, env, stdin }: Job): Promise<SuiteResult> {
  const { ConsoleStdout, Directory, File, OpenFile, PreopenDirectory, WASI } = await import(
    "@bjorn3/browser_wasi_shim"
  );
  type Contents = [string, InstanceType<typeof File> | InstanceType<typeof Directory>][];
  // Links are left out: it has none.
  const contentsOf = (from: string): Contents =>
    readdirSync(from, { withFileTypes: true }).flatMap((entry): Contents => {
      const path = join(from, entry.name);
      if (entry.isDirectory()) return [[entry.name, new Directory(contentsOf(path))]];
      return entry.isFile() ? [[entry.name, new File(readFileSync(path))]] : [];
    });
  const printed: Buffer[] = [];
  const wasi = new WASI(
    [...args],
    Object.entries(env).map(([name, value]) => `${name}=${value}`),
    [
      new OpenFile(new File(Buffer.from(stdin))),
      new ConsoleStdout((bytes) => void printed.push(Buffer.from(bytes))),
      new ConsoleStdout(() => undefined),
      ...directories.map(({ name, from }) => new PreopenDirectory(name, new Map(from ? contentsOf(from) : []))),
    ],
    { debug: false },
  );
  const imports = { wasi_snapshot_preview1: wasi.wasiImport };
  const instance = new WebAssembly.Instance(module, imports) as Parameters<typeof wasi.start>[0];
  const code = wasi.start(instance);
  return { code, stdout: Buffer.concat(printed).toString() };
}

const SIDES = { threadfs: onTree, "node:wasi": withNode, browser_wasi_shim: withShim };

async function run(program: SuiteProgram): Promise<SuiteResult> {
  try {
    return await SIDES[program.side](jobOf(program));
  } catch (error) {
    return { error: String(error) };
  }
}

parentPort?.on("message", async (program: SuiteProgram) => parentPort?.postMessage(await run(program)));
