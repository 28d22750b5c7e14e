/**
 * Stations of the torture: names. What is always there, what never was, what is replaced, comes and goes, is exchanged, moves.
 * Each station has `build(t)`, run once; `write(t, i)`, run by the one thread that has item `i`; `read(t, i)`, by any.
 */

import {
  at,
  checkContents,
  checkDirStat,
  checkStat,
  makeStamped,
  makeStampedDir,
  nameOf,
  putStamped,
  Tracked,
} from "./file-stamp.js";
import { makePath } from "./shared-state.js";
import { ENOENT, GID, INO, O_DIRECTORY, O_RDONLY, UID } from "./thread.js";

const DEEP = "/t/fix/alpha/beta-with-a-name/gamma/delta";
const GEN = 1;

/** Names that are always there and names that never are, while their directories change mode and their neighbours change. */
export function fixed(_t) {
  const items = 64;
  const there = Array.from({ length: items }, (_, i) => at(DEEP, nameOf("f", i)));
  const never = Array.from({ length: items }, (_, i) => at(DEEP, nameOf("no", i)));
  const noise = Array.from({ length: items }, (_, i) => at(DEEP, nameOf("x", i)));
  const dirs = ["/t/fix", "/t/fix/alpha", "/t/fix/alpha/beta-with-a-name", "/t/fix/alpha/beta-with-a-name/gamma"].map(
    makePath,
  );
  return {
    items,
    there,
    never,
    build(t) {
      t.fs.mkdirSync(DEEP, { recursive: true });
      for (let i = 0; i < items; i++) putStamped(t, there[i], i, GEN);
    },
    write(t, i) {
      if (t.next(4) === 0) t.must(t.chmod(dirs[i % dirs.length], [0o755, 0o711, 0o700][t.next(3)]), "chmod");
      else if (t.must(t.mkdir(noise[i]), "mkdir", 17) === 0) t.must(t.rmdir(noise[i]), "rmdir");
    },
    read(t, i) {
      if (t.stat(there[i]) !== 0) t.fail(`${there[i].text} is always there and was not found`);
      checkStat(t, there[i], i, GEN, GEN);
      if (t.stat(never[i]) !== -ENOENT) t.fail(`${never[i].text} never was and was found`);
    },
  };
}

/** Files that are replaced by a rename over them: always there, in a generation that only grows. */
export function replaced(t, take) {
  const items = 32;
  const paths = Array.from({ length: items }, (_, i) => at("/t/rep", nameOf("r", i)));
  const uid = (i) => 1000 + i;
  const base = take(items * 4);
  const names = paths.map((_, i) => new Tracked(t.words, base + i * 4));
  const put = (w, i, gen) => names[i].replaced(gen, () => putStamped(w, paths[i], uid(i), gen));
  return {
    items,
    paths,
    names,
    build(w) {
      w.fs.mkdirSync("/t/rep");
      for (let i = 0; i < items; i++) put(w, i, 1);
    },
    write: (w, i) => put(w, i, names[i].newest + 1),
    read(w, i) {
      const name = names[i];
      name.before();
      if (w.stat(paths[i]) !== 0) w.fail(`${paths[i].text} is always there and was not found`);
      checkStat(w, paths[i], uid(i), name.low, name.high);
      if (w.next(4) === 0) readWhole(w, paths[i], uid(i), name);
    },
  };
}

/** Opens a stamped file and reads it: what is open stays what it was. */
export function readWhole(t, path, uid, name, links = 1) {
  name.before();
  const fd = t.open(path, O_RDONLY);
  if (fd === -ENOENT && name.mayMiss) return;
  t.must(fd, `opening ${path.text}`);
  t.must(t.fstat(fd), "fstat");
  checkStat(t, path, uid, name.low, name.high, links);
  const n = t.must(t.read(fd, 0, 65536), "read");
  checkContents(t, path, n);
  t.must(t.close(fd), "close");
}

