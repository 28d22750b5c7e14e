// A side of the bench of napi-rs: a thread that starts rolldown's binding and bundles with it. Its workers open the tree, or send each call to this thread,
// which has the files in memfs, or open the disk.

import { readFileSync } from "node:fs";
import { Worker, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { instantiateBinding } from "threadfs/napi-rs";
import { serveRequests } from "../../../../cli/dist/support/worker-pool.js";
import { type BundleRun, timeBundle } from "./bundle.js";
import { copyProject } from "./project.js";
import { loadMemfs, loadRolldown, loadRuntime, loadStock, PROGRAM, pluginsOf } from "./runtime.js";

export interface BindingSide {
  /** Where the project is. */
  root: string;
  kind: "tree" | "proxy" | "node";
  handle?: VfsHandle;
}

export interface BindingRequest {
  task: "start" | "bundle";
}

const { root, kind, handle } = workerData as BindingSide;
let bundleOnce: (() => Promise<BundleRun>) | undefined;
let calls = 0;

const newThread = (): Worker => new Worker(new URL("./thread.js", import.meta.url), { workerData: kind });

async function startOnTree(tree: VfsHandle): Promise<object> {
  const runtime = loadRuntime();
  const vfs = await attachVfs(tree);
  const wasm = readFileSync(PROGRAM());
  return (await instantiateBinding({ vfs, wasm, runtime, createWorker: newThread, emnapi: pluginsOf(runtime) }))
    .exports;
}

/** As the loader for browsers starts it. */
async function startProxied(): Promise<object> {
  const runtime = loadRuntime();
  const { fs } = (await loadMemfs()).memfs();
  copyProject(fs, root);
  const answer = runtime.createOnMessage(fs);
  const memory = new WebAssembly.Memory({ initial: 16_384, maximum: 65_536, shared: true });
  const instantiate = runtime.instantiateNapiModule as (program: unknown, options: object) => Promise<Started>;
  const { napiModule } = await instantiate(readFileSync(PROGRAM()), {
    context: runtime.getDefaultContext?.(),
    asyncWorkPoolSize: 4,
    reuseWorker: true,
    wasi: new runtime.WASI({ version: "preview1", fs, preopens: { "/": "/" } }),
    ...pluginsOf(runtime),
    onCreateWorker() {
      const worker = newThread();
      worker.on("message", (data: { __fs__?: object }) => {
        if (data.__fs__ !== undefined) calls++;
        answer({ data });
      });
      return worker;
    },
    overwriteImports: (imports: { env: object; napi: object; emnapi: object }) =>
      Object.assign(imports, { env: { ...imports.env, ...imports.napi, ...imports.emnapi, memory } }),
    beforeInit({ instance }: { instance: { exports: object } }) {
      for (const [name, call] of Object.entries(instance.exports))
        if (name.startsWith("__napi_register__")) (call as () => void)();
    },
  });
  return napiModule.exports;
}

interface Started {
  napiModule: { exports: object };
}

async function start(): Promise<void> {
  const binding =
    kind === "proxy" ? await startProxied() : handle === undefined ? loadStock() : await startOnTree(handle);
  const rolldown = await loadRolldown(binding);
  bundleOnce = async () => {
    calls = 0;
    const ms = await timeBundle(rolldown, root);
    return { ms, calls };
  };
}

serveRequests<BindingRequest>(({ task }) => (task === "start" ? start() : bundleOnce?.()));
