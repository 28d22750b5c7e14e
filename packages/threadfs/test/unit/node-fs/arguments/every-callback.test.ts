/**
 * Every call with a callback, with wrong arguments of every sort in every place, one place at a time and two: it throws what node:fs
 * throws, or calls back as node:fs does, with as many arguments.
 */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { suite, type Work } from "../both.js";
import { calledBack } from "./called-back.js";
import {
  type Attempt,
  closeAgain,
  FILE,
  fairLater,
  ON_DESCRIPTORS,
  ON_PATHS,
  pairs,
  prepare,
  type Row,
  shown,
  single,
  state,
} from "./places.js";
import { ANY, FEW } from "./values.js";

const { sameEach } = suite(import.meta.url, () => {});

type Callbacks = { readonly [name: string]: (...given: readonly unknown[]) => void };

const ROWS: readonly Row[] = [...ON_PATHS, ...ON_DESCRIPTORS, ["exists", "exists", [FILE]]];

/** The right callback. */
function callback(): void {}

/**
 * Where Node 26 throws outside of all calls, once it is done: the buffer size of opendir and the descriptor -1 of readFile are looked
 * at late, rm and symlink make the call without looking at their callback, and close needs none.
 */
const UNCAUGHT =
  /^opendir \{ bufferSize: |^readFile 0: -1|^(?:rm|symlink|close) (?:.* for a callback|no callback|a callback in the next place)$|^rm 1: .*callback$|^symlink 2: .* 5 for a callback$/;

/** One call with the given arguments in a fresh directory. */
async function tryCall(fs: FsCalls, dir: string, name: string, make: Attempt[1]): Promise<unknown> {
  const fd = prepare(fs, dir);
  const call = (fs as unknown as Callbacks)[name] as Callbacks[string];
  const done = await calledBack(call, make(dir, fd), (value) => shown(fs, name, value));
  closeAgain(fs, fd);
  return [done, state(fs, dir)];
}

function tryAll(name: string, all: readonly Attempt[]): Work {
  const attempts = fairLater(name, all).filter(([title]) => !UNCAUGHT.test(`${name} ${title}`));
  return async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [n, [title, make]] of attempts.entries()) {
      outcomes[title] = await tryCall(fs, `${dir}/${n}`, name, make);
    }
    return outcomes;
  };
}

/** The attempts with a callback behind the arguments. */
function calling(all: readonly Attempt[]): Attempt[] {
  return all.map(([title, make]) => [title, (dir, fd) => [...make(dir, fd), callback]]);
}

/** Wrong callbacks, alone and behind another wrong argument. */
function uncalled([, , places]: Row): Attempt[] {
  const right = (dir: string, fd: number) => places.map((place) => place.right(dir, fd));
  const values = Object.entries(ANY).filter(([, value]) => typeof value() !== "function");
  const attempts: Attempt[] = [
    ["no callback", right],
    ["no arguments", () => []],
    ["an argument too many", (dir, fd) => [...right(dir, fd), callback, 5]],
    ["two callbacks", (dir, fd) => [...right(dir, fd), callback, callback]],
    ["a callback in the next place", (dir, fd) => [...right(dir, fd), undefined, callback]],
    ...values.map(([title, value]): Attempt => [`${title} for a callback`, (dir, fd) => [...right(dir, fd), value()]]),
  ];
  for (const [at] of places.entries()) {
    for (const [title, value] of Object.entries(FEW)) {
      const wrong: Attempt[1] = (dir, fd) => right(dir, fd).map((argument, i) => (i === at ? value() : argument));
      attempts.push([`${at}: ${title}, no callback`, wrong]);
      attempts.push([`${at}: ${title}, 5 for a callback`, (dir, fd) => [...wrong(dir, fd), 5]]);
    }
  }
  return attempts;
}

describe("every call with a callback and one wrong argument", () => {
  for (const [title, name, places] of ROWS) sameEach(title, tryAll(name, calling(single(places))));
});

describe("every call with a callback and two wrong arguments", () => {
  for (const [title, name, places] of ROWS) {
    if (places.length > 1) sameEach(title, tryAll(name, calling(pairs(places))));
  }
});

describe("every call with a wrong callback", () => {
  for (const row of ROWS) sameEach(row[0], tryAll(row[1], uncalled(row)));
});
