/**
 * Stations of the torture: what is in files. Attributes that change in one step, contents written over and cut, several
 * names for one file, links' bodies, ACLs.
 */

import { at, clockOf, nameOf, nsecOf, putStamped, Tracked, wordOf } from "./file-stamp.js";
import { makePath } from "./shared-state.js";
import {
  AT_SYMLINK_NOFOLLOW,
  ATIME,
  EACCES,
  ENOENT,
  GID,
  INO,
  MTIME,
  MTIME_NSEC,
  NLINK,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  SIZE,
  UID,
} from "./thread.js";

const MASK = 0x5a5a5a5a;

/** Attributes of which two always belong together: a stat that is torn shows one of the old and one of the new. */
export function torn() {
  const items = 8;
  const paths = Array.from({ length: items }, (_, i) => at("/t/torn", nameOf("f", i)));
  const now = paths.map(() => 0);
  return {
    items,
    paths,
    build(t) {
      t.fs.mkdirSync("/t/torn");
      for (const [i, path] of paths.entries()) {
        t.must(t.close(t.must(t.open(path, O_CREAT | O_RDWR), "open")), "close");
        for (const what of i % 2 ? [0, 2, 1] : [0, 1, 2]) this.change(t, path, what, 1);
      }
    },
    /** 0: owner and group; 1: size and mtime; 2: atime and mtime, which keeps to the size. */
    change(t, path, what, n) {
      t.clock.ms = clockOf(n);
      if (what === 0) t.must(t.chown(path, n, (n ^ MASK) >>> 0), "chown");
      else if (what === 1) t.must(t.truncate(path, n), "truncate");
      else t.must(t.utimes(path, n + 7, n), "utimes");
    },
    write(t, i) {
      const odd = i % 2;
      const n = (now[i] + 1 + t.next(100)) % 60000;
      now[i] = n;
      // One file's times follow its size, another's the time of access: never both in one.
      this.change(t, paths[i], t.next(2) === 0 ? 0 : odd ? 1 : 2, n);
    },
    read(t, i) {
      if (t.stat(paths[i]) !== 0) t.fail(`${paths[i].text} is always there and was not found`);
      this.check(t, i);
    },
    check(t, i) {
      const s = t.stats;
      if ((s[UID] ^ MASK) >>> 0 !== s[GID])
        t.fail(`${paths[i].text}: owner ${s[UID]} and group ${s[GID]} are of two moments`);
      if (i % 2 === 1 && nsecOf(s[SIZE]) !== s[MTIME_NSEC])
        t.fail(`${paths[i].text}: size ${s[SIZE]}, mtime ${s[MTIME_NSEC]} are of two moments`);
      if (i % 2 === 0 && s[ATIME] !== s[MTIME] + 7) {
        t.fail(`${paths[i].text}: atime ${s[ATIME]}, mtime ${s[MTIME]} are of two moments`);
      }
    },
  };
}

const CHUNK = 65536;

/**
 * Files written over and cut. Every chunk of 64 KiB is written in one call: what is read of it in one call is of one
 * generation up to where it ends, and zeros from there.
 */
