/** A worker of the page that starts tailwind's oxide and scans with it: a scan waits for threads, which a page's own thread may not. */
import { instantiateNapiModule } from "@emnapi/core";
import { getDefaultContext } from "@emnapi/runtime";
import { attachVfs, type VfsHandle } from "threadfs";
import { instantiateBinding, type NapiBinding } from "threadfs/napi-rs";

export interface ScanResult {
  found: string[];
  files: string[];
  /** How many workers the binding has had made. */
  workers: number;
}

const WORKERS = 2;

interface Scanner {
  readonly files: string[];
  scan(): string[];
}

let binding: NapiBinding;

async function begin(handle: VfsHandle): Promise<void> {
  binding = await instantiateBinding({
    vfs: await attachVfs(handle),
    wasm: fetch("./binding.wasm").then((response) => response.arrayBuffer()),
    runtime: { instantiateNapiModule, getDefaultContext },
    // In a browser a worker that waits starts no workers: those that it will wait for have started then.
    readyWorkers: WORKERS,
    createWorker: () => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" }),
  });
}

function scan(base: string): ScanResult {
  const { Scanner } = binding.exports as { Scanner: new (options: object) => Scanner };
  const scanner = new Scanner({ sources: [{ base, pattern: "**/*", negated: false }] });
  const found = scanner.scan().sort();
  return { found, files: scanner.files.sort(), workers: binding.workerCount };
}

async function answer(request: VfsHandle | string): Promise<ScanResult | undefined> {
  if (typeof request === "string") return scan(request);
  await begin(request);
  return undefined;
}

globalThis.onmessage = ({ data }) => {
  answer(data).then(postMessage, (error: Error) => postMessage(error));
};