/** Names that come and go: a file by rename, by link, or a directory. */
export function coming(t, take) {
  const items = 48;
  const paths = Array.from({ length: items }, (_, i) => at(`/t/cg/${i % 3}`, nameOf("c", i)));
  const uid = (i) => 2000 + i;
  const isDir = (i) => i % 4 === 3;
  const base = take(items * 4);
  const names = paths.map((_, i) => new Tracked(t.words, base + i * 4));
  const there = new Set();
  function come(w, i) {
    const gen = names[i].newest + 1;
    const temp = isDir(i) ? makeStampedDir(w, uid(i), gen) : makeStamped(w, uid(i), gen);
    names[i].made(gen, () => {
      if (isDir(i) || w.next(2) === 0) w.must(w.rename(temp, paths[i], 1), "rename");
      else {
        w.must(w.link(temp, paths[i]), "link");
        w.must(w.unlink(temp), "unlink");
      }
    });
    there.add(i);
  }
  function go(w, i) {
    names[i].removed(() => w.must(isDir(i) ? w.rmdir(paths[i]) : w.unlink(paths[i]), `removing ${paths[i].text}`));
    there.delete(i);
  }
  return {
    items,
    build(w) {
      for (const n of [0, 1, 2]) w.fs.mkdirSync(`/t/cg/${n}`, { recursive: true });
    },
    write: (w, i) => (there.has(i) ? go(w, i) : come(w, i)),
    read(w, i) {
      const name = names[i];
      name.before();
      const answer = w.stat(paths[i]);
      if (answer === -ENOENT) {
        if (!name.mayMiss) w.fail(`${paths[i].text} was there all the time and was not found`);
        return;
      }
      w.must(answer, `stat of ${paths[i].text}`);
      if (isDir(i)) checkDirStat(w, paths[i], uid(i), name.low, name.high);
      else {
        // Two links while it is linked into its place.
        checkStat(w, paths[i], uid(i), name.low, name.high, 2);
        if (w.next(4) === 0) readWhole(w, paths[i], uid(i), name, 2);
      }
    },
  };
}

/** Pairs that are exchanged: both names are always there, and in one look at the directory they are the two. */
export function exchanged(_t) {
  const items = 16;
  const isDir = (i) => i % 4 === 1;
  const apart = (i) => i % 4 === 2;
  const a = Array.from({ length: items }, (_, i) => at(`/t/ex/${i}`, nameOf("a", i)));
  const b = Array.from({ length: items }, (_, i) => at(apart(i) ? `/t/ex/${i}/low` : `/t/ex/${i}`, nameOf("b", i)));
  const dirs = a.map((_, i) => makePath(`/t/ex/${i}`));
  const uid = (i) => 3000 + i * 2;
  function readPair(t, i) {
    const fd = t.must(t.open(dirs[i], O_RDONLY | O_DIRECTORY), "open");
    const found = t.entries(t.must(t.getdents(fd), "getdents"));
    t.must(t.close(fd), "close");
    const inos = found.filter(({ name }) => name !== "low").map(({ ino }) => ino);
    if (inos.length !== 2 || inos[0] === inos[1]) {
      t.fail(`${dirs[i].text} holds ${found.map(({ name, ino }) => `${name} (${ino})`).join(", ")}: not the pair`);
    }
  }
  return {
    items,
    a,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(`/t/ex/${i}/low`, { recursive: true });
        putStamped(t, a[i], uid(i), GEN);
        if (isDir(i)) t.must(t.rename(makeStampedDir(t, uid(i) + 1, GEN), b[i]), "rename");
        else putStamped(t, b[i], uid(i) + 1, GEN);
      }
    },
    write: (t, i) => t.must(t.exchange(a[i], b[i]), `exchanging ${a[i].text}`),
    read(t, i) {
      for (const path of [a[i], b[i]]) {
        if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
        const seen = t.stats[UID];
        if (seen !== uid(i) && seen !== uid(i) + 1)
          t.fail(`${path.text} is file ${seen}, not one of ${uid(i)}, ${uid(i) + 1}`);
        if (isDir(i) && seen === uid(i) + 1) checkDirStat(t, path, seen, GEN, GEN);
        else checkStat(t, path, seen, GEN, GEN);
      }
      if (!apart(i) && t.next(4) === 0) readPair(t, i);
    },
  };
}

