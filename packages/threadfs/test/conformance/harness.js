/**
 * Runs a table of cases on both targets and compares. A case is data and functions:
 *
 *     { name,             its subtest's name
 *       setup(t),         makes what it needs; acts as the process itself
 *       run(t),           what is compared: its value or error, and afterwards the picture of the case's directory
 *       cwd, umask,       working directory below the case's directory ("" for it itself) and umask of `run`
 *       as,               credentials of `run`, { uid, gid, groups }: the oracle is then a child process
 *       only,             fields of an error to compare, where versions of Node differ in the others
 *       shared,           `setup` runs once for all cases that name the same function here; `run` must not change it
 *       root }            needs root (chown and the like)
 *
 * `t` is `{ fs, dir, p(name), out(fn), tree(spec) }`: the file system, the case's directory, a path in it, a call whose
 * outcome is part of the answer, a shorthand that makes files.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { picture } from "./outcome.js";
import { prepare, runCase } from "./run-case.js";
import { openTargets, SELF } from "./targets.js";

/** Longest time that a child of other credentials may take. */
const CHILD_MS = 60_000;

/** Runs the cases with these numbers, already prepared below `root`, as `as` in a child; answers their outcomes. */
function runAs(module, root, as, ids) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./other-user.js", import.meta.url), {
      timeout: CHILD_MS,
      // Its standard output would be the runner's own channel.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
    let answer;
    child.once("message", (message) => {
      answer = message;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (answer) resolve(answer);
      else reject(new Error(`the child of uid ${as.uid} ended without an answer: ${signal ?? code}`));
    });
    child.send({ module: String(module), root, as, ids });
  });
}

/** Prepares and runs on the kernel all cases of other credentials; answers `{ outcome, tree }` by number. */
async function runForeign(kernel, cases, module) {
  const groups = new Map();
  for (const [id, testCase] of cases.entries()) {
    if (!testCase.as) continue;
    prepare(kernel, testCase, id);
    const key = JSON.stringify(testCase.as);
    groups.set(key, [...(groups.get(key) ?? []), id]);
  }
  const results = new Map();
  for (const [key, ids] of groups) {
    const outcomes = await runAs(module, kernel.root, JSON.parse(key), ids);
    for (const id of ids) {
      results.set(id, { outcome: outcomes[id], tree: picture(kernel.fs, `${kernel.root}/c${id}`) });
    }
  }
  return results;
}

function skipReason(testCase) {
  if ((testCase.as || testCase.root) && SELF.uid !== 0) return "needs root to take other credentials";
  return false;
}

/** Registers the table as a suite. `module` is the address of the table where cases have credentials of their own. */
export function conform(title, cases, module) {
  describe(title, () => {
    let targets;
    const done = new Map();
    const result = (target, testCase, id) => done.get(target)?.get(id) ?? runCase(target, testCase, id);
    before(async () => {
      targets = await openTargets();
      if (SELF.uid !== 0) return;
      for (const target of [targets.kernel, targets.ours]) {
        // A context takes credentials here and now; a process of the kernel has to be another one.
        if (target.label === "kernel") done.set(target, await runForeign(target, cases, module));
      }
    });
    after(() => targets?.close());

    const names = new Set();
    for (const [id, testCase] of cases.entries()) {
      assert.ok(!names.has(testCase.name), `two cases are called ${testCase.name}`);
      names.add(testCase.name);
      it(testCase.name, { skip: skipReason(testCase) }, () => {
        const expected = result(targets.kernel, testCase, id);
        assert.equal(expected.outcome.thrown, undefined, "the case itself fails on the kernel");
        assert.deepEqual(result(targets.ours, testCase, id), expected);
      });
    }

    if (cases.some((testCase) => testCase.shared)) {
      it("what the reading cases share is unchanged", () => {
        for (const [key, dir] of targets.kernel.shared) {
          assert.deepEqual(picture(targets.ours.fs, targets.ours.shared.get(key)), picture(targets.kernel.fs, dir));
        }
      });
    }
  });
}
