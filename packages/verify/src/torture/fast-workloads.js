/**
 * Stations of the torture that change as fast as the core can, and that the hot reader asks for again and again: what goes
 * wrong only when a thread stands still between two instructions of a walk shows here.
 */

import { at, nameOf } from "./file-stamp.js";
import { makePath } from "./shared-state.js";
import { ENOENT } from "./thread.js";

/**
 * A directory that is at one place while it is empty and at another while it holds a name: under the first place that
 * name never was. A walk that found the directory at the first and the name in it at the second is of two moments.
 */
export function strayed() {
  const items = 4;
  /** Whether it is away: known to the writer alone. */
  const left = new Array(items).fill(false);
  const home = Array.from({ length: items }, (_, i) => makePath(`/t/st/${i}/home`));
  const away = home.map((_, i) => makePath(i % 2 ? `/t/st/${i}/a/way` : `/t/st/${i}/away`));
  // Short names for the straight loop of the walk, long ones for the general one.
  const name = (i) => nameOf("in", [0, 5, 2, 6][i]);
  const child = away.map(({ text }, i) => at(text, name(i)));
  const never = home.map(({ text }, i) => at(text, name(i)));
  return {
    items,
    never,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(home[i].text, { recursive: true });
        t.fs.mkdirSync(`/t/st/${i}/a`);
      }
    },
    // One step each time, so that a reader who stood still finds it in either state.
    write(t, i) {
      if (left[i]) {
        t.must(t.rmdir(child[i]), "rmdir");
        t.must(t.rename(away[i], home[i]), `moving ${away[i].text}`);
      } else {
        t.must(t.rename(home[i], away[i]), `moving ${home[i].text}`);
        t.must(t.mkdir(child[i]), "mkdir");
      }
      left[i] = !left[i];
    },
    read(t, i) {
      const before = t.refWalks();
      const answer = t.stat(never[i]);
      if (answer === 0) this.found(t, i, before);
      else if (answer !== -ENOENT) t.must(answer, `stat of ${never[i].text}`);
    },
    /**
     * It was found. A walk in ref mode may do that, as in Linux: it holds the directory, wherever that has gone meanwhile. What
     * rcu mode answers was true at one moment.
     */
    found(t, i, refWalks) {
      if (t.refWalks() === refWalks) t.fail(`${never[i].text} never was and was found in rcu mode`);
    },
  };
}

/** Directories made and removed at once: a name is there or not, and memory comes and goes under those who look. */
export function churned() {
  const items = 8;
  const paths = Array.from({ length: items }, (_, i) => at("/t/ch", nameOf("c", i)));
  return {
    items,
    paths,
    build: (t) => void t.must(t.mkdir(makePath("/t/ch")), "mkdir"),
    write(t, i) {
      t.must(t.mkdir(paths[i]), "mkdir");
      t.must(t.rmdir(paths[i]), "rmdir");
    },
    read(t, i) {
      const answer = t.stat(paths[i]);
      if (answer !== -ENOENT) t.must(answer, `stat of ${paths[i].text}`);
    },
  };
}
