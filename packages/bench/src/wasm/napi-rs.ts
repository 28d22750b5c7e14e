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
import { copyProject, isInstalled } from "./napi-rs/project.js";
import type { BindingRequest, BindingSide, BundleRun } from "./napi-rs/side.js";

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
type Pool = WorkerPool<BindingRequest>;

/** The milliseconds of each bundle of each side, round by round: the sides take turns. */
async function measure(
  pools: ReadonlyMap<Kind, Pool>,
  options: BenchOptions,
  result: Result,
): Promise<Map<Kind, number[]>> {
  const times = new Map<Kind, number[]>();
  for (const [kind, pool] of pools) {
    times.set(kind, []);
    await pool.ask(0, { task: "start" }, TIMEOUT);
  }
  const warm = 2;
  const rounds = options.quick ? 2 : options.rounds;
  let sent = 0;
  for (let round = -warm; round < rounds; round++) {
    const found: string[] = [];
    for (const [kind, pool] of pools) {
      const { ms, calls } = await pool.ask<BundleRun>(0, { task: "bundle" }, TIMEOUT);
      sent = Math.max(sent, calls);
      found.push(`${LABELS[kind]} ${Math.round(ms)} ms`);
      // The first rounds start threads and compile.
      if (round >= 0) times.get(kind)?.push(ms);
    }
    options.log(found.join(", "));
  }
  if (sent > 0) result.note(`the proxy sends up to ${sent} calls of the file system to the main thread for a bundle`);
  return times;
}

function report(result: Result, times: ReadonlyMap<Kind, number[]>, modules: number): void {
  const what = `a bundle of ${modules} modules`;
  const ours = result.measure(what, LABELS.tree, "ms", times.get("tree") ?? []);
  for (const kind of ["proxy", "node"] as const) {
    const rounds = times.get(kind);
    if (rounds !== undefined) result.ratio(what, result.measure(what, LABELS[kind], "ms", rounds), ours);
  }
  for (const [kind, rounds] of times) {
    const rates = rounds.map((ms) => (1000 * modules) / ms);
    result.measure("modules bundled", LABELS[kind], "files/s", rates);
  }
}

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
  const pools = new Map<Kind, Pool>();
  const start = (kind: Kind, side: Omit<BindingSide, "kind">) =>
    pools.set(kind, new WorkerPool<BindingRequest>(SIDE, 1, LABELS[kind], { kind, ...side }));
  try {
    start("tree", { root: ROOT, handle: vfs.handle });
    if (!options.skip.includes("memfs")) start("proxy", { root: ROOT });
    if (!options.skip.includes("node")) start("node", { root: `${dir}${ROOT}` });
    report(result, await measure(pools, options, result), modules);
  } finally {
    for (const pool of pools.values()) await pool.stop();
    vfs.close();
    removeTempDirectory(dir);
  }
  return result;
}

export default { name: "napi-rs", run } satisfies Question;
