/** Workloads of the torture on directories that move, are exchanged, or whose files change names inside them. */
import { ERRNO, RENAME_NOREPLACE } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import { checkDirStat, checkStat, makeStampedDir, nameOf, pathIn, putStamped } from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { GEN, readDirectory } from "./name.js";
import { listOf, type TakeWords, type Workload } from "./workload.js";

/** Moves of a directory that its history keeps; a power of two. */
const MOVES = 64;
/** Words of a history: moves done, moves begun, the places by the numbers of the moves. */
const DONE = 0;
const BEGUN = 1;
const PLACES = 2;
const HISTORY_WORDS = PLACES + MOVES;

/** The places where one directory has been, in shared words, which one thread writes. */
class History {
  readonly #words: Int32Array;
  readonly #at: number;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  get done(): number {
    return Atomics.load(this.#words, this.#at + DONE);
  }

  get begun(): number {
    return Atomics.load(this.#words, this.#at + BEGUN);
  }

  /** The place to which a move went. */
  place(move: number): number {
    return Atomics.load(this.#words, this.#at + PLACES + (move & (MOVES - 1)));
  }

  /** For the writer: `move` moves the directory to a place. */
  moved(to: number, move: () => void): void {
    const next = this.done + 1;
    Atomics.store(this.#words, this.#at + PLACES + (next & (MOVES - 1)), to);
    Atomics.store(this.#words, this.#at + BEGUN, next);
    move();
    Atomics.store(this.#words, this.#at + DONE, next);
  }
}

interface MovedPlace {
  readonly path: Path;
  /** The file inside, and a way around to it. */
  readonly id: Path;
  readonly around: Path;
}

interface MovedItem {
  readonly places: readonly MovedPlace[];
  readonly uid: number;
  readonly history: History;
}

const MOVED_DIRS = ["/t/mv/A", "/t/mv/A/low", "/t/mv/B"] as const;

function movedPlaces(i: number): MovedPlace[] {
  const paths = MOVED_DIRS.flatMap((dir) => [pathIn(dir, `s${i}`), pathIn(dir, `s${i}`.padEnd(40, "~"))]);
  return paths.map((path) => ({
    path,
    id: makePath(`${path.text}/id`),
    around: makePath(`${path.text}/sub/../id`),
  }));
}

/**
 * Directories that move from place to place, each with a file inside that identifies it. Shared words keep where each has been,
 * so that a reader knows where it may be found, and by which name, at any moment of its call.
 */
export class Moved implements Workload {
  readonly items = 24;
  readonly #items: readonly MovedItem[];
  readonly #everywhere: ReadonlySet<string>;

  constructor({ words }: Thread, take: TakeWords) {
    this.#items = listOf(this.items, (i) => ({
      places: movedPlaces(i),
      uid: 4000 + i,
      history: new History(words, take(HISTORY_WORDS)),
    }));
    this.#everywhere = new Set(this.#items.flatMap(({ places }) => places.map(({ path }) => path.text)));
  }

  /** Whether any of the directories may exist. */
  isPlace(text: string): boolean {
    return this.#everywhere.has(text);
  }

  anyPlace(t: Thread): Path {
    const { places } = elementAt(this.#items, t.next(this.items));
    return elementAt(places, t.next(places.length)).path;
  }

  build(t: Thread): void {
    for (const dir of MOVED_DIRS) t.fs.mkdirSync(dir, { recursive: true });
    for (const { places, uid } of this.#items) {
      const { path, id } = elementAt(places, 0);
      t.must(t.rename(makeStampedDir(t, uid, GEN), path), "rename");
      t.must(t.mkdir(makePath(`${path.text}/sub`)), "mkdir");
      putStamped(t, id, uid, GEN);
    }
  }

  write(t: Thread, i: number): void {
    const { places, history } = elementAt(this.#items, i);
    const from = history.place(history.done);
    const to = (from + 1 + t.next(places.length - 1)) % places.length;
    const [source, target] = [elementAt(places, from).path, elementAt(places, to).path];
    history.moved(to, () => t.must(t.rename(source, target), `moving ${source.text} to ${target.text}`));
  }

  read(t: Thread, i: number): void {
    const { places, uid, history } = elementAt(this.#items, i);
    const p = t.next(places.length);
    const { path, id, around } = elementAt(places, p);
    this.#search(t, history, p, path, () => {
      const result = t.stat(path);
      if (result === 0) checkDirStat(t, path, uid, GEN, GEN);
      else if (result !== -ERRNO.ENOENT) t.must(result, `stat of ${path.text}`);
      return result === 0;
    });
    const file = t.next(2) === 0 ? id : around;
    this.#search(t, history, p, path, () => {
      const result = t.stat(file);
      if (result === 0) checkStat(t, file, uid, GEN, GEN);
      else if (result !== -ERRNO.ENOENT) t.must(result, `stat of ${file.text}`);
      return result === 0;
    });
  }

  /** Searches a directory at place `p`; `call` returns whether it was found. The result must fit the history. */
  #search(t: Thread, history: History, p: number, { text }: Path, call: () => boolean): void {
    const { done } = history;
    const found = call();
    const { begun } = history;
    if (begun - done >= MOVES - 1) return;
    let may = false;
    for (let n = done; n <= begun; n++) may ||= history.place(n) === p;
    // The writer may have written over the places meanwhile.
    if (history.begun - done >= MOVES - 1) return;
    if (found && !may) t.fail(`${text} was found in moves ${done} to ${begun}, where it was never in that place`);
    if (!found && done === begun && may) t.fail(`${text} was there all the time (move ${done}) and was not found`);
  }
}

