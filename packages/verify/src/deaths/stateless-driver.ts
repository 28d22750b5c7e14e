/**
 * A driver without state: each thread computes the same nodes from their names, whichever threads have died. Directories d*,
 * files f*, links l.
 */
import type { Driver, DriverAttributes } from "../../../threadfs/dist/src/api/driver.js";

const BODY = new TextEncoder().encode("driven");
const DIR = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;

function modeOf(name: string): number {
  if (name.startsWith("d")) return DIR;
  return name === "l" ? LINK : FILE;
}

function numberOf(dir: number, name: string): number {
  let hash = dir;
  for (const c of name) hash = (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0;
  return hash + 2;
}

const sizeOf = (mode: number) => (mode === FILE ? BODY.length : 0);
const modes = new Map([[1, DIR]]);

function node(dir: number, name: string): DriverAttributes {
  const ino = numberOf(dir, name);
  const mode = modeOf(name);
  modes.set(ino, mode);
  return { ino, mode, size: sizeOf(mode), mtimeMs: 0 };
}

/** @param tick called in every hook but `root` */
export function statelessDriver(tick: () => void = () => undefined): Driver {
  /** The hook, with a tick before it. */
  const ticking =
    <Args extends unknown[], Result>(hook: (...args: Args) => Result) =>
    (...args: Args): Result => {
      tick();
      return hook(...args);
    };
  return {
    name: "stateless",
    root: () => ({ ino: 1, mode: DIR }),
    lookup: ticking((dir: number, name: string) => (name === "no" || name.startsWith("made") ? null : node(dir, name))),
    revalidate: ticking(() => true),
    permission: ticking(() => undefined),
    cacheLinks: true,
    readlink: ticking(() => "f0"),
    putLink: ticking(() => undefined),
    iput: ticking(() => undefined),
    readdir: ticking((dir: number) =>
      ["d0", "f0", "l"].map((name) => ({ name, ino: numberOf(dir, name), mode: modeOf(name) })),
    ),
    read: ticking((_node: number, offset: number, into: Uint8Array) => {
      const left = BODY.subarray(Math.min(offset, BODY.length));
      into.set(left);
      return left.length;
    }),
    write: ticking((_node: number, _offset: number, data: Uint8Array) => data.length),
    create: ticking((dir: number, name: string) => node(dir, name)),
    setattr: ticking((ino: number) => ({ ino, mode: modes.get(ino) ?? FILE, size: BODY.length, mtimeMs: 0 })),
  };
}
