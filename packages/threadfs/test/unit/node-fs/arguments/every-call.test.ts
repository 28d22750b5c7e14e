/**
 * Every call with wrong arguments of every sort in every place, one place at a time and two, and with every known option
 * wrong: it throws what node:fs throws, word for word, or does what node:fs does.
 */
import { describe } from "node:test";
import { type CallName, type FsCalls, unchecked } from "../../../support/fs-calls.js";
import { outcome } from "../../../support/oracle/works.js";
import { suite, type Work } from "../both.js";
import {
  type Attempt,
  closeAgain,
  compared,
  FILE,
  fair,
  ON_DESCRIPTORS,
  ON_PATHS,
  optional,
  pairs,
  prepare,
  type Row,
  shown,
  single,
  state,
} from "./places.js";

const { sameEach } = suite(import.meta.url, () => {});

const GLOB = optional("cwd", "exclude", "followSymlinks", "maxDepth", "withFileTypes");

const ROWS: readonly Row[] = [
  ...ON_PATHS,
  ...ON_DESCRIPTORS,
  ["exists", "exists", [FILE]],
  ["glob", "glob", [{ right: (dir) => `${dir}/*` }, GLOB]],
];

/** One call with the given arguments in a fresh directory. */
function tryCall(fs: FsCalls, dir: string, name: string, make: Attempt[1]): unknown {
  const fd = prepare(fs, dir);
  const call = unchecked(fs)[`${name}Sync` as CallName];
  const done = outcome(() => shown(fs, name, call(...make(dir, fd))));
  closeAgain(fs, fd);
  return [compared(done), state(fs, dir)];
}

function tryAll(name: string, all: readonly Attempt[]): Work {
  const attempts = fair(name, all);
  return (fs, dir) =>
    Object.fromEntries(attempts.map(([title, make], n) => [title, tryCall(fs, `${dir}/${n}`, name, make)]));
}

describe("every call with one wrong argument", () => {
  for (const [title, name, places] of ROWS) sameEach(title, tryAll(name, single(places)));
});

describe("every call with two wrong arguments looks at them in Node's order", () => {
  for (const [title, name, places] of ROWS) {
    if (places.length > 1) sameEach(title, tryAll(name, pairs(places)));
  }
});
