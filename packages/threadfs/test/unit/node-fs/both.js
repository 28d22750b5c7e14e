/**
 * Runs the same calls on `node:fs` and on a tree of ours and compares what they answer or throw. Both work in a
 * directory of the same absolute path, so that messages with paths in them are equal too.
 */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";

const ERROR_KEYS = ["name", "code", "errno", "syscall", "path", "dest", "message"];

/** Argument errors are worded as in Node 20; later versions word some otherwise, and then only the rest is compared. */
const WORDED_AS_OURS = process.versions.node.startsWith("20.");

/** What a call did: its answer, or the parts of its error. */
export function outcome(work) {
  try {
    return { answer: work() };
  } catch (error) {
    // An error without a code is none that a file system may throw: let it fail the test.
    if (typeof error.code !== "string") throw error;
    const shape = {};
    for (const key of ERROR_KEYS) if (error[key] !== undefined) shape[key] = error[key];
    if (!WORDED_AS_OURS && error.code.startsWith("ERR_")) delete shape.message;
    return { error: shape };
  }
}

/**
 * Prepares a tree and gives the functions that compare.
 * @param {(fs: typeof nodeFs, dir: string) => void} setUp run on both sides in a fresh directory before each comparison
 */
export function suite(setUp = () => undefined) {
  let vfs;
  let top;
  let count = 0;
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 28 });
    top = nodeFs.mkdtempSync(path.join(os.tmpdir(), "threadfs-test-"));
  });
  after(() => {
    vfs.close();
    nodeFs.rmSync(top, { recursive: true, force: true });
  });

  /** Both sides' outcomes of one piece of work. */
  function run(work) {
    const dir = path.join(top, `case${count++}`);
    return [nodeFs, vfs.fs].map((fs) => {
      fs.mkdirSync(dir, { recursive: true });
      setUp(fs, dir);
      return outcome(() => work(fs, dir));
    });
  }

  return {
    get vfs() {
      return vfs;
    },
    run,
    /** A test: the work answers or throws the same on both sides. */
    same(name, work) {
      test(name, () => {
        const [theirs, ours] = run(work);
        assert.deepEqual(ours, theirs);
      });
    },
    /** The same where Node's versions disagree with each other: ours does as Node 20. */
    sameAsNode20(name, work) {
      test(name, { skip: WORDED_AS_OURS ? false : "Node's versions answer differently; ours does as Node 20" }, () => {
        const [theirs, ours] = run(work);
        assert.deepEqual(ours, theirs);
      });
    },
    /** A test for what Node's versions word differently: only the error's code is compared, and that there is one. */
    sameCode(name, work) {
      test(name, () => {
        const [theirs, ours] = run(work);
        assert.ok(theirs.error, "node:fs throws here");
        assert.equal(ours.error?.code, theirs.error.code);
      });
    },
  };
}
