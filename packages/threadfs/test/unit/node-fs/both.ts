/**
 * Runs the same work on threadfs, and in the oracle's process on `node:fs`, and compares the values that they return or the
 * errors that they throw. Both sides work in a directory of the same absolute path, so that messages with paths in them are
 * equal too. The oracle imports the test file itself (support/oracle/): work may use what it is given, and no test's state.
 */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { defined } from "../../../../cli/dist/support/defined.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { openOracle, type Plain } from "../../support/oracle/oracle.js";
import { type Outcome, registered, runWork, type Work, type Works } from "../../support/oracle/works.js";

export type { Work } from "../../support/oracle/works.js";

export interface Suite {
  readonly vfs: Vfs;
  /** A test: the work returns or throws the same on both sides. */
  same(name: string, work: Work): void;
  /** A test for work that returns many outcomes in an object: a failure shows those that differ. */
  sameEach(name: string, work: Work): void;
  /** A test: node:fs throws, and threadfs an error with the same code. */
  sameCode(name: string, work: Work): void;
  /** Does a part of work as a user that owns `dir`: one without privileges, also where the tests are run by the superuser. */
  asUser<R>(fs: FsCalls, dir: string, part: (fs: FsCalls) => Promise<R>): Promise<R>;
}

const USER = { uid: 1000, gid: 1000, groups: [] };

/** The same on `node:fs`, in the oracle's process. */
async function asUserOfKernel<R>(dir: string, part: (fs: FsCalls) => Promise<R>): Promise<R> {
  const { seteuid, setegid, setgroups, geteuid, getegid, getgroups } = process;
  if (seteuid === undefined || setegid === undefined || setgroups === undefined || geteuid?.() !== 0)
    return part(nodeFs);
  const [gid, groups] = [getegid?.() ?? 0, getgroups?.() ?? []];
  nodeFs.chownSync(dir, USER.uid, USER.gid);
  setgroups(USER.groups);
  setegid(USER.gid);
  seteuid(USER.uid);
  try {
    return await part(nodeFs);
  } finally {
    seteuid(0);
    setegid(gid);
    setgroups(groups);
  }
}

function entriesOf({ value }: Outcome): { readonly [key: string]: Plain } {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value), "the work returns an object");
  return value as { readonly [key: string]: Plain };
}

/**
 * Makes a tree and the functions that compare. `file`: the address of the test file. `setUp` runs on both sides in a fresh
 * directory before each comparison.
 */
export function suite(file: string, setUp: Work): Suite {
  const works: Works = { setUp, works: [] };
  const number = registered.push(works) - 1;
  let vfs: Vfs;
  /** The calls with the oracle's working directory. */
  let fs: FsCalls;
  let root: string;
  let expected: Outcome[];
  before(async () => {
    vfs = await createVfs({ maxBytes: 1 << 28 });
    const oracle = openOracle();
    try {
      const outcomes = await oracle.ask<Outcome[][]>({ kind: "works", module: file });
      expected = defined(outcomes[number], `suite ${number} of ${file}`);
    } finally {
      await oracle.close();
    }
    root = oracle.root;
    vfs.fs.mkdirSync(root, { recursive: true });
    fs = vfs.context({ cwd: root }).fs;
  });
  after(() => vfs.close());
  function compare(name: string, work: Work, check: (ours: Outcome, right: Outcome) => void): void {
    const at = works.works.push(work) - 1;
    test(name, async () => {
      const right = defined(expected[at], `outcome of ${name}`);
      assert.equal(right.thrown, undefined, "the work itself fails on the kernel");
      check(await runWork(fs, `${root}/suite${number}`, works, at), right);
    });
  }

  return {
    get vfs() {
      return vfs;
    },
    same(name, work) {
      compare(name, work, (ours, right) => assert.deepEqual(ours, right));
    },
    sameEach(name, work) {
      compare(name, work, (ours, right) => {
        const [got, wanted] = [entriesOf(ours), entriesOf(right)];
        assert.deepEqual(Object.keys(got), Object.keys(wanted));
        const wrong = Object.keys(wanted).filter((key) => !isDeepStrictEqual(got[key], wanted[key]));
        const only = (all: typeof got) => Object.fromEntries(wrong.map((key) => [key, all[key]]));
        assert.deepEqual(only(got), only(wanted));
      });
    },
    async asUser(given, dir, part) {
      if (given === nodeFs) return asUserOfKernel(dir, part);
      given.chownSync(dir, USER.uid, USER.gid);
      const context = vfs.context({ ...USER, cwd: root });
      try {
        return await part(context.fs);
      } finally {
        context.close();
      }
    },
    sameCode(name, work) {
      compare(name, work, (ours, right) => {
        assert.ok(right.error, "node:fs throws here");
        assert.equal(ours.error?.code, right.error.code);
      });
    },
  };
}
