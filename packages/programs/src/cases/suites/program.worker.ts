/** Runs one program of a suite, in a thread that can be terminated, and says how it ended. */
import { execFileSync } from "node:child_process";
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
import { parentPort, workerData } from "node:worker_threads";
import { createVfs } from "threadfs";
import { createWasi } from "threadfs/wasi";

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

const { side, file, preopens, args, env, stdin } = workerData as SuiteProgram;
const program = new WebAssembly.Module(readFileSync(file));
/** The preopens, numbered: each has the directory of that number. */
const directories = Object.entries(preopens).map(([name, from], n) => ({ name, from, path: `${n}` }));

async function onTree(): Promise<SuiteResult> {
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
  const code = wasi.start(new WebAssembly.Instance(program, wasi.getImportObject() as WebAssembly.Imports));
  return { code, stdout: Buffer.concat(printed).toString() };
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

async function withNode(): Promise<SuiteResult> {
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
    const code = wasi.start(new WebAssembly.Instance(program, wasi.getImportObject() as WebAssembly.Imports));
    closeSync(out.writer);
    return { code, stdout: readFileSync(out.reader, "utf8") };
  } finally {
    // What else is open is closed with this thread: the program may have closed the streams itself.
    rmSync(dir, { recursive: true });
  }
}

async function withShim(): Promise<SuiteResult> {
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
  const instance = new WebAssembly.Instance(program, imports) as Parameters<typeof wasi.start>[0];
  const code = wasi.start(instance);
  return { code, stdout: Buffer.concat(printed).toString() };
}

const SIDES = { threadfs: onTree, "node:wasi": withNode, browser_wasi_shim: withShim };

parentPort?.postMessage(await SIDES[side]().catch((error: unknown): SuiteResult => ({ error: String(error) })));
