/** A file system whose nodes are all there as soon as somebody asks: the same in every thread, whoever died. Directories d*, files f*, links l. */

const BODY = new TextEncoder().encode("driven");
const DIR = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;

function modeOf(name) {
  if (name.startsWith("d")) return DIR;
  return name === "l" ? LINK : FILE;
}

function numberOf(dir, name) {
  let hash = dir;
  for (const c of name) hash = (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0;
  return hash + 2;
}

const sizeOf = (mode) => (mode === FILE ? BODY.length : 0);
const modes = new Map([[1, DIR]]);

function node(dir, name) {
  const ino = numberOf(dir, name);
  const mode = modeOf(name);
  modes.set(ino, mode);
  return { ino, mode, size: sizeOf(mode), mtimeMs: 0 };
}

/**
 * @param {() => void} tick called in every hook
 * @returns {import("../../../threadfs/dist/src/index.js").Driver}
 */
export function statelessDriver(tick = () => undefined) {
  const hooks = {
    root: () => ({ ino: 1, mode: DIR }),
    lookup: (dir, name) => (name === "no" || name.startsWith("made") ? null : node(dir, name)),
    revalidate: () => true,
    permission: () => undefined,
    readlink: () => "f0",
    putLink: () => undefined,
    iput: () => undefined,
    readdir: (dir) => ["d0", "f0", "l"].map((name) => ({ name, ino: numberOf(dir, name), mode: modeOf(name) })),
    read: (_node, offset, into) => {
      const left = BODY.subarray(Math.min(offset, BODY.length));
      into.set(left);
      return left.length;
    },
    write: (_node, _offset, data) => data.length,
    create: (dir, name) => node(dir, name),
    setattr: (ino) => ({ ino, mode: modes.get(ino) ?? FILE, size: BODY.length, mtimeMs: 0 }),
  };
  const ticking = Object.entries(hooks).map(([name, hook]) => [
    name,
    (...args) => {
      if (name !== "root") tick();
      return hook(...args);
    },
  ]);
  return { name: "stateless", ...Object.fromEntries(ticking) };
}
