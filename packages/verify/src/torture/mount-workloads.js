/**
 * Stations of the torture: places and askers. Mounts, contexts that several threads share, their descriptors, a driver's
 * file system with its unused dentries.
 */

import { checkContents, putStamped, sizeOf } from "./file-stamp.js";
import { makePath, OP } from "./shared-state.js";
import {
  EACCES,
  EBADF,
  EBUSY,
  EISDIR,
  ENODEV,
  ENOENT,
  ENOTDIR,
  EPERM,
  GID,
  O_DIRECTORY,
  O_RDONLY,
  UID,
} from "./thread.js";

/**
 * Which items are taken away lazily. Whoever is in such a mount then is in no tree any more, as in Linux: "..", which led
 * out of it, ends at its root, where there is no mark.
 */
const lazily = (i) => i % 2 === 1;

/** Looks for a mark that is always there, but for somebody in a mount that was taken away lazily. */
function missed(t, path, i) {
  const answer = t.stat(path);
  if (answer === -ENOENT && lazily(i)) return true;
  if (answer !== 0) t.fail(`${path.text} is always there and was not found`);
  return false;
}

/** In-memory file systems mounted, moved and taken away over directories that have the same name inside. */
export function mounted() {
  const items = 4;
  const here = Array.from({ length: items }, (_, i) => makePath(`/t/mnt/${i}/here`));
  const there = Array.from({ length: items }, (_, i) => makePath(`/t/mnt/${i}/there`));
  const inside = [here, there].map((paths) => paths.map(({ text }) => makePath(`${text}/in`)));
  const up = here.map(({ text }) => makePath(`${text}/../mark`));
  const marks = here.map((_, i) => makePath(`/t/mnt/${i}/mark`));
  const uid = (i) => 9000 + i * 4;
  /** Where the mount is: 0 nowhere, 1 here, 2 there. Known to the writer alone. */
  const state = here.map(() => 0);
  return {
    items,
    build(t) {
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(here[i].text, { recursive: true });
        t.fs.mkdirSync(there[i].text);
        putStamped(t, inside[0][i], uid(i), 1);
        putStamped(t, inside[1][i], uid(i), 1);
        putStamped(t, marks[i], uid(i) + 1, 1);
      }
    },
    write(t, i) {
      if (state[i] === 0) {
        t.must(t.mount(here[i]), "mount");
        // Whole before it is seen under its name.
        const temp = makePath(`${here[i].text}/temp`);
        t.must(t.close(t.must(t.open(temp, 0x42), "open")), "close");
        t.must(t.chown(temp, uid(i) + 2, 1), "chown");
        t.must(t.rename(temp, inside[0][i]), "rename");
        state[i] = 1;
      } else if (t.next(3) === 0) {
        const [from, to] = state[i] === 1 ? [here[i], there[i]] : [there[i], here[i]];
        t.must(t.moveMount(from, to), "moving a mount");
        state[i] = 3 - state[i];
      } else {
        const place = state[i] === 1 ? here[i] : there[i];
        if (t.must(t.umount(place, lazily(i)), "umount", EBUSY) === 0) state[i] = 0;
      }
    },
    read(t, i) {
      for (const path of [inside[0][i], inside[1][i]]) {
        const answer = t.stat(path);
        // A fresh file system has nothing inside for a moment.
        if (answer === -ENOENT) continue;
        t.must(answer, `stat of ${path.text}`);
        if (t.stats[UID] !== uid(i) && t.stats[UID] !== uid(i) + 2) t.fail(`${path.text} is file ${t.stats[UID]}`);
      }
      if (missed(t, up[i], i)) return;
      if (t.stats[UID] !== uid(i) + 1) t.fail(`${up[i].text} is file ${t.stats[UID]}, not ${uid(i) + 1}`);
    },
    end(t) {
      for (let i = 0; i < items; i++) {
        if (state[i] !== 0) t.must(t.umount(state[i] === 1 ? here[i] : there[i], true), "umount");
        state[i] = 0;
      }
    },
  };
}