const HISTORY = 64;

/**
 * Directories that move from place to place, each with a file inside that says which it is. Where each has been is kept
 * in shared words, so that a reader knows where it may be found, and by which name, at any moment of its call.
 */
export function moved(_t, take) {
  const items = 24;
  const dirs = ["/t/mv/A", "/t/mv/A/low", "/t/mv/B"];
  const places = (i) => dirs.flatMap((dir) => [at(dir, `s${i}`), at(dir, `s${i}`.padEnd(40, "~"))]);
  const uid = (i) => 4000 + i;
  const base = take(items * (HISTORY + 2));
  const item = Array.from({ length: items }, (_, i) => {
    const all = places(i);
    return {
      places: all,
      ids: all.map(({ text }) => makePath(`${text}/id`)),
      around: all.map(({ text }) => makePath(`${text}/sub/../id`)),
      words: base + i * (HISTORY + 2),
    };
  });
  /** A reader's look: `p` is the place it asked for, `call` answers whether it was found there. */
  function look(w, i, p, call) {
    const { words, places: all } = item[i];
    const done = Atomics.load(w.words, words);
    const found = call();
    const begun = Atomics.load(w.words, words + 1);
    if (begun - done >= HISTORY - 1) return;
    let may = false;
    for (let n = done; n <= begun; n++) may ||= Atomics.load(w.words, words + 2 + (n & (HISTORY - 1))) === p;
    // Written over while it was being read?
    if (Atomics.load(w.words, words + 1) - done >= HISTORY - 1) return;
    if (found && !may)
      w.fail(`${all[p].text} was found in moves ${done} to ${begun}, where it was never in that place`);
    if (!found && done === begun && may)
      w.fail(`${all[p].text} was there all the time (move ${done}) and was not found`);
  }
  const everywhere = new Set(item.flatMap((one) => one.places.map(({ text }) => text)));
  return {
    items,
    isPlace: (text) => everywhere.has(text),
    anyPlace(w) {
      const all = item[w.next(items)].places;
      return all[w.next(all.length)];
    },
    /** Moves one item, for the thread that has it. */
    write(w, i) {
      const { words, places: all } = item[i];
      const done = w.words[words];
      const from = w.words[words + 2 + (done & (HISTORY - 1))];
      const to = (from + 1 + w.next(all.length - 1)) % all.length;
      Atomics.store(w.words, words + 2 + ((done + 1) & (HISTORY - 1)), to);
      Atomics.store(w.words, words + 1, done + 1);
      w.must(w.rename(all[from], all[to]), `moving ${all[from].text} to ${all[to].text}`);
      Atomics.store(w.words, words, done + 1);
    },
    build(w) {
      for (const dir of dirs) w.fs.mkdirSync(dir, { recursive: true });
      for (let i = 0; i < items; i++) {
        w.must(w.rename(makeStampedDir(w, uid(i), GEN), item[i].places[0]), "rename");
        w.must(w.mkdir(makePath(`${item[i].places[0].text}/sub`)), "mkdir");
        putStamped(w, item[i].ids[0], uid(i), GEN);
      }
    },
    read(w, i) {
      const { places: all, ids, around } = item[i];
      const p = w.next(all.length);
      look(w, i, p, () => {
        const answer = w.stat(all[p]);
        if (answer === 0) checkDirStat(w, all[p], uid(i), GEN, GEN);
        else if (answer !== -ENOENT) w.must(answer, `stat of ${all[p].text}`);
        return answer === 0;
      });
      const path = w.next(2) === 0 ? ids[p] : around[p];
      look(w, i, p, () => {
        const answer = w.stat(path);
        if (answer === 0) checkStat(w, path, uid(i), GEN, GEN);
        else if (answer !== -ENOENT) w.must(answer, `stat of ${path.text}`);
        return answer === 0;
      });
    },
  };
}

