/** Drivers over a Map, for the tests of the hooks: the calls of their hooks are recorded. */

import { defined } from "../../../../cli/dist/support/defined.js";
import { S_IFDIR, S_IFMT } from "../../../dist/abi/abi.js";
import type { Driver, Vfs } from "../../../dist/src/index.js";
import { codeOf } from "../errors.js";

type DriverAttributes = ReturnType<Driver["root"]>;

export const ROOT = 1;

/** The code of one walk to a path; undefined when it succeeds. */
export function walkCode(vfs: Pick<Vfs, "fs">, path: string): string | undefined {
  return codeOf(() => vfs.fs.accessSync(path, 0));
}

/** Registers a driver and mounts it. */
export function mountDriver(vfs: Vfs, driver: Driver, at = "/m"): void {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync(at, { recursive: true });
  vfs.mount(null, at, driver.name);
}

/** A node of a flat driver. */
export type FlatNode = readonly [ino: number, type: number];

/** A driver with nothing but a root directory, whose nodes are given as { name: [ino, type] }; `hooks` are added. */
export function flatDriver(
  name: string,
  nodes: Readonly<Record<string, FlatNode>>,
  hooks: Partial<Driver> = {},
): Driver {
  return {
    name,
    root: () => ({ ino: ROOT, mode: S_IFDIR | 0o755 }),
    lookup(_dir, wanted) {
      const node = nodes[wanted];
      return node === undefined ? null : { ino: node[0], mode: node[1] | 0o777 };
    },
    ...hooks,
  };
}

/** What a memory driver holds of a file; `names` is there in a directory alone. */
export interface MemoryNode {
  mode: number;
  names?: Record<string, number>;
  text?: string;
  target?: string | undefined;
  uid?: number;
  gid?: number;
  mtimeMs?: number;
}

/** The hooks of a driver: its methods but for root(). */
export type Hooks = Required<Omit<Driver, "name" | "root" | "revalidateDots" | "generation" | "cacheLinks" | "rcu">>;
export type HookName = keyof Hooks;

/** A recorded call: the hook's name and its arguments, of which buffers are recorded by their length. */
export type HookCall = readonly [hook: HookName, ...args: unknown[]];

export interface MemoryDriver extends Driver {
  /** Replaces what hooks do; the calls are still recorded. */
  on: Partial<Hooks>;
}

/** A plain object must have nothing but hooks; the object of a class may have other properties, here `on`. */
class RecordingDriver implements MemoryDriver {
  readonly on: Partial<Hooks> = {};
  constructor(
    readonly name: string,
    readonly root: () => DriverAttributes,
  ) {}
}

export interface MemoryFileSystem {
  readonly driver: MemoryDriver;
  readonly nodes: MemoryNodes;
  readonly calls: HookCall[];
  /** Makes a node with a name, without the tree's knowledge; returns its number. */
  make(dir: number, name: string, mode: number, more?: Partial<MemoryNode>): number;
}

/** The files of a memory driver by their numbers. */
export class MemoryNodes {
  readonly #nodes = new Map<number, MemoryNode>([[ROOT, { mode: S_IFDIR | 0o755, names: {} }]]);
  #last = ROOT;

  get(ino: number): MemoryNode {
    return defined(this.#nodes.get(ino), `node ${ino}`);
  }

  set(ino: number, node: MemoryNode): void {
    this.#nodes.set(ino, node);
  }

  delete(ino: number): boolean {
    return this.#nodes.delete(ino);
  }

  namesOf(dir: number): Record<string, number> {
    return defined(this.get(dir).names, `directory ${dir}`);
  }

  attributes(ino: number): DriverAttributes {
    const { mode, text = "", uid = 0, gid = 0, mtimeMs = 0 } = this.get(ino);
    return { ino, mode, uid, gid, mtimeMs, size: text.length };
  }

  make(dir: number, name: string, mode: number, more: Partial<MemoryNode> = {}): number {
    const ino = ++this.#last;
    this.set(ino, { mode, ...((mode & S_IFMT) === S_IFDIR ? { names: {} } : {}), ...more });
    this.namesOf(dir)[name] = ino;
    return ino;
  }
}

/** What the hooks do unless a test replaces them. */
function hooksOver(nodes: MemoryNodes): Hooks {
  return {
    lookup(dir, name) {
      const names = nodes.namesOf(dir);
      const ino = Object.hasOwn(names, name) ? names[name] : undefined;
      return ino === undefined ? null : nodes.attributes(ino);
    },
    hash: (_dir, name) => name.length,
    compare: (_dir, _node, cached, wanted) => cached.toLowerCase() === wanted.toLowerCase(),
    revalidate: () => true,
    permission: () => {},
    checkAcl: () => undefined,
    readlink: (ino) => defined(nodes.get(ino).target, `link ${ino}`),
    putLink: () => {},
    iput: () => {},
    deleteUnused: () => false,
    readdir: (dir) =>
      Object.entries(nodes.namesOf(dir)).map(([name, ino]) => ({ name, ino, mode: nodes.get(ino).mode })),
    read(ino, offset, into) {
      const bytes = new TextEncoder().encode(nodes.get(ino).text ?? "").subarray(offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    },
    write(ino, offset, data) {
      const file = nodes.get(ino);
      const text = file.text ?? "";
      file.text = text.slice(0, offset) + new TextDecoder().decode(data) + text.slice(offset + data.length);
      return data.length;
    },
    create: (dir, name, mode, target) => nodes.attributes(nodes.make(dir, name, mode, { target })),
    unlink(dir, _node, name) {
      delete nodes.namesOf(dir)[name];
    },
    setattr(ino, { mode, uid, gid, size, mtimeMs }) {
      const file = nodes.get(ino);
      if (mode !== undefined) file.mode = (file.mode & S_IFMT) | mode;
      if (uid !== undefined) Object.assign(file, { uid, gid });
      if (size !== undefined) file.text = (file.text ?? "").slice(0, size).padEnd(size, "\0");
      if (mtimeMs !== undefined) file.mtimeMs = mtimeMs;
      return nodes.attributes(ino);
    },
  };
}

/** A small file system in a Map, as a driver with the hooks named. */
export function memoryDriver(name: string, hookNames: readonly HookName[]): MemoryFileSystem {
  const nodes = new MemoryNodes();
  const calls: HookCall[] = [];
  const hooks = hooksOver(nodes);
  const driver: MemoryDriver = new RecordingDriver(name, () => nodes.attributes(ROOT));
  for (const hook of hookNames) {
    const recorded = (...args: unknown[]): unknown => {
      calls.push([hook, ...args.map((arg) => (arg instanceof Uint8Array ? arg.length : arg))]);
      // All hooks have their own types; here they are one.
      const run = (driver.on[hook] ?? hooks[hook]) as (...args: unknown[]) => unknown;
      return run(...args);
    };
    Object.assign(driver, { [hook]: recorded });
  }
  return { driver, nodes, calls, make: (dir, entry, mode, more) => nodes.make(dir, entry, mode, more) };
}

/** The arguments of each call of one hook. */
export function argumentsOf(calls: readonly HookCall[], hook: HookName): unknown[][] {
  return calls.filter(([name]) => name === hook).map(([, ...args]) => args);
}
