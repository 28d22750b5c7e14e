/**
 * Moving things: the parts of the tree that the mutator changes while other threads look up. Each has a version counter in
 * shared memory.
 *
 *   version even: the thing is in state (version / 2) % states, and the mutator is not changing it
 *   version odd:  the mutator is changing it from that state to the next
 *
 * If a reader finds the same even version before and after a lookup, only the answer of that state is right. Otherwise the
 * answer of every state from the first version to the last was right at some moment of the lookup.
 */
import type { FsSync } from "threadfs";
import { randomBelow, shuffled } from "../support/random.js";
import { CALL } from "./packed-queries.js";
import type { Query } from "./queries.js";
import { DEVICE, directoryNode, type Model, type Node, nodeOf, someDirectory } from "./reference-model.js";

export type MovingKind = "rename" | "file" | "replace" | "link" | "tmpfs" | "bind";

/** How a thing moves; the meaning of `path`, `other` and `values` depends on its kind, see mutator.ts. */
export interface MovingEntry {
  number: number;
  kind: MovingKind;
  states: number;
  path: string;
  other: string;
  /** Sizes of a file, targets of a link. */
  values: (number | string)[];
}

/** The description of a thing that the report prints. */
export function describeMovingEntry(thing: MovingEntry): string {
  switch (thing.kind) {
    case "rename":
      return `rename ${thing.path} <-> ${thing.other}`;
    case "file":
      return `make, grow and remove ${thing.path}`;
    case "replace":
      return `replace ${thing.path} by rename`;
    case "link":
      return `point ${thing.path} to ${thing.values.join(" or ")}`;
    case "tmpfs":
      return `mount and unmount a tmpfs at ${thing.path}`;
    case "bind":
      return `bind and unmount ${thing.other} at ${thing.path}`;
  }
}

/**
 * Words in shared memory: the number of the thing that the mutator is changing, then three for each thing: its version, and
 * the halves of an inode number.
 */
export class MovingState {
  readonly #words: Int32Array;

