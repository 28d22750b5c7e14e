/** A thread that changes one tree until it is told to stop. */
import { workerData } from "node:worker_threads";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

export interface BusyWorkerData {
  readonly handle: VfsHandle;
  /** Word 0: other than 0 ends the work. */
  readonly stop: Int32Array;
}

/** What the thread does. */
export type BusyKind = keyof typeof KINDS;

/** "hello" returns when the thread is attached; "work" does the rounds as thread number `id` and detaches. */
export type BusyRequest = { task: "hello" } | { task: "work"; kind: BusyKind; id: number; rounds: number };

const { handle, stop } = workerData as BusyWorkerData;
const vfs = await attachVfs(handle);
const { fs } = vfs;

/** Errors that a concurrent change explains; any other ends the test. */
const EXPECTED = new Set(["ENOENT", "EEXIST", "ENOTDIR", "ENOTEMPTY", "EINVAL", "EISDIR"]);

function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !EXPECTED.has(code)) throw error;
  }
}

const KINDS = {
  /** Makes directories and files below /busy/0. */
  fill(i: number, id: number): void {
    const path = `/busy/0/${(i * 7 + id) % 200}`;
    attempt(() => fs.mkdirSync(path, { recursive: true }));
    attempt(() => fs.writeFileSync(`${path}/file`, "x"));
  },
  /** Replaces directories by links to /outside, ten at a time, and puts the directories back. */
  swap(i: number): void {
    const path = `/busy/0/${(i * 11) % 200}`;
    attempt(() => fs.renameSync(path, `${path}-aside`));
    attempt(() => fs.symlinkSync("/outside", path));
    const former = `/busy/0/${((i + 190) * 11) % 200}`;
    attempt(() => fs.unlinkSync(former));
    attempt(() => fs.renameSync(`${former}-aside`, former));
    attempt(() => fs.rmSync(`${former}-aside`, { recursive: true, force: true }));
  },
  /** Makes the same long path as the other threads. */
  path(i: number): void {
    fs.mkdirSync(`/made/${i}/a/b/c/d`, { recursive: true });
  },
};

serveRequests<BusyRequest>((request) => {
  if (request.task === "hello") return;
  const { kind, id, rounds } = request;
  for (let i = 0; i < rounds && Atomics.load(stop, 0) === 0; i++) KINDS[kind](i, id);
  vfs.close();
});