/** Two directories exchanged all the time: below them something is always found, of one or of the other. */
export function swung(_t) {
  const items = 4;
  const left = Array.from({ length: items }, (_, i) => makePath(`/t/sw/${i}/L`));
  const right = Array.from({ length: items }, (_, i) => makePath(i % 2 ? `/t/sw/${i}/low/R` : `/t/sw/${i}/R`));
  const below = [left, right].map((paths) => paths.map(({ text }) => makePath(`${text}/in/deep/id`)));
  const up = left.map(({ text }) => makePath(`${text}/in/../in/deep/../deep/id`));
  const uid = (i) => 5000 + i * 2;
  function check(t, path, i) {
    if (t.stat(path) !== 0) t.fail(`${path.text} is always there and was not found`);
    const seen = t.stats[UID];
    if (seen !== uid(i) && seen !== uid(i) + 1) t.fail(`${path.text} is file ${seen}`);
    checkStat(t, path, seen, GEN, GEN);
  }
  return {
    items,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(`/t/sw/${i}/low`, { recursive: true });
        for (const [k, { text }] of [left[i], right[i]].entries()) {
          t.fs.mkdirSync(`${text}/in/deep`, { recursive: true });
          putStamped(t, makePath(`${text}/in/deep/id`), uid(i) + k, GEN);
        }
      }
    },
    write: (t, i) => t.must(t.exchange(left[i], right[i]), `exchanging ${left[i].text}`),
    read(t, i) {
      check(t, below[0][i], i);
      check(t, below[1][i], i);
      check(t, up[i], i);
    },
  };
}

/** A directory whose files change names inside it: one look shows as many as there are, none twice. */
export function permuted(_t) {
  const items = 8;
  const files = 12;
  const dir = Array.from({ length: items }, (_, i) => makePath(`/t/pe/${i}`));
  const names = dir.map(({ text }) => Array.from({ length: files * 2 }, (_, k) => at(text, nameOf("p", k))));
  const uid = (i, k) => 6000 + i * files + k;
  /** Which name each file has: known to the writer alone. */
  const now = dir.map(() => Array.from({ length: files }, (_, k) => k));
  return {
    items,
    files,
    dirs: dir,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(dir[i].text, { recursive: true });
        for (let k = 0; k < files; k++) putStamped(t, names[i][k], uid(i, k), GEN);
      }
    },
    write(t, i) {
      const k = t.next(files);
      const to = t.next(files * 2);
      if (now[i].includes(to)) return;
      t.must(t.rename(names[i][now[i][k]], names[i][to], 1), "rename");
      now[i][k] = to;
    },
    read(t, i) {
      const fd = t.must(t.open(dir[i], O_RDONLY | O_DIRECTORY), "open");
      const found = t.entries(t.must(t.getdents(fd), "getdents"));
      const rest = t.must(t.getdents(fd), "getdents");
      t.must(t.close(fd), "close");
      const inos = new Set(found.map(({ ino }) => ino));
      if (found.length !== files || inos.size !== files || rest !== 0) {
        t.fail(
          `${dir[i].text} shows ${found.length} entries of ${inos.size} files and ${rest} bytes more, it has ${files}`,
        );
      }
      const path = names[i][t.next(files * 2)];
      const answer = t.stat(path);
      if (answer !== 0) return void (answer === -ENOENT || t.must(answer, `stat of ${path.text}`));
      const seen = t.stats[UID];
      if (seen < uid(i, 0) || seen >= uid(i, files) || t.stats[GID] !== GEN || t.stats[INO] === 0) {
        t.fail(`${path.text} is file ${seen}.${t.stats[GID]}`);
      }
    },
  };
}