interface SwungItem {
  readonly left: Path;
  readonly right: Path;
  /** Ways to the file below: by each of the two, and around. */
  readonly below: readonly Path[];
  /** Identity of the first file; the next number is the second's. */
  readonly uid: number;
}

function swungItem(i: number): SwungItem {
  const left = makePath(`/t/sw/${i}/L`);
  const right = makePath(i % 2 ? `/t/sw/${i}/low/R` : `/t/sw/${i}/R`);
  return {
    left,
    right,
    below: [`${left.text}/in/deep/id`, `${right.text}/in/deep/id`, `${left.text}/in/../in/deep/../deep/id`].map(
      makePath,
    ),
    uid: 5000 + i * 2,
  };
}

/** Two directories that are exchanged all the time: below them there is always a file, of the one or of the other. */
export class Swung implements Workload {
  readonly items = 4;
  readonly #items = listOf(this.items, swungItem);

  build(t: Thread): void {
    for (const [i, { left, right, uid }] of this.#items.entries()) {
      t.fs.mkdirSync(`/t/sw/${i}/low`, { recursive: true });
      for (const [k, { text }] of [left, right].entries()) {
        t.fs.mkdirSync(`${text}/in/deep`, { recursive: true });
        putStamped(t, makePath(`${text}/in/deep/id`), uid + k, GEN);
      }
    }
  }

  write(t: Thread, i: number): void {
    const { left, right } = elementAt(this.#items, i);
    t.must(t.exchange(left, right), `exchanging ${left.text}`);
  }

  read(t: Thread, i: number): void {
    const { below, uid } = elementAt(this.#items, i);
    for (const path of below) {
      if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
      if (t.uid !== uid && t.uid !== uid + 1) t.fail(`${path.text} is file ${t.uid}`);
      checkStat(t, path, t.uid, GEN, GEN);
    }
  }
}

interface PermutedItem {
  readonly dir: Path;
  readonly names: readonly Path[];
  /** The name that each file has; only the writer knows. */
  readonly now: number[];
}

/** A directory whose files change names inside it: one read shows as many as there are, none twice. */
export class Permuted implements Workload {
  readonly items = 8;
  readonly files = 12;
  readonly #items = listOf(this.items, (i): PermutedItem => {
    const dir = makePath(`/t/pe/${i}`);
    return {
      dir,
      names: listOf(this.files * 2, (k) => pathIn(dir.text, nameOf("p", k))),
      now: Array.from({ length: this.files }, (_, k) => k),
    };
  });
  readonly dirs = this.#items.map(({ dir }) => dir);

  #uid(i: number, k: number): number {
    return 6000 + i * this.files + k;
  }

  build(t: Thread): void {
    for (const [i, { dir, names }] of this.#items.entries()) {
      t.fs.mkdirSync(dir.text, { recursive: true });
      for (const [k, path] of names.slice(0, this.files).entries()) putStamped(t, path, this.#uid(i, k), GEN);
    }
  }

  write(t: Thread, i: number): void {
    const { names, now } = elementAt(this.#items, i);
    const k = t.next(this.files);
    const to = t.next(names.length);
    if (now.includes(to)) return;
    t.must(t.rename(elementAt(names, elementAt(now, k)), elementAt(names, to), RENAME_NOREPLACE), "rename");
    now[k] = to;
  }

  read(t: Thread, i: number): void {
    const { dir, names } = elementAt(this.#items, i);
    const { files } = this;
    const { entries, rest } = readDirectory(t, dir);
    const inos = new Set(entries.map(({ ino }) => ino));
    if (entries.length !== files || inos.size !== files || rest !== 0) {
      const shown = `${entries.length} entries of ${inos.size} files and ${rest} bytes more`;
      t.fail(`${dir.text} shows ${shown}, it has ${files}`);
    }
    const path = elementAt(names, t.next(names.length));
    const result = t.stat(path);
    if (result === -ERRNO.ENOENT) return;
    t.must(result, `stat of ${path.text}`);
    if (t.uid < this.#uid(i, 0) || t.uid >= this.#uid(i, files) || t.gid !== GEN || t.ino === 0) {
      t.fail(`${path.text} is file ${t.uid}.${t.gid}`);
    }
  }
}
