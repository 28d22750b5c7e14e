/** Runs one program of a suite, in a thread that can be terminated, and says how it ended. */
import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { createVfs } from "threadfs";
import { createWasi } from "threadfs/wasi";

export type Side = "threadfs" | "node";

export interface SuiteProgram {
  side: Side;
  /** The program; the directory of the disk that it gets a copy of, as "/". */
  file: string;
  root: string | undefined;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** How a program ended: its exit code and what it printed, or why it did not end. */
export type SuiteResult = { code: number; stdout: string } | { error: string };

/** Where node:wasi gets the copy: in memory. */
const TMPFS = "/dev/shm";

const { side, file, root, args, env } = workerData as SuiteProgram;
const program = new WebAssembly.Module(readFileSync(file));
const options = { args: [basename(file), ...args], env };

async function onTree(): Promise<SuiteResult> {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  const printed: Buffer[] = [];
  if (root !== undefined) await vfs.importDirectory(root, "/root");
  const wasi = createWasi(vfs, {
    ...options,
    preopens: root === undefined ? {} : { "/": "/root" },
    stdin: "ignore",
    stdout: (bytes) => void printed.push(Buffer.from(bytes)),
    stderr: "ignore",
  });
  const code = wasi.start(new WebAssembly.Instance(program, wasi.getImportObject() as WebAssembly.Imports));
  return { code, stdout: Buffer.concat(printed).toString() };
}

async function withNode(): Promise<SuiteResult> {
  const { WASI } = await import("node:wasi");
  const dir = mkdtempSync(join(TMPFS, "threadfs-suite-"));
  const out = openSync(join(dir, "stdout"), "w+");
  const nothing = openSync("/dev/null", "r+");
  try {
    const preopens: Record<string, string> = {};
    if (root !== undefined) {
      cpSync(root, join(dir, "root"), { recursive: true });
      preopens["/"] = join(dir, "root");
    }
    const streams = { stdin: nothing, stdout: out, stderr: nothing };
    const wasi = new WASI({ version: "preview1", ...options, preopens, ...streams, returnOnExit: true });
    const code = wasi.start(new WebAssembly.Instance(program, wasi.getImportObject() as WebAssembly.Imports));
    return { code, stdout: readFileSync(join(dir, "stdout"), "utf8") };
  } finally {
    closeSync(out);
    closeSync(nothing);
    rmSync(dir, { recursive: true });
  }
}

async function run(): Promise<SuiteResult> {
  try {
    return side === "threadfs" ? await onTree() : await withNode();
  } catch (error) {
    return { error: String(error) };
  }
}

parentPort?.postMessage(await run());
