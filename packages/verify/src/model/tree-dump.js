/**
 * The whole tree, read through the file system's own calls, as one plain object: of the core as of the model. A generator that
 * yields calls and is sent their answers.
 *
 *   places     of each context: its working directory, what its descriptors are open on
 *   layers     the tree as it is seen; then, as long as something is mounted, once more with the mounts taken off
 *
 * Reading takes the mounts off for good: it is the last thing that is done to a tree.
 */
import { MNT_DETACH } from "../../../threadfs/dist/abi/abi.js";
import { O_NOFOLLOW, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../support/linux.js";

const LAYERS_MAX = 8;
const FDS = [3, 4, 5, 6, 7, 8];
const O_DIRECTORY = 0x10000;

/** @param contexts how many there are */
export function* dumpCalls(contexts) {
  const places = [];
  for (let ctx = 0; ctx < contexts; ctx++) {
    const fds = {};
    for (const fd of FDS) {
      const open = yield { call: "sysFstat", ctx, fd };
      if (open !== "EBADF") fds[fd] = open.ino;
    }
    places.push({ cwd: yield { call: "sysGetcwd", ctx }, fds });
  }
  const layers = [];
  for (let n = 0; n < LAYERS_MAX; n++) {
    const layer = {};
    yield* readInto(layer, "/");
    layers.push(layer);
    if (!(yield* takeMountsOff(Object.keys(layer)))) break;
  }
  return { places, layers };
}

/** Enters what stands at a path, and all below it, by path. */
function* readInto(layer, path) {
  const stat = yield { call: "sysStat", path, nofollow: true };
  const entry = typeof stat === "string" ? { error: stat } : { ...stat };
  layer[path] = entry;
  const type = entry.mode & S_IFMT;
  if (type === S_IFLNK) entry.body = yield { call: "sysReadlink", path };
  if (type === S_IFREG) entry.data = yield* throughFd(path, 0, (fd) => ({ call: "sysRead", fd, offset: 0, n: 65536 }));
  if (type !== S_IFDIR) return;
  const found = yield* throughFd(path, O_DIRECTORY, (fd) => ({ call: "sysGetdents", fd }));
  if (typeof found === "string") {
    entry.entries = found;
    return;
  }
  // Each entry once, whatever it is called; its own attributes tell the rest.
  entry.entries = found.entries.map(({ name, type: dt }) => `${name} ${dt}`);
  for (const name of new Set(found.entries.map((e) => e.name))) {
    yield* readInto(layer, path === "/" ? `/${name}` : `${path}/${name}`);
  }
}

function* throughFd(path, flags, callOf) {
  const fd = yield { call: "sysOpen", path, flags: flags | O_NOFOLLOW };
  if (typeof fd === "string") return fd;
  const answer = yield callOf(fd);
  yield { call: "sysClose", fd };
  return answer;
}

/** Whether there was a mount on one of these paths. What stands on a mount goes along with it. */
function* takeMountsOff(paths) {
  let any = false;
  for (const path of paths) {
    if (path !== "/" && (yield { call: "sysUmount", path, flags: MNT_DETACH }) === 0) any = true;
  }
  return any;
}

/** Runs such a generator on whoever takes calls. */
export function readWith(run, calls) {
  let { value, done } = calls.next();
  while (!done) ({ value, done } = calls.next(run(value)));
  return value;
}

/**
 * The answers and the final tree with names in the place of inode numbers, so that a core's and the model's are equal when
 * they mean the same: the label of an inode of the first tree, the path of one that is new, "gone" for one that is
 * nowhere any more.
 */
export function canonical({ results, final }, labels) {
  const fresh = new Map();
  for (const layer of final.layers) {
    for (const [path, { ino }] of Object.entries(layer).sort(byName)) {
      if (ino !== undefined && !labels.has(ino) && !fresh.has(ino)) fresh.set(ino, `new ${path}`);
    }
  }
  const name = (ino) => labels.get(ino) ?? fresh.get(ino) ?? "gone";
  return { results: withNames(results, name), final: withNames(final, name) };
}

const byName = ([a], [b]) => (a < b ? -1 : 1);

/** A copy with its keys in order and `name` applied to every `ino` and to what descriptors are open on. */
export function withNames(value, name) {
  if (Array.isArray(value)) return value.map((item) => withNames(item, name));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([key, item]) => {
        if (key === "ino") return [key, name(item)];
        if (key === "fds") return [key, Object.fromEntries(Object.entries(item).map(([fd, ino]) => [fd, name(ino)]))];
        return [key, withNames(item, name)];
      }),
  );
}
