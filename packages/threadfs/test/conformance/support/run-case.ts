/** Runs one case (case.ts) on one target. */
import { type FsCalls, unchecked } from "../../support/fs-calls.js";
import type { Case, EntrySpec, Tools, TreeSpec } from "./case.js";
import { attempt, type ErrorField, type Listing, listing, type Outcome } from "./outcome.js";
import type { Target } from "./targets.js";

/** What a case came to: of cases that share a tree, without the tree. */
export interface Result {
  outcome: Outcome;
  tree?: Listing;
}

/** Makes the entries of a directory. */
export function makeTree(fs: FsCalls, dir: string, spec: TreeSpec): void {
  for (const [name, value] of Object.entries(spec)) makeEntry(fs, dir, name, value);
}

function makeEntry(fs: FsCalls, dir: string, name: string, value: TreeSpec[string]): void {
  const path = `${dir}/${name.replace(/\/$/, "")}`;
  if (Array.isArray(value)) {
    fs.symlinkSync(value[0], path);
    return;
  }
  const { data = "", link, uid, gid, mode } = entryOf(value);
  if (link !== undefined) fs.linkSync(`${dir}/${link}`, path);
  else if (name.endsWith("/")) fs.mkdirSync(path);
  else fs.writeFileSync(path, data);
  // The owner first: a change of owner clears the set-id bits.
  if (uid !== undefined) fs.chownSync(path, uid, gid ?? uid);
  if (mode !== undefined) fs.chmodSync(path, mode);
}

function entryOf(value: TreeSpec[string]): EntrySpec {
  if (typeof value === "string") return { data: value };
  if (typeof value === "number") return { mode: value };
  return (value as EntrySpec | null) ?? {};
}

function toolsFor(fs: FsCalls, target: Target, dir: string, only?: readonly ErrorField[]): Tools {
  return {
    fs,
    unchecked: unchecked(fs),
    dir,
    p: (name) => `${dir}/${name}`,
    out: (fn) => attempt(fn, target.root, only),
    tree: (spec) => makeTree(fs, dir, spec),
  };
}

/** Makes the case's directory and runs its `setup`; returns the directory. */
export function prepare(target: Target, testCase: Case, id: number): string {
  const { shared, setup } = testCase;
  const made = shared && target.shared.get(shared);
  if (made !== undefined) return made;
  const dir = `${target.root}/c${id}`;
  target.fs.mkdirSync(dir);
  (shared ?? setup)?.(toolsFor(target.fs, target, dir));
  if (shared) target.shared.set(shared, dir);
  return dir;
}

/** The outcome of `run` in `dir`. */
export function perform(target: Target, testCase: Case, dir: string): Outcome {
  const { umask, as, only } = testCase;
  const cwd = testCase.cwd === undefined ? "/" : testCase.cwd === "" ? dir : `${dir}/${testCase.cwd}`;
  return target.with({ cwd, umask, as }, (fs) =>
    attempt(() => testCase.run(toolsFor(fs, target, dir, only)), target.root, only),
  );
}

/** Prepares and runs one case. */
export function runCase(target: Target, testCase: Case, id: number): Result {
  const dir = prepare(target, testCase, id);
  const outcome = perform(target, testCase, dir);
  return testCase.shared ? { outcome } : { outcome, tree: listing(target.fs, dir) };
}