export function rewritten() {
  const items = 6;
  const paths = Array.from({ length: items }, (_, i) => at("/t/co", nameOf("f", i)));
  const lengths = [512, 4096, 4100, CHUNK, CHUNK, 300];
  const chunks = [1, 1, 1, 2, 80, 1];
  const now = paths.map(() => 0);
  return {
    items,
    build(t) {
      t.fs.mkdirSync("/t/co");
      for (const path of paths) t.must(t.close(t.must(t.open(path, O_CREAT | O_RDWR), "open")), "close");
    },
    write(t, i) {
      const fd = t.must(t.open(paths[i], O_RDWR), "open");
      const what = t.next(4);
      if (what === 0) t.must(t.ftruncate(fd, t.next(2) === 0 ? 0 : t.next(lengths[i])), "ftruncate");
      else if (what === 1) t.must(t.ftruncate(fd, lengths[i] * chunks[i]), "ftruncate");
      else {
        t.io.fill(wordOf(i, ++now[i] & 0xffff), 0, lengths[i] / 4);
        const n = t.must(t.write(fd, t.next(chunks[i]) * lengths[i], lengths[i]), "write");
        if (n !== lengths[i]) t.fail(`a write of ${lengths[i]} bytes to ${paths[i].text} is short: ${n}`);
      }
      t.must(t.close(fd), "close");
    },
    read(t, i) {
      const fd = t.must(t.open(paths[i], O_RDONLY), `opening ${paths[i].text}`);
      const chunk = t.next(chunks[i]);
      const n = t.must(t.read(fd, chunk * lengths[i], lengths[i]), "read");
      t.must(t.close(fd), "close");
      const bytes = new Uint8Array(t.io.buffer, t.io.byteOffset, n);
      const word = t.io[0];
      let k = 0;
      while (k < n >> 2 && t.io[k] === word) k++;
      // The word that the file was cut in, and zeros behind it.
      for (let b = k * 4; b < n; b++) {
        const whole = (word >>> ((b & 3) * 8)) & 0xff;
        if (bytes[b] !== 0 && !(b < k * 4 + 4 && bytes[b] === whole)) {
          t.fail(
            `${paths[i].text}, chunk ${chunk}: byte ${b} of ${n} is ${bytes[b]} behind ${k} words of ${word >>> 0}`,
          );
        }
      }
    },
  };
}

/** One file under several names, of which one is always there: the number of links keeps to its bounds. */
export function linked(t, take) {
  const items = 8;
  const others = 6;
  const first = Array.from({ length: items }, (_, i) => at("/t/hl", nameOf("f", i)));
  const more = first.map((_, i) =>
    Array.from({ length: others }, (_, k) => at(`/t/hl/${i % 2}`, `${i}-${nameOf("n", k)}`)),
  );
  const uid = (i) => 7000 + i;
  const base = take(items * others * 4);
  const names = more.map((row, i) => row.map((_, k) => new Tracked(t.words, base + (i * others + k) * 4)));
  const gens = more.map(() => 0);
  const there = new Set();
  function check(w, path, i) {
    const s = w.stats;
    if (s[UID] !== uid(i)) w.fail(`${path.text} is file ${s[UID]}, not ${uid(i)}`);
    if (!(s[NLINK] >= 1 && s[NLINK] <= others + 1))
      w.fail(`${path.text} has ${s[NLINK]} links, it has 1 to ${others + 1}`);
  }
  return {
    items,
    build(w) {
      for (const n of [0, 1]) w.fs.mkdirSync(`/t/hl/${n}`, { recursive: true });
      for (let i = 0; i < items; i++) putStamped(w, first[i], uid(i), 1);
    },
    write(w, i) {
      const k = w.next(others);
      const path = more[i][k];
      const id = i * others + k;
      if (there.delete(id)) names[i][k].removed(() => w.must(w.unlink(path), `unlink ${path.text}`));
      else {
        names[i][k].made(++gens[i], () => w.must(w.link(first[i], path), `link ${path.text}`));
        there.add(id);
      }
    },
    read(w, i) {
      if (w.stat(first[i]) !== 0) w.fail(`${first[i].text} is always there and was not found`);
      check(w, first[i], i);
      const ino = w.stats[INO];
      const k = w.next(others);
      names[i][k].before();
      const answer = w.stat(more[i][k]);
      if (answer === -ENOENT) {
        if (!names[i][k].mayMiss) w.fail(`${more[i][k].text} was there all the time and was not found`);
        return;
      }
      w.must(answer, "stat");
      check(w, more[i][k], i);
      if (w.stats[INO] !== ino) w.fail(`${more[i][k].text} has inode ${w.stats[INO]}, not ${ino}`);
    },
  };
}

