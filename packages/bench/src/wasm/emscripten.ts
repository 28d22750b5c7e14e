// What does a small read of a program of Emscripten cost in a worker? PHP reads a file in pieces of 64 bytes, 250,000 of them: on a tree, and through a proxy
// to the main thread, where the file is in MEMFS; beside the plain call there. Then two workers on one tree, which read, and which open and close files. And what do paths cost (names.ts)?
//
// What is not comparable: the time of a read is PHP's and FS's for the most part, which all have. The proxy's main thread does nothing else,
// and only reads are sent to it.

import { existsSync } from "node:fs";
import path from "node:path";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { BenchOptions, Question } from "../lib/question.js";
import { Result } from "../lib/result.js";
import { openThreadfs } from "../lib/rivals.js";
import { pairwise, ratioSummary, summary } from "../lib/stats.js";
import { MODULES } from "../programs/files.js";
import { measureNames } from "./emscripten/names.js";
import { FILE_SIZE, Program } from "./emscripten/program.js";
import { makeChannel, serveProxy, wakeProxy } from "./emscripten/proxy.js";
import type { EmscriptenRequest, EmscriptenWorkerStart } from "./emscripten/worker.js";

const WORKER = new URL("./emscripten/worker.js", import.meta.url);
const FILL = 0x61;
/** Longest time of one reading, in ms. */
const TIMEOUT = 600_000;
const WHAT = "one read of 64 bytes";
/** The most that a read in a worker may cost, beside one on the main thread. */
const PLAIN_TARGET = 2;
const TWO_TARGET = 1.9;
/** Readings in which the engine compiles, and which are not counted: PHP is large. */
const WARM_UP = 4;
/** Opens of a worker at a time. */
const OPENS = 300_000;

type Pool = WorkerPool<EmscriptenRequest>;

function startPool(name: string, count: number, start: EmscriptenWorkerStart): Pool {
  return new WorkerPool<EmscriptenRequest>(WORKER, count, name, start);
}

interface Sides {
  proxy: Pool;
  tree: Pool;
}

/** The ns of a read of each side, round by round. */
interface Times {
  main: number[];
  proxy: number[];
  one: number[];
  /** Of each of two workers at once. */
  two: number[];
  /** What the two do together, each compared with itself alone. */
  gain: number[];
  /** The same for opens and closes. */
  opens: number[];
}

/** PHP on the main thread, with the file in MEMFS. */
function startMain(): Promise<Program> {
  const bytes = new Uint8Array(FILE_SIZE).fill(FILL);
  return Program.start((FS) => FS.writeFile("/data/file", bytes));
}

/**
 * Each round has programs of its own: the engine compiles one and the same program well or badly, for as long as it runs, and a read of either file system then takes a half more.
 */
async function measure({ proxy, tree }: Sides, options: BenchOptions): Promise<Times> {
  const times: Times = { main: [], proxy: [], one: [], two: [], gain: [], opens: [] };
  const read = { task: "read" } as const;
  const open = (file: number) => ({ task: "open", file, times: OPENS }) as const;
  const rounds = Math.max(3, Math.ceil(options.rounds / 2));
  for (let round = 0; round < rounds; round++) {
    const main = await startMain();
    await tree.askAll(() => ({ task: "start" }), TIMEOUT);
    for (let reading = 0; reading < WARM_UP; reading++) {
      await main.readAll();
      await tree.askAll<number>(() => read, TIMEOUT);
    }
    const plain = await main.readAll();
    const { alone, together, gain } = await aloneAndTogether(tree, () => read);
    const proxied = await proxy.ask<number>(0, read, TIMEOUT);
    times.main.push(plain);
    times.one.push(alone[0] as number);
    times.two.push(Math.max(...together));
    times.gain.push(gain);
    await tree.askAll<number>(open, TIMEOUT);
    times.opens.push((await aloneAndTogether(tree, open)).gain);
    times.proxy.push(proxied);
    options.log(`round ${round + 1} of ${rounds}`);
  }
  return times;
}

/** The times of a request of each of two workers, alone and with the other, and how much more they do together. */
async function aloneAndTogether(tree: Pool, request: (worker: number) => EmscriptenRequest) {
  const ask = (worker: number) => tree.ask<number>(worker, request(worker), TIMEOUT);
  const alone = [await ask(0), await ask(1)];
  const together = await tree.askAll<number>(request, TIMEOUT);
  const gain = pairwise(alone, together, (one, two) => one / two).reduce((sum, more) => sum + more, 0);
  return { alone, together, gain };
}

function report(result: Result, { main, proxy, one, two, gain, opens }: Times): void {
  const plain = result.measure(WHAT, "MEMFS, main thread", "ns", main);
  const ours = result.measure(WHAT, "threadfs, worker", "ns", one);
  const proxied = result.measure(WHAT, "proxy, worker", "ns", proxy);
  result.measure(WHAT, "threadfs, each of two workers", "ns", two);
  result.ratio(WHAT, proxied, ours);
  const spread = ratioSummary(one, main);
  const best = ours.low / plain.low;
  result.figure(WHAT, `${ours.who} / ${plain.who}`, "x", spread, { target: PLAIN_TARGET, atMost: true, best });
  result.figure(WHAT, "two workers / one", "x", summary(gain), { target: TWO_TARGET });
  result.figure("FS.open() and FS.close()", "two workers / one", "x", summary(opens), { target: TWO_TARGET });
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("emscripten", "What does a small read of a program of Emscripten cost in a worker?");
  if (!existsSync(path.join(MODULES, "@php-wasm"))) {
    result.note("left out: npm run test:programs installs the program");
    return result;
  }
  const { vfs } = await openThreadfs();
  vfs.fs.writeFileSync("/file", new Uint8Array(FILE_SIZE).fill(FILL));
  for (const file of [0, 1]) vfs.fs.writeFileSync(`/open-${file}`, "x");
  const main = await startMain();
  const channel = makeChannel();
  let stopped = false;
  const served = serveProxy(main.FS, channel, () => stopped);
  const pools = [startPool("proxy", 1, { channel }), startPool("threadfs", 2, { handle: vfs.handle })] as const;
  try {
    const [proxy, tree] = pools;
    await proxy.askAll(() => ({ task: "start" }), TIMEOUT);
    report(result, await measure({ proxy, tree }, options));
    measureNames(result, main.FS, vfs, options);
  } finally {
    stopped = true;
    wakeProxy(channel);
    await served;
    for (const pool of pools) await pool.stop();
    vfs.close();
  }
  return result;
}

export default { name: "emscripten", run } satisfies Question;