  static memory(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 + count * 12);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  version(thing: number): number {
    return Atomics.load(this.#words, 1 + thing * 3);
  }

  /** The inode number of the thing; valid when the version was even before and is the same after. */
  ino(thing: number): number {
    const low = Atomics.load(this.#words, 2 + thing * 3) >>> 0;
    return Atomics.load(this.#words, 3 + thing * 3) * 2 ** 32 + low;
  }

  /** Sets the next version: odd before a change, even after it. Only the mutator calls this. */
  step(thing: number): void {
    Atomics.store(this.#words, 0, thing + 1);
    Atomics.add(this.#words, 1 + thing * 3, 1);
  }

  /** The thing that the mutator changes or changed last; -1 before the first. A hint: it may be at the next one already. */
  current(): number {
    return Atomics.load(this.#words, 0) - 1;
  }

  publish(thing: number, ino: number): void {
    Atomics.store(this.#words, 2 + thing * 3, ino >>> 0);
    Atomics.store(this.#words, 3 + thing * 3, Math.floor(ino / 2 ** 32));
  }
}

const ROUNDS = 12;
const FILES = 16;
const REPLACED = 8;
const LINKS = 4;
/** Share of the entries that may lie below directories that move, in all and below one. */
const MOVING_SHARE = 0.3;
const ONE_SHARE = 0.04;
/** Largest number of names that are looked up below one bound directory. */
const BOUND_NAMES = 200;
/** How often a query about a moving file is among the others, which are far more. */
const WEIGHT = 8;

interface Candidate {
  path: string;
  node: Node;
  parent: Node;
  below: number;
}

/** Chooses the things that move, adds them to the model, and lists the queries about them. */
export class Plan {
  readonly things: MovingEntry[] = [];
  readonly questions: Query[] = [];
  /** A directory that the job makes beside the loaded ones. */
  readonly directory: string;
  readonly #model: Model;
  readonly #fs: FsSync;
  readonly #own: Node;

  /** @param fs of a context that may do everything and has umask 0 */
  constructor(model: Model, fs: FsSync, root: string, entries: number, seed: number) {
    this.#model = model;
    this.#fs = fs;
    this.directory = freeName(model, `${root === "/" ? "" : root}/.threadfs-churn`);
    fs.mkdirSync(this.directory, 0o755);
    this.#own = directoryNode(0o40755, fs.lstatSync(this.directory).ino);
    model.add(this.directory, this.#own);
    const planted = this.#plantTrees();
    this.#moveDirectories([...planted, ...this.#choose(root, entries, seed)]);
    this.#moveFiles();
    this.#moveLinks();
  }

  /** Makes small directories, so that each kind of movement happens in the smallest tree too. */
  #plantTrees(): Candidate[] {
    return ["renamed", "moved", "covered", "bound", "source"].map((name) => {
      const path = `${this.directory}/${name}`;
      this.#make(path, undefined);
      this.#make(`${path}/inner`, undefined);
      for (const file of ["one.js", "inner/two.js", "inner/package.json"]) this.#make(`${path}/${file}`, file.length);
      return { path, node: this.#model.get(path) as Node, parent: this.#own, below: 4 };
    });
  }

  /** Makes a directory, or a file of `size` bytes, in the tree and in the model. */
  #make(path: string, size: number | undefined): Node {
    if (size === undefined) this.#fs.mkdirSync(path, 0o755);
    else this.#fs.writeFileSync(path, new Uint8Array(size), { mode: 0o644, flag: "wx" });
    const ino = this.#fs.lstatSync(path).ino;
    const node = nodeOf({ mode: size === undefined ? 0o40755 : 0o100644, size: size ?? 0, ino });
    this.#model.add(path, node);
    this.questions.push({ path, call: CALL.STAT });
    return node;
  }

  /** Directories of the loaded tree that may move: none lies in another, and not too much below them. */
  #choose(root: string, entries: number, seed: number): Candidate[] {
    const all: Candidate[] = [];
    const count = (path: string, node: Node, parent: Node): number => {
      let below = 0;
      for (const [name, child] of node.children ?? []) {
        if (child !== this.#own) below += 1 + (child.children ? count(`${path}/${name}`, child, node) : 0);
      }
      if (path !== root && below > 0) all.push({ path, node, parent, below });
      return below;
    };
    const top = this.#model.get(root) as Node;
    count(root, top, top);

    const chosen: Candidate[] = [];
    let room = entries * MOVING_SHARE;
    for (const candidate of shuffled(all, randomBelow(seed))) {
      if (chosen.length >= ROUNDS * 5) break;
      if (candidate.below > Math.max(8, entries * ONE_SHARE) || candidate.below > room) continue;
      if (chosen.some((other) => inside(candidate.path, other.path) || inside(other.path, candidate.path))) continue;
      chosen.push(candidate);
      room -= candidate.below;
    }
    return chosen;
  }

  #moveDirectories(candidates: Candidate[]): void {
    const rest = [...candidates];
    for (let round = 0; round < ROUNDS; round++) {
      const [renamed, moved, covered, bound, source] = rest.splice(0, 5);
      if (renamed) this.#rename(renamed, freeName(this.#model, `${renamed.path}~moved`), renamed.parent);
      if (moved) this.#rename(moved, `${this.directory}/away-${round}`, this.#own);
      if (covered) this.#cover(covered);
      if (bound && source) this.#bind(bound, source);
    }
  }

  #rename(candidate: Candidate, away: string, parent: Node): void {
    const { path, node } = candidate;
    const thing = this.#thing("rename", 2, path, away);
    placesOf(candidate.parent).set(lastName(path), { thing, byState: [node, null] });
    placesOf(parent).set(lastName(away), { thing, byState: [null, node] });
    for (const below of namesBelow(node, "")) this.questions.push({ path: away + below, call: CALL.STAT });
  }

  #cover({ path, node }: Candidate): void {
    const thing = this.#thing("tmpfs", 2, path, "");
    node.cover = { thing, byState: [null, someDirectory(DEVICE.OTHER)] };
  }

  #bind({ path, node }: Candidate, source: Candidate): void {
    const thing = this.#thing("bind", 2, path, source.path);
    node.cover = { thing, byState: [null, source.node] };
    const names = namesBelow(source.node, "").slice(0, BOUND_NAMES);
    for (const below of names) this.questions.push({ path: path + below, call: CALL.STAT });
  }

  #moveFiles(): void {
    for (let i = 0; i < FILES; i++) {
      const path = `${this.directory}/file-${i}.js`;
      const thing = this.#thing("file", 3, path, "", [0, 100 + i]);
      const file = (size: number): Node => nodeOf({ mode: 0o100644, size, ino: -(2 + thing) });
      placesOf(this.#own).set(lastName(path), { thing, byState: [null, file(0), file(100 + i)] });
      this.#often(path, CALL.STAT, CALL.EXISTS);
    }
    for (let i = 0; i < REPLACED; i++) {
      const path = `${this.directory}/replaced-${i}.json`;
      const thing = this.#thing("replace", 2, path, `${path}.new`, [10 + i, 1000 + i]);
      const byState = [10 + i, 1000 + i].map((size) => nodeOf({ mode: 0o100644, size, ino: -(2 + thing) }));
      placesOf(this.#own).set(lastName(path), { thing, byState });
      this.#often(path, CALL.STAT, CALL.ACCESS);
    }
  }

  #moveLinks(): void {
    for (let i = 0; i < LINKS; i++) {
      const path = `${this.directory}/current-${i}`;
      const targets = [`release-${i}-a`, `release-${i}-b`];
      for (const [n, target] of targets.entries()) {
        this.#make(`${this.directory}/${target}`, undefined);
        this.#make(`${this.directory}/${target}/index.js`, 20 + n);
        this.#make(`${this.directory}/${target}/only-${n}.js`, 30 + n);
      }
      const thing = this.#thing("link", 2, path, `${path}.new`, targets);
      const ino = -(2 + thing);
      const byState = targets.map((target) => nodeOf({ mode: 0o120777, size: target.length, ino, target }));
      placesOf(this.#own).set(lastName(path), { thing, byState });
      this.#often(path, CALL.STAT, CALL.LSTAT);
      for (const name of ["index.js", "only-0.js", "only-1.js"]) this.#often(`${path}/${name}`, CALL.STAT, CALL.EXISTS);
    }
  }

  #often(path: string, ...calls: number[]): void {
    for (const call of calls) for (let i = 0; i < WEIGHT; i++) this.questions.push({ path, call });
  }

  #thing(kind: MovingKind, states: number, path: string, other: string, values: (number | string)[] = []): number {
    const number = this.things.length;
    this.things.push({ number, kind, states, path, other, values });
    return number;
  }
}

/** A name with this beginning that does not exist. */
function freeName(model: Model, path: string): string {
  let name = path;
  for (let i = 1; model.get(name); i++) name = `${path}-${i}`;
  return name;
}

function placesOf(directory: Node): NonNullable<Node["places"]> {
  directory.places ??= new Map();
  return directory.places;
}

const inside = (path: string, directory: string): boolean => path.startsWith(`${directory}/`);
const lastName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Names of everything in a directory, beginning with "/", the directory itself ("") first. */
function namesBelow(node: Node, prefix: string): string[] {
  const names = [prefix];
  for (const [name, child] of node.children ?? []) names.push(...namesBelow(child, `${prefix}/${name}`));
  return names;
}
