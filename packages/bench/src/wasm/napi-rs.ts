// How long does rolldown, a binding of napi-rs in WebAssembly with threads, bundle a project of 250 modules: on a tree, which each of its threads opens; as the
// loader for browsers has it, where each thread sends its calls to the main thread, which has memfs; and on the kernel's memory file system by node:wasi?
//
// What is not comparable: a good part of the time is rolldown's own work, which all have. The proxy's main thread does nothing besides, but for the bundle.

import nodeFs from "node:fs";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { BenchOptions, Question } from "../lib/question.js";
import { Result } from "../lib/result.js";
import { openThreadfs } from "../lib/rivals.js";
import { makeTempDirectory, removeTempDirectory } from "../lib/tempdir.js";
import type { BundleRun } from "./napi-rs/bundle.js";
import { copyProject, isInstalled } from "./napi-rs/project.js";
import { measureBundles } from "./napi-rs/report.js";
import type { BindingRequest, BindingSide } from "./napi-rs/side.js";

const SIDE = new URL("./napi-rs/side.js", import.meta.url);
/** Longest time of one bundle, in ms. */
const TIMEOUT = 120_000;
const ROOT = "/project";
const LABELS = {
  tree: "threadfs",
  proxy: "the proxy of napi-rs, memfs",
  node: "node:wasi on tmpfs",
} as const;

type Kind = keyof typeof LABELS;

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("napi-rs", "How long does rolldown in WebAssembly take for a bundle?");
  if (!isInstalled()) {
    result.note("left out: npm run test:programs installs the programs");
    return result;
  }
  const { vfs } = await openThreadfs();
  const modules = copyProject(vfs.fs, ROOT);
  const dir = makeTempDirectory();
  copyProject(nodeFs, `${dir}${ROOT}`);
  const pools = new Map<Kind, WorkerPool<BindingRequest>>();
  const start = (kind: Kind, side: Omit<BindingSide, "kind">) =>
    pools.set(kind, new WorkerPool<BindingRequest>(SIDE, 1, LABELS[kind], { kind, ...side }));
  try {
    start("tree", { root: ROOT, handle: vfs.handle });
    if (!options.skip.includes("memfs")) start("proxy", { root: ROOT });
    if (!options.skip.includes("node")) start("node", { root: `${dir}${ROOT}` });
    for (const pool of pools.values()) await pool.ask(0, { task: "start" }, TIMEOUT);
    const sides = new Map(
      [...pools].map(([kind, pool]) => [LABELS[kind], () => pool.ask<BundleRun>(0, { task: "bundle" }, TIMEOUT)]),
    );
    await measureBundles(result, modules, sides, options);
  } finally {
    for (const pool of pools.values()) await pool.stop();
    vfs.close();
    removeTempDirectory(dir);
  }
  return result;
}

export default { name: "napi-rs", run } satisfies Question;