/** A directory bound over one that looks like it: its file is always there, from below or from above. */
export function bound() {
  const items = 4;
  const source = makePath("/t/bd/source/of");
  const target = Array.from({ length: items }, (_, i) => makePath(`/t/bd/${i}/target`));
  const inside = target.map(({ text }) => makePath(`${text}/sub/id`));
  const back = target.map(({ text }) => makePath(`${text}/sub/../../mark`));
  const uid = (i) => 9500 + i;
  const on = target.map(() => false);
  return {
    items,
    build(t) {
      t.fs.mkdirSync(`${source.text}/sub`, { recursive: true });
      putStamped(t, makePath(`${source.text}/sub/id`), 9499, 1);
      for (let i = 0; i < items; i++) {
        t.fs.mkdirSync(`${target[i].text}/sub`, { recursive: true });
        putStamped(t, inside[i], uid(i), 1);
        putStamped(t, makePath(`/t/bd/${i}/mark`), uid(i) + 100, 1);
      }
    },
    write(t, i) {
      if (!on[i]) t.must(t.bind(source, target[i]), "bind");
      else if (t.must(t.umount(target[i], lazily(i)), "umount", EBUSY) !== 0) return;
      on[i] = !on[i];
    },
    read(t, i) {
      if (t.stat(inside[i]) !== 0) t.fail(`${inside[i].text} is always there and was not found`);
      if (t.stats[UID] !== 9499 && t.stats[UID] !== uid(i)) t.fail(`${inside[i].text} is file ${t.stats[UID]}`);
      if (missed(t, back[i], i)) return;
      if (t.stats[UID] !== uid(i) + 100) t.fail(`${back[i].text} is file ${t.stats[UID]}`);
    },
    end(t) {
      for (let i = 0; i < items; i++) if (on[i]) t.must(t.umount(target[i], true), "umount");
      on.fill(false);
    },
  };
}

/**
 * Contexts that one thread makes and closes while all use them: working directory and root are changed by anybody between
 * two places, descriptors opened, read and closed by anybody.
 */
export function shared(_t, take) {
  const items = 4;
  const FDS = 6;
  const dirs = ["/t/cw/a", "/t/cw/b"].map(makePath);
  const who = makePath("who");
  const whoFromRoot = makePath("/who");
  const dot = makePath(".");
  const uid = (k) => 9700 + k;
  /** For each context: its number, two descriptors of its directories, descriptors of files. */
  const base = take(items * (3 + FDS));
  const word = (i, n) => base + i * (3 + FDS) + n;
  const load = (w, i, n) => Atomics.load(w.words, word(i, n));
  // A context may be gone, or going and without its rights; a descriptor's number may belong to its successor, for which it
  // is a directory or a file.
  const gone = [EBADF, ENODEV, EISDIR, ENOTDIR, EPERM, EACCES];
  const allowed = (w, answer, what) => w.must(answer, what, ...gone) < 0;
  function make(w, i) {
    const ctx = w.must(w.contextCreate(0), "contextCreate");
    for (const k of [0, 1]) {
      Atomics.store(w.words, word(i, 1 + k), w.must(w.open(dirs[k], O_RDONLY | O_DIRECTORY, 0, ctx), "open"));
    }
    w.must(w.chdir(dirs[0], ctx), "chdir");
    w.must(w.chroot(dirs[1], ctx, -100), "chroot");
    Atomics.store(w.words, word(i, 0), ctx);
  }
  function use(w, i, ctx) {
    const what = w.next(6);
    const fd = load(w, i, 1 + w.next(2));
    if (what === 0) allowed(w, w.chroot(dot, ctx, fd), "chroot");
    else if (what === 1) {
      w.ring.begin(OP.chdir, ctx, fd, dot);
      w.arena.path.set(dot.bytes);
      allowed(w, w.ring.end(w.core.sysChdir(ctx, fd, 1)), "fchdir");
    } else if (what === 2) {
      // Opened with the root that the context has: its path may not lead there.
      const file = w.open(whoFromRoot, O_RDONLY, 0, ctx);
      if (allowed(w, file, "open")) return;
      const before = Atomics.exchange(w.words, word(i, 3 + w.next(FDS)), file);
      if (before !== 0) allowed(w, w.close(before, ctx), "close");
    } else if (what === 3) readOpen(w, i, ctx);
    else {
      const path = what === 4 ? who : whoFromRoot;
      const answer = w.stat(path, 0, ctx);
      if (allowed(w, answer, `stat of ${path.text}`)) return;
      if (w.stats[UID] !== uid(0) && w.stats[UID] !== uid(1))
        w.fail(`${path.text} in a context is file ${w.stats[UID]}`);
    }
  }
  /** A descriptor of which nobody knows whether it is still open, and on what: one of the two files, whole. */
  function readOpen(w, i, ctx) {
    const fd = load(w, i, 3 + w.next(FDS));
    if (fd === 0) return;
    const n = w.read(fd, 0, 65536, ctx);
    if (allowed(w, n, "read")) return;
    const k = [0, 1].find((which) => n === sizeOf(which + 3));
    if (k === undefined) return w.fail(`descriptor ${fd} of a shared context reads ${n} bytes`);
    w.stats[UID] = uid(k);
    w.stats[GID] = k + 3;
    checkContents(w, who, n);
  }
  return {
    items,
    build(w) {
      for (const k of [0, 1]) {
        w.fs.mkdirSync(dirs[k].text, { recursive: true });
        putStamped(w, makePath(`${dirs[k].text}/who`), uid(k), k + 3);
      }
    },
    write(w, i) {
      const ctx = load(w, i, 0);
      if (ctx === 0) return make(w, i);
      if (w.next(8) !== 0) return use(w, i, ctx);
      Atomics.store(w.words, word(i, 0), 0);
      w.must(w.contextDestroy(ctx), "contextDestroy");
      for (let k = 0; k < FDS; k++) Atomics.store(w.words, word(i, 3 + k), 0);
    },
    read(w, i) {
      const ctx = load(w, i, 0);
      if (ctx === 0) return;
      use(w, i, ctx);
      const cwd = w.getcwd(ctx);
      if (typeof cwd === "number") return void allowed(w, cwd, "getcwd");
      // Outside of the context's root it is seen from the top.
      if (cwd !== "/" && cwd !== dirs[0].text && cwd !== dirs[1].text)
        w.fail(`the working directory of a context is ${cwd}`);
    },
    end(w) {
      for (let i = 0; i < items; i++) {
        const ctx = Atomics.exchange(w.words, word(i, 0), 0);
        if (ctx !== 0) allowed(w, w.contextDestroy(ctx), "contextDestroy");
      }
    },
  };
}

