/**
 * Stations of the torture that change as fast as the core can, and that the hot reader asks for again and again: what goes
 * wrong only when a thread stands still between two instructions of a walk shows here.
 */
import { makePath } from "./board.js";
import { at, nameOf } from "./stamp.js";
import { ENOENT } from "./thread.js";

/**
 * A directory that is at one place while it is empty and at another while it holds a name: under the first place that
 * name never was. A walk that found the directory at the first and the name in it at the second is of two moments.
 */
export function strayed() {
  const items = 8;
  const home = Array.from({ length: items }, (_, i) => makePath(`/t/st/${i}/home`));
  const away = home.map((_, i) => makePath(i % 2 ? `/t/st/${i}/a/way` : `/t/st/${i}/away`));
  const child = away.map(({ text }, i) => at(text, nameOf("in", i % 4)));
  const never = home.map(({ text }, i) => at(text, nameOf("in", i % 4)));
  return {
    items,
    never,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(home[i].text, { recursive: true });
        t.fs.mkdirSync(`/t/st/${i}/a`);
      }
    },
    write(t, i) {
      t.must(t.rename(home[i], away[i]), `moving ${home[i].text}`);
      t.must(t.mkdir(child[i]), "mkdir");
      t.must(t.rmdir(child[i]), "rmdir");
      t.must(t.rename(away[i], home[i]), `moving ${away[i].text}`);
    },
    read(t, i) {
      if (t.stat(never[i]) !== -ENOENT) t.fail(`${never[i].text} never was and was found`);
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