/** The body of a link of this generation: of many lengths, and its end says how long it is. */
const bodyOf = (gen) => {
  const text = `b${gen}.`;
  return `${text}${"x".repeat((gen * 13) % 300)}!`;
};

/** Links that are replaced: a body is read whole, and one that is followed leads to one of two files. */
export function bodies(t, take) {
  const items = 8;
  const paths = Array.from({ length: items }, (_, i) => at("/t/ln", nameOf("l", i)));
  const temps = paths.map((_, i) => makePath(`/t/tmp/link${i}`));
  const follow = (i) => i % 2 === 1;
  const targets = ["/t/ln/one", "../ln/./two"].map(makePath);
  const files = ["/t/ln/one", "/t/ln/two"].map(makePath);
  const base = take(items * 4);
  const names = paths.map((_, i) => new Tracked(t.words, base + i * 4));
  function put(w, i, gen) {
    w.must(w.symlink(follow(i) ? targets[gen & 1] : makePath(bodyOf(gen)), temps[i]), "symlink");
    names[i].replaced(gen, () => w.must(w.rename(temps[i], paths[i]), "rename"));
  }
  return {
    items,
    build(w) {
      w.fs.mkdirSync("/t/ln");
      for (const k of [0, 1]) putStamped(w, files[k], 8000 + k, 1);
      for (let i = 0; i < items; i++) put(w, i, 1);
    },
    write: (w, i) => put(w, i, names[i].newest + 1),
    read(w, i) {
      const path = paths[i];
      names[i].before();
      if (follow(i)) {
        if (w.stat(path) !== 0) w.fail(`${path.text} leads to a file that is always there, and it was not found`);
        if (w.stats[UID] !== 8000 && w.stats[UID] !== 8001) w.fail(`${path.text} leads to file ${w.stats[UID]}`);
        return;
      }
      const n = w.must(w.readlink(path), `readlink of ${path.text}`);
      const body = w.text(n);
      const gen = Number(/^b(\d+)\./.exec(body)?.[1]);
      if (body !== bodyOf(gen)) w.fail(`${path.text}: the body is ${JSON.stringify(body)}`);
      if (!(gen >= names[i].low && gen <= names[i].high)) {
        w.fail(`${path.text}: body ${gen}, generations ${names[i].low} to ${names[i].high} could be there`);
      }
      if (w.stat(path, AT_SYMLINK_NOFOLLOW) !== 0) w.fail(`${path.text} is always there and was not found`);
    },
  };
}

/** ACLs set and removed, and modes changed, while somebody without rights asks: allowed or EACCES, nothing else. */
export function guarded() {
  const items = 4;
  const dirs = Array.from({ length: items }, (_, i) => makePath(`/t/acl/${i}`));
  const files = dirs.map(({ text }) => makePath(`${text}/f`));
  const acl = [
    { tag: 1, perm: 7, id: 0 },
    { tag: 2, perm: 5, id: 1000 },
    { tag: 4, perm: 0, id: 0 },
    { tag: 16, perm: 5, id: 0 },
    { tag: 32, perm: 0, id: 0 },
  ];
  let ctx;
  return {
    items,
    build(w) {
      for (let i = 0; i < items; i++) {
        w.fs.mkdirSync(dirs[i].text, { recursive: true });
        putStamped(w, files[i], 8100 + i, 1);
      }
    },
    write(w, i) {
      const what = w.next(4);
      if (what < 2) w.must(w.setacl(dirs[i], what === 0 ? [] : acl), "setacl");
      else w.must(w.chmod(dirs[i], [0o700, 0o750, 0o711, 0o755][w.next(4)]), "chmod");
    },
    read(w, i) {
      ctx ??= w.must(w.contextCreate(1000), "contextCreate");
      const answer = w.access(files[i], 4, ctx);
      if (answer !== 0 && answer !== -EACCES) w.must(answer, `access to ${files[i].text}`);
    },
    end(w) {
      if (ctx !== undefined) w.must(w.contextDestroy(ctx), "contextDestroy");
      ctx = undefined;
    },
  };
}
