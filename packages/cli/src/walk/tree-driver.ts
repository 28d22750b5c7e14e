/** A driver whose files are those of a directory of the tree: so a walk there is one through a driver. */
import type { Driver, DriverAttributes, FsSync } from "threadfs";

/** How long a name that the driver has told is good: for ever; until the driver says that it may have changed, which it never does; until the next walk, which asks. */
export const VALIDITIES = ["always", "generation", "revalidate"] as const;
export type Validity = (typeof VALIDITIES)[number];

interface DriverNode {
  attributes: DriverAttributes;
  /** Of a directory: its names and their nodes. */
  names?: Map<string, number>;
  /** Of a link: its text. */
  text?: string;
}

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** What is below a directory now, by the numbers of the inodes: its hooks may not call the tree. */
function nodesBelow(fs: FsSync, root: string): Map<number, DriverNode> {
  const nodes = new Map<number, DriverNode>();
  const add = (path: string): number => {
    const { ino, mode, uid, gid, nlink, size, mtimeMs } = fs.lstatSync(path);
    const node: DriverNode = { attributes: { ino, mode, uid, gid, nlink, size, mtimeMs } };
    if (!nodes.has(ino)) nodes.set(ino, node);
    if ((mode & S_IFMT) === S_IFLNK) node.text = fs.readlinkSync(path);
    return ino;
  };
  add(root);
  for (const directories = [root]; directories.length > 0; ) {
    const path = directories.pop() as string;
    const names = new Map<string, number>();
    for (const name of fs.readdirSync(path)) {
      const child = `${path === "/" ? "" : path}/${name}`;
      const ino = add(child);
      names.set(name, ino);
      if (((nodes.get(ino)?.attributes.mode ?? 0) & S_IFMT) === S_IFDIR) directories.push(child);
    }
    const own = nodes.get(fs.lstatSync(path).ino);
    if (own !== undefined) own.names = names;
  }
  return nodes;
}

/** The driver `name` for the directory at a path. */
export function treeDriver(fs: FsSync, path: string, name: string, validity: Validity): Driver {
  const nodes = nodesBelow(fs, path);
  const root = fs.lstatSync(path).ino;
  const attributes = (ino: number | undefined): DriverAttributes | undefined =>
    ino === undefined ? undefined : nodes.get(ino)?.attributes;
  const driver: Driver = {
    name,
    root: () => attributes(root) as DriverAttributes,
    lookup: (dir, wanted) => attributes(nodes.get(dir)?.names?.get(wanted)) ?? null,
    readdir: (dir) =>
      [...(nodes.get(dir)?.names ?? [])].map(([entry, ino]) => ({
        name: entry,
        ino,
        mode: attributes(ino)?.mode ?? 0,
      })),
    readlink: (node) => nodes.get(node)?.text ?? "",
  };
  if (validity === "always") return driver;
  return { ...driver, revalidate: () => true, ...(validity === "generation" ? { generation: true } : {}) };
}
