/**
 * Runs the same calls on `node:fs` and on a tree of threadfs and compares the values that they return or the errors that
 * they throw. Both work in a directory of the same absolute path, so that messages with paths in them are equal too.
 */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { FsCalls } from "../../support/fs-calls.js";

const ERROR_KEYS = ["name", "code", "errno", "syscall", "path", "dest", "message"] as const;

/** Argument errors are worded as in Node 20; later versions word some differently, and then only the rest is compared. */
const WORDED_AS_OURS = process.versions.node.startsWith("20.");

/** The parts of an error that both sides must have in common. */
type ErrorShape = { [key in (typeof ERROR_KEYS)[number]]?: unknown };

/** What a call did: the value that it returned, or the parts of its error. */
export interface Outcome {
  value?: unknown;
  error?: ErrorShape;
}

/** What both sides do, in a directory of their own. */
export type Work = (fs: FsCalls, dir: string) => unknown;

/** The outcome of a piece of work. @throws errors without a code: no file system may throw those */
export function outcome(work: () => unknown): Outcome {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") throw error;
    const given: ErrorShape = error;
    const shape: ErrorShape = {};
    for (const key of ERROR_KEYS) if (given[key] !== undefined) shape[key] = given[key];
    if (!WORDED_AS_OURS && error.code.startsWith("ERR_")) delete shape.message;
    return { error: shape };
  }
}

export interface Suite {
  readonly vfs: Vfs;
  /** Outcomes of a piece of work on both sides. */
  run(work: Work): readonly [theirs: Outcome, ours: Outcome];
  /** A test: the work returns or throws the same on both sides. */
  same(name: string, work: Work): void;
  /** The same where versions of Node differ: threadfs does as Node 20. */
  sameAsNode20(name: string, work: Work): void;
  /** A test for errors that versions of Node word differently: node:fs throws, and threadfs with the same code. */
  sameCode(name: string, work: Work): void;
}

/** Makes a tree and the functions that compare. `setUp` runs on both sides in a fresh directory before each comparison. */
export function suite(setUp: Work): Suite {
  let vfs: Vfs;
  let top: string;
  let count = 0;
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 28 });
    top = nodeFs.mkdtempSync(path.join(os.tmpdir(), "threadfs-test-"));
  });
  after(() => {
    vfs.close();
    nodeFs.rmSync(top, { recursive: true, force: true });
  });

  function run(work: Work): readonly [Outcome, Outcome] {
    const dir = path.join(top, `case${count++}`);
    const on = (fs: FsCalls): Outcome => {
      fs.mkdirSync(dir, { recursive: true });
      setUp(fs, dir);
      return outcome(() => work(fs, dir));
    };
    return [on(nodeFs), on(vfs.fs)];
  }

  function compare(work: Work): void {
    const [theirs, ours] = run(work);
    assert.deepEqual(ours, theirs);
  }

  return {
    get vfs() {
      return vfs;
    },
    run,
    same(name, work) {
      test(name, () => compare(work));
    },
    sameAsNode20(name, work) {
      const skip = WORDED_AS_OURS ? false : "versions of Node differ here; threadfs does as Node 20";
      test(name, { skip }, () => compare(work));
    },
    sameCode(name, work) {
      test(name, () => {
        const [theirs, ours] = run(work);
        assert.ok(theirs.error, "node:fs throws here");
        assert.equal(ours.error?.code, theirs.error.code);
      });
    },
  };
}