const S_IFDIR = 0x4000;
const S_IFREG = 0x8000;
const DRIVER_ROOT = 1;

/** A file system that exists as a rule: any `f<n>` is a file of owner n, any `d<n>` a directory with the same inside. */
export function ruleDriver() {
  const attributes = (ino, mode, uid) => ({ ino, mode, uid, gid: uid ^ 0xff, size: uid, mtimeMs: uid * 1000 });
  return {
    name: "rule",
    root: () => attributes(DRIVER_ROOT, S_IFDIR | 0o755, 0),
    lookup(dir, name) {
      const [kind, n] = [name[0], Number(name.slice(1))];
      if (!(n >= 0)) return null;
      if (kind === "f") return attributes(dir * 8192 + n * 2 + 2, S_IFREG | 0o644, n);
      if (kind === "d" && dir === DRIVER_ROOT) return attributes(n * 2 + 3, S_IFDIR | 0o755, n);
      return null;
    },
  };
}

/** A driver's file system: its dentries fill the list of unused ones, from which another thread takes them. */
export function ruled() {
  const items = 4096;
  const file = (d, n) => makePath(`/t/drv/d${d}/f${n}`);
  const paths = Array.from({ length: items }, (_, i) => file(i % 8, i));
  const never = makePath("/t/drv/d1/none");
  return {
    items,
    build(t) {
      t.fs.mkdirSync("/t/drv");
      t.vfs.mount(null, "/t/drv", "rule");
    },
    write(t, i) {
      if (i % 4 === 0) t.must(t.shrink(64), "shrink");
      else if (i % 64 === 1) t.must(t.synchronizeRcu(), "synchronizeRcu");
      else this.read(t, t.next(items));
    },
    read(t, i) {
      if (t.stat(paths[i]) !== 0) t.fail(`${paths[i].text} is always there and was not found`);
      const s = t.stats;
      if (s[UID] !== i || s[GID] !== (i ^ 0xff)) t.fail(`${paths[i].text} is file ${s[UID]}.${s[GID]}`);
      if (t.stat(never) !== -ENOENT) t.fail(`${never.text} never was and was found`);
    },
    last: (t) => t.vfs.umount("/t/drv", { detach: true }),
  };
}
