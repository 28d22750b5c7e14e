/** A driver over nested plain objects. */

import { defined } from "../../../../cli/dist/support/defined.js";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver } from "../../../dist/src/index.js";

type DriverAttributes = ReturnType<Driver["root"]>;

/** A directory by the names in it, a file by its text, a link by its body. */
export type Content = string | { readonly link: string } | { readonly [name: string]: Content };

/** A node of an object driver: its attributes and its contents. */
export interface ObjectNode extends DriverAttributes {
  readonly ino: number;
  readonly text?: string;
  readonly link?: string;
  readonly children?: Map<string, ObjectNode>;
}

/** The hooks that every object driver has are there, so that a test may call or replace them. */
type OwnHooks = Required<Pick<Driver, "lookup" | "readlink" | "read" | "readdir" | "create" | "unlink">>;

export type ObjectDriver = Omit<Driver, "root" | keyof OwnHooks> &
  OwnHooks & {
    root(): ObjectNode;
    /** Not a hook: puts something into a directory (the root when undefined) without the tree's knowledge. */
    put(dir: number | undefined, name: string, content: Content): ObjectNode;
  };

function isLink(content: Content): content is { readonly link: string } {
  return typeof content !== "string" && typeof content.link === "string";
}

/** A plain object must have nothing but hooks; the object of a class may have other properties. */
class ExtendedDriver {}

/** The nodes of one driver. */
class ObjectNodes {
  readonly #nodes = new Map<number, ObjectNode>();
  #last = 0;

  get(ino: number): ObjectNode {
    return defined(this.#nodes.get(ino), `node ${ino}`);
  }

  childrenOf(ino: number): Map<string, ObjectNode> {
    return defined(this.get(ino).children, `directory ${ino}`);
  }

  /** Makes the node of some content; permission bits as given, or the usual ones. */
  add(content: Content, permissions?: number): ObjectNode {
    // A directory has a lower number than what is in it.
    const ino = ++this.#last;
    const node: ObjectNode = { ino, uid: 0, gid: 0, ...this.#body(content, permissions) };
    this.#nodes.set(ino, node);
    return node;
  }

  #body(content: Content, permissions?: number): Omit<ObjectNode, "ino"> {
    if (typeof content === "string") {
      return { mode: S_IFREG | (permissions ?? 0o644), size: content.length, text: content };
    }
    if (isLink(content)) return { mode: S_IFLNK | 0o777, link: content.link };
    const children = new Map(Object.entries(content).map(([name, child]) => [name, this.add(child)]));
    return { mode: S_IFDIR | (permissions ?? 0o755), children };
  }
}

/**
 * An object is a directory, a string a file, `{ link: "body" }` a link. `hooks` adds hooks or replaces them. The same driver
 * may be registered by several attachments of one thread.
 */
export function objectDriver(name: string, content: Content, hooks: Partial<Driver> = {}): ObjectDriver {
  const nodes = new ObjectNodes();
  const root = nodes.add(content);
  const driver = {
    name,
    root: () => root,
    lookup: (dir, child) => nodes.childrenOf(dir).get(child) ?? null,
    readlink: (ino) => defined(nodes.get(ino).link, `link ${ino}`),
    read(ino, offset, into) {
      const rest = new TextEncoder().encode(nodes.get(ino).text).subarray(offset, offset + into.length);
      into.set(rest);
      return rest.length;
    },
    readdir: (dir) => [...nodes.childrenOf(dir)].map(([child, { ino, mode }]) => ({ name: child, ino, mode })),
    create(dir, child, mode, target) {
      const body: Content = target !== undefined ? { link: target } : (mode & S_IFMT) === S_IFDIR ? {} : "";
      const node = nodes.add(body, mode & 0o7777);
      nodes.childrenOf(dir).set(child, node);
      return node;
    },
    unlink(dir, _node, child) {
      nodes.childrenOf(dir).delete(child);
    },
    ...hooks,
    put(dir, child, body) {
      const node = nodes.add(body);
      nodes.childrenOf(dir ?? root.ino).set(child, node);
      return node;
    },
  } as ObjectDriver;
  return Object.assign(new ExtendedDriver(), driver);
}
