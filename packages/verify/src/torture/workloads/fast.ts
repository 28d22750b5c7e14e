/**
 * Workloads that change as fast as the core can, and whose paths the hot reader looks up again and again: a fault that needs a
 * thread to stand still between two instructions of a walk shows here.
 */
import { ERRNO } from "../../../../threadfs/dist/abi/abi.js";
import { elementAt } from "../../support/defined.js";
import { nameOf, pathIn } from "../file-stamp.js";
import { makePath, type Path } from "../shared-state.js";
import type { Thread } from "../thread.js";
import { listOf, type Workload } from "./workload.js";

interface StrayedItem {
  readonly home: Path;
  readonly away: Path;
  /** The name inside, below the second place. */
  readonly child: Path;
  /** The same name below the first place. */
  readonly never: Path;
  /** Whether the directory is at its second place; only the writer knows. */
  left: boolean;
}

function strayedItem(i: number): StrayedItem {
  const home = makePath(`/t/st/${i}/home`);
  const away = makePath(i % 2 ? `/t/st/${i}/a/way` : `/t/st/${i}/away`);
  // Short names for the quick walk, long ones for the general one.
  const name = nameOf("in", elementAt([0, 5, 2, 6], i));
  return { home, away, child: pathIn(away.text, name), never: pathIn(home.text, name), left: false };
}

/**
 * A directory that is at one place while it is empty and at another while it holds a name: under the first place that
 * name never was. A walk that found the directory at the first and the name in it at the second mixes two states.
 */
export class Strayed implements Workload {
  readonly items = 4;
  readonly #items = listOf(this.items, strayedItem);
  readonly never = this.#items.map(({ never }) => never);

  build(t: Thread): void {
    for (const [i, { home }] of this.#items.entries()) {
      t.fs.mkdirSync(home.text, { recursive: true });
      t.fs.mkdirSync(`/t/st/${i}/a`);
    }
  }

  // One step each time, so that a reader that stood still finds the directory in either state.
  write(t: Thread, i: number): void {
    const item = elementAt(this.#items, i);
    const { home, away, child } = item;
    if (item.left) {
      t.must(t.rmdir(child), "rmdir");
      t.must(t.rename(away, home), `moving ${away.text}`);
    } else {
      t.must(t.rename(home, away), `moving ${home.text}`);
      t.must(t.mkdir(child), "mkdir");
    }
    item.left = !item.left;
  }

  read(t: Thread, i: number): void {
    const { never } = elementAt(this.#items, i);
    const before = t.refWalks();
    const result = t.stat(never);
    if (result === 0) this.found(t, never, before);
    else if (result !== -ERRNO.ENOENT) t.must(result, `stat of ${never.text}`);
  }

  /**
   * The path was found. A walk in ref mode may do that, as in Linux: it has a reference on the directory, wherever that has
   * gone meanwhile. A walk in rcu mode may not: its result was true at one moment.
   */
  found(t: Thread, never: Path, refWalks: number): void {
    if (t.refWalks() === refWalks) t.fail(`${never.text} never was and was found in rcu mode`);
  }
}

/** Directories that are made and removed at once: a name is there or not, and memory is used and freed under the readers. */
export class Churned implements Workload {
  readonly items = 8;
  readonly paths = listOf(this.items, (i) => pathIn("/t/ch", nameOf("c", i)));

  build(t: Thread): void {
    t.must(t.mkdir(makePath("/t/ch")), "mkdir");
  }

  write(t: Thread, i: number): void {
    const path = elementAt(this.paths, i);
    t.must(t.mkdir(path), "mkdir");
    t.must(t.rmdir(path), "rmdir");
  }

  read(t: Thread, i: number): void {
    const path = elementAt(this.paths, i);
    const result = t.stat(path);
    if (result !== -ERRNO.ENOENT) t.must(result, `stat of ${path.text}`);
  }
}
