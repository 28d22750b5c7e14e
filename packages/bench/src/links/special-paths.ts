// Paths of 8 components, some of which are special: mount points, directories with an ACL or of their owner alone, those of a driver, dots.

import { ACL_TAG, type AclEntry, type Driver, type Vfs } from "threadfs";

const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;

const DIRECTORIES = ["project", "packages", "package-17", "node_modules", "dep-112", "lib"];
const DIRECTORY = DIRECTORIES.join("/");

/** What is behind the first component. */
export const REST = `${DIRECTORY}/file-2.js`;

/** The superuser is not the owner of the directories with it, so that the list decides. */
const LIST: readonly AclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7 },
  { tag: ACL_TAG.USER, id: 0, perm: 5 },
  { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
  { tag: ACL_TAG.MASK, perm: 5 },
  { tag: ACL_TAG.OTHER, perm: 0 },
];

/** A driver whose directories have every name: a file if it ends in ".js", a link to its own directory if it ends in ".lnk", else a directory. */
function everyName(): Driver {
  const inos = new Map<string, number>();
  return {
    name: "every-name",
    generation: true,
    cacheLinks: true,
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup(dir, name) {
      const key = `${dir}/${name}`;
      const ino = inos.get(key) ?? inos.size + 2;
      inos.set(key, ino);
      const type = name.endsWith(".js") ? S_IFREG : name.endsWith(".lnk") ? S_IFLNK : S_IFDIR;
      return { ino, mode: type | 0o755 };
    },
    readlink: () => ".",
    revalidate: () => true,
  };
}

/** The directories on the way from `top`, that one included. */
const onTheWay = (top: string): string[] => [top, ...DIRECTORIES].map((_, n, all) => all.slice(0, n + 1).join("/"));

function makeFile({ fs }: Vfs, top: string): void {
  fs.mkdirSync(`${top}/${DIRECTORY}`, { recursive: true });
  fs.closeSync(fs.openSync(`${top}/${REST}`, "w"));
}

function setList(vfs: Vfs, path: string): void {
  vfs.fs.chownSync(path, 1000, 1000);
  vfs.setfacl(path, LIST);
}

/** Makes the trees; returns a path in each, by what is special about it. The names of the driver are in the cache then. */
export function makeSpecial(vfs: Vfs): Record<string, string> {
  const { fs } = vfs;
  for (const top of ["/mount", "/mounts"]) fs.mkdirSync(top);
  vfs.mount(null, "/mount", "tmpfs");
  // A file system on each of the first four directories, in the one before.
  for (const directory of onTheWay("/mounts").slice(0, 4)) {
    fs.mkdirSync(directory, { recursive: true });
    vfs.mount(null, directory, "tmpfs");
  }
  for (const top of ["/plain", "/mount", "/mounts", "/owner", "/listed", "/lists"]) makeFile(vfs, top);
  fs.chmodSync("/owner", 0o700);
  setList(vfs, "/listed");
  for (const directory of onTheWay("/lists")) setList(vfs, directory);
  vfs.registerDriver(everyName());
  fs.mkdirSync("/driver");
  vfs.mount(null, "/driver", "every-name");
  for (const top of ["/driver", "/driver/to.lnk"]) fs.accessSync(`${top}/${REST}`);
  return {
    "nothing special": `/plain/${REST}`,
    "a mount point": `/mount/${REST}`,
    "four mount points": `/mounts/${REST}`,
    "a directory of the owner alone": `/owner/${REST}`,
    "a directory with an ACL": `/listed/${REST}`,
    "seven directories with an ACL": `/lists/${REST}`,
    "all of a driver with a generation number, at a mount point": `/driver/${REST}`,
    "the same, and a link of that driver whose text is kept": `/driver/to.lnk/${REST}`,
    '"." in front': `/./plain/${REST}`,
    '".." on the way': `/plain/../plain/${REST}`,
  };
}
