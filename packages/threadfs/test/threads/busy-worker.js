/** A thread that changes one tree until it is told to stop: `kind` says how. Answers the errors it met, by code. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";

const { handle, kind, id, stop, rounds } = workerData;
const vfs = await attachVfs(handle);
const { fs } = vfs;
const errors = {};

/** Errors that a concurrent change explains; any other ends the test. */
const EXPECTED = new Set(["ENOENT", "EEXIST", "ENOTDIR", "ENOTEMPTY", "EINVAL", "EISDIR"]);

function attempt(work) {
  try {
    work();
  } catch (error) {
    if (!EXPECTED.has(error.code)) throw error;
    errors[error.code] = (errors[error.code] ?? 0) + 1;
  }
}

const kinds = {
  /** Makes directories and files below /busy/0. */
  fill(i) {
    const path = `/busy/0/${(i * 7 + id) % 200}`;
    attempt(() => fs.mkdirSync(path, { recursive: true }));
    attempt(() => fs.writeFileSync(`${path}/file`, "x"));
  },
  /** Puts links to /outside where directories were, ten at a time, and the directories back again. */
  swap(i) {
    const path = `/busy/0/${(i * 11) % 200}`;
    attempt(() => fs.renameSync(path, `${path}-aside`));
    attempt(() => fs.symlinkSync("/outside", path));
    const former = `/busy/0/${((i + 190) * 11) % 200}`;
    attempt(() => fs.unlinkSync(former));
    attempt(() => fs.renameSync(`${former}-aside`, former));
    attempt(() => fs.rmSync(`${former}-aside`, { recursive: true, force: true }));
  },
  /** Makes one long path with everybody else, and removes its end. */
  path(i) {
    fs.mkdirSync(`/made/${i}/a/b/c/d`, { recursive: true });
  },
};

parentPort.postMessage("ready");
for (let i = 0; i < rounds && Atomics.load(stop, 0) === 0; i++) kinds[kind](i);
vfs.close();
parentPort.postMessage(errors);
