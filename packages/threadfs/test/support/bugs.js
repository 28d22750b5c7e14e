/**
 * What the tests of old bugs share: trees to force an interleaving on, a tree for real threads, and one change tried at
 * every point that a walk passes.
 */
import assert from "node:assert/strict";
import { POINT } from "../../dist/abi/abi.js";
import { createVfs } from "../../dist/src/index.js";
import { memoryOf, walkerOf } from "./forced.js";
import { codeOf, debugTree } from "./tree.js";

/** How long real threads run against each other. */
export const RACE_MS = 700;

export async function setUp(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  const peer = await walkerOf(t, tree.vfs.handle);
  const walker = await walkerOf(t, tree.vfs.handle);
  return { tree, vfs: tree.vfs, fs: tree.vfs.fs, peer, walker, memory: memoryOf(tree.vfs) };
}

/** A tree on the build that ships, for real threads. */
export async function shipped(t) {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  return vfs;
}

export function mountDriver(driver, at, ...all) {
  for (const vfs of all) vfs.registerDriver(driver);
  all[0].fs.mkdirSync(at);
  all[0].mount("none", at, driver.name);
}

/** Points of the read side in the order a step passes them. */
const STEP_POINTS = [
  "WALK_START",
  "COMPONENT",
  "SEQ_OPENED",
  "NAME_READ",
  "COMPARED",
  "FOUND",
  "PARENT_CHECK",
  "MOUNT_CHECK",
  "MOUNT_DOWN",
  "ATTR_COPIED",
  "COMPLETE",
  "UNLAZY_HALF",
  "LOCKED_LOOKUP",
];

/**
 * Runs `ask` with `change` at the n-th passing of every point that `ask` passes, each time in the state that `prepare`
 * leaves; `check` judges the answer. Answers how many interleavings happened.
 */
export function atEveryPoint(walker, { prepare, ask, change, check }) {
  prepare();
  const passed = walker.points(() => codeOf(() => ask(walker.fs))).map(([id]) => id);
  let happened = 0;
  for (const name of STEP_POINTS) {
    const id = POINT[name];
    const times = passed.filter((p) => p === id).length;
    for (let nth = 1; nth <= times; nth++) {
      prepare();
      walker.at(id, change, nth);
      const code = codeOf(() => ask(walker.fs));
      if (walker.waits(id)) {
        walker.never();
        continue;
      }
      happened++;
      check(code, `${name} ${nth}`);
    }
  }
  assert.ok(happened > 0, "no interleaving happened");
  return happened;
}
