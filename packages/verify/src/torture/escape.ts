/**
 * Walks that may not leave a directory, against a thread that exchanges directories on their way with others outside, as fast as it can: by openat2(2) with
 * RESOLVE_BENEATH and RESOLVE_IN_ROOT, and in a context with `resolve: "beneath"`, in rcu mode and in ref mode. No walk ends outside, and each
 * error is one that the path has: EXDEV where it leads out, ENOENT where a name is nowhere. EAGAIN, after a hundred attempts, is counted.
 *
 *   npm run verify -- escape [--seconds N] [--seed N] [--rounds N]
 *
 * It ends when there have been so many exchanges and so many walks of each kind. What happens when is a matter of the machine.
 */
import { Worker } from "node:worker_threads";
import { AT_FDCWD, ERRNO, O_PATH, RESOLVE_BENEATH, RESOLVE_IN_ROOT, STAT } from "../../../threadfs/dist/abi/abi.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { createVfs, type Vfs, type VfsHandle } from "../../../threadfs/dist/src/index.js";
import { defineCheck, endOfRun, type Failure, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { elementAt } from "../support/defined.js";

/** Words that both threads see. */
export const WORD = { EXCHANGES: 0, STOP: 1, RESULT: 2 } as const;

export interface EscapeData {
  handle: VfsHandle;
  words: Int32Array;
  inside: string;
  outside: string;
}

const title = "Walks that stay below a directory, while directories on their way are exchanged";

const TOP = "/f/top";
const [INSIDE, OUTSIDE] = [`${TOP}/c`, "/f/c"];
const FILE = new URL("./escape.worker.js", import.meta.url);
const MAX_BYTES = 8 << 20;
const ROUNDS = 300_000;
const SHORT_ROUNDS = 20_000;
/** Walks between two looks at the clock, and at the count of exchanges; then the mode changes. */
const BATCH = 500;
const FAILURES_MAX = 5;

/** A path from the top, and the error of its walk; 0: it ends inside. */
type Case = readonly [path: string, error: number];

const LEADS_OUT: readonly Case[] = [
  ["c/../..", ERRNO.EXDEV],
  ["c/../../secret", ERRNO.EXDEV],
  ["c/in/../../../c/in", ERRNO.EXDEV],
  ["c/../../../f/top", ERRNO.EXDEV],
];
const STAYS: readonly Case[] = [
  ["c/..", 0],
  ["c", 0],
  ["c/in/../../c/../c/in/..", 0],
  // Out and in again.
  ["c/../top/c", ERRNO.ENOENT],
];
const IN_ROOT: readonly Case[] = [
  ["c/../..", 0],
  ["c/../../secret", ERRNO.ENOENT],
  ["c/in/../../../c/in/..", 0],
  ["/../c/../..", 0],
];

interface Way {
  name: string;
  cases: readonly Case[];
  /** The inode number of what the walk has ended at, or -errno. */
  walk(path: string): number;
}

/** The thread of the walks. */
class Walker {
  readonly #arena: Attachment;
  readonly #ctx: number;
  readonly #box: number;
  readonly #dir: number;
  readonly ways: readonly Way[];

  constructor(vfs: Vfs, box: number) {
    this.#arena = Attachment.attach(vfs.handle, {});
    this.#ctx = vfs.handle.ctx;
    this.#box = box;
    this.#dir = this.#arena.core.sysOpen(this.#ctx, AT_FDCWD, this.#put(TOP), O_PATH, 0);
    const openat2 = (resolve: number) => (path: string) => this.#openat2(path, resolve);
    this.ways = [
      { name: "RESOLVE_BENEATH", cases: [...LEADS_OUT, ...STAYS], walk: openat2(RESOLVE_BENEATH) },
      { name: "RESOLVE_IN_ROOT", cases: [...IN_ROOT, ...STAYS], walk: openat2(RESOLVE_IN_ROOT) },
      { name: 'resolve: "beneath"', cases: [...LEADS_OUT, ...STAYS], walk: (path) => this.#stat(path) },
    ];
  }

  #put(text: string): number {
    const { path } = this.#arena;
    const length = this.#arena.writeString(text, path);
    path[length] = 0;
    return length;
  }

  #openat2(path: string, resolve: number): number {
    const { core, stat } = this.#arena;
    const fd = core.sysOpenat2(this.#ctx, this.#dir, this.#put(path), O_PATH, 0, resolve);
    if (fd < 0) return fd;
    const found = core.sysFstat(this.#ctx, fd) < 0 ? 0 : stat[STAT.ino];
    core.sysClose(this.#ctx, fd);
    return found;
  }

  #stat(path: string): number {
    const { core, stat } = this.#arena;
    const result = core.sysStat(this.#box, AT_FDCWD, this.#put(path), 0);
    return result < 0 ? result : stat[STAT.ino];
  }

  mode(ref: boolean): void {
    this.#arena.core.walkMode(ref ? 1 : 0);
  }

  close(): void {
    this.#arena.close();
  }
}

interface Counts {
  walks: number;
  raced: number;
}

/** One walk, and what is wrong with it; undefined: nothing. */
function wrong(way: Way, [path, error]: Case, inside: ReadonlySet<number>, counts: Counts): string | undefined {
  const result = way.walk(path);
  counts.walks++;
  if (result === -ERRNO.EAGAIN) counts.raced++;
  else if (result < 0 ? result !== -error : error !== 0 || !inside.has(result)) {
    const expected = error === 0 ? "a directory inside" : `-${error}`;
    return `${way.name}: ${path} is ${result} in place of ${expected}`;
  }
  return undefined;
}

export async function run({ rounds, ...options }: RunInput & { rounds?: number }): Promise<Outcome> {
  const end = endOfRun(options);
  const wanted = rounds ?? (options.short ? SHORT_ROUNDS : ROUNDS);
  const vfs = await createVfs({ maxBytes: MAX_BYTES });
  for (const dir of [INSIDE, OUTSIDE]) vfs.fs.mkdirSync(`${dir}/in`, { recursive: true });
  vfs.fs.writeFileSync("/f/secret", "not for you");
  const inside = new Set([TOP, INSIDE, OUTSIDE].map((path) => vfs.fs.statSync(path).ino));
  const box = vfs.context({ root: TOP, resolve: "beneath" });
  const words = new Int32Array(new SharedArrayBuffer(12));
  const workerData: EscapeData = { handle: vfs.handle, words, inside: INSIDE, outside: OUTSIDE };
  const worker = new Worker(FILE, { workerData });
  const ended = new Promise<void>((done) => worker.once("exit", () => done()));
  const walker = new Walker(vfs, box.handle.ctx);
  const failures: Failure[] = [];
  const counts: Counts = { walks: 0, raced: 0 };
  const isDone = () => counts.walks >= wanted && Atomics.load(words, WORD.EXCHANGES) >= wanted;
  for (let batch = 0; !isDone() && performance.now() < end && failures.length < FAILURES_MAX; batch++) {
    if (Atomics.load(words, WORD.RESULT) < 0) break;
    walker.mode(batch % 2 === 1);
    const way = elementAt(walker.ways, (batch >> 1) % walker.ways.length);
    for (let n = 0; n < BATCH && failures.length < FAILURES_MAX; n++) {
      const message = wrong(way, elementAt(way.cases, n % way.cases.length), inside, counts);
      if (message) failures.push({ message: `${message}, ref ${batch % 2}` });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  Atomics.store(words, WORD.STOP, 1);
  await ended;
  const exchanges = Atomics.load(words, WORD.EXCHANGES);
  const result = Atomics.load(words, WORD.RESULT);
  if (result < 0) failures.push({ message: `an exchange failed: ${result}` });
  walker.close();
  box.close();
  vfs.close();
  if (failures.length === 0 && (counts.walks === 0 || exchanges === 0)) failures.push(nothingChecked(options.seconds));
  return {
    ok: failures.length === 0,
    explored: { walks: counts.walks, exchanges, "walks that began again a hundred times": counts.raced },
    failures,
  };
}

export const check = defineCheck({ title, options: { rounds: { type: "number", least: 1 } }, run });
