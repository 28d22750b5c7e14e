/**
 * What is compared: answers and errors as plain data without what must differ (inode and device numbers, times,
 * blocks), and a picture of a directory's whole content.
 */

const TYPES = [
  ["isFile", "file"],
  ["isDirectory", "dir"],
  ["isSymbolicLink", "link"],
  ["isFIFO", "fifo"],
  ["isSocket", "socket"],
  ["isCharacterDevice", "char"],
  ["isBlockDevice", "block"],
];

/** Size above which a picture does not hold the contents. */
const PICTURE_MAX = 1 << 20;

/** All that an error of a system call carries. */
const ERROR_FIELDS = ["name", "code", "errno", "syscall", "path", "dest", "message"];

/** Node words its own argument errors differently from version to version: class and code are what callers test. */
const ARGUMENT_FIELDS = ["name", "code"];

function typeOf(entry) {
  return TYPES.filter(([method]) => entry[method]())
    .map(([, name]) => name)
    .join("+");
}

/** Sizes of directories are the file system's own affair. */
function stats(value) {
  return {
    stats: typeOf(value),
    mode: Number(value.mode).toString(8),
    nlink: value.nlink,
    uid: value.uid,
    gid: value.gid,
    size: value.isDirectory() ? "any" : value.size,
    dates: [value.atime, value.mtime, value.ctime, value.birthtime].every((time) => time instanceof Date),
  };
}

/** `value` as plain data in which the root's path is written "<root>". */
export function normalise(value, root) {
  if (typeof value === "string") return value.replaceAll(root, "<root>");
  if (typeof value === "bigint") return { bigint: String(value) };
  if (value === undefined) return { undefined: true };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    return { bytes: normalise(Buffer.from(value).toString("latin1"), root), buffer: Buffer.isBuffer(value) };
  }
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Error) return failure(value, root);
  if (Array.isArray(value)) return value.map((item) => normalise(item, root));
  if (typeof value.isDirectory === "function" && value.mode !== undefined) return normalise(stats(value), root);
  if (typeof value.isDirectory === "function") {
    return { dirent: typeOf(value), name: normalise(value.name, root), parentPath: normalise(value.parentPath, root) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normalise(item, root)]));
}

function failure(error, root, only) {
  const argument = typeof error.code === "string" && error.code.startsWith("ERR_");
  const fields = only ?? (argument ? ARGUMENT_FIELDS : ERROR_FIELDS);
  const told = {};
  for (const field of fields) if (error[field] !== undefined) told[field] = normalise(error[field], root);
  return told;
}

/**
 * Calls `fn`: `{ value }` or `{ error }`. `only` names the fields of an error to compare where Node's own versions
 * differ in the others.
 */
export function attempt(fn, root, only) {
  try {
    return { value: normalise(fn(), root) };
  } catch (error) {
    // A fault of the case or of the implementation (no code) must be seen and not be compared away.
    if (error?.code === undefined) return { thrown: `${error?.stack ?? error}` };
    return { error: failure(error, root, only) };
  }
}

const plain = /^[ -~]*$/;

/** Every entry below `dir`: type, mode, links, owner, size, contents or body; equal inodes are named after the first. */
export function picture(fs, dir) {
  const lines = {};
  const firstName = new Map();
  const bytes = (name) => (plain.test(name) ? name : Buffer.from(name, "latin1"));
  const visit = (name, where) => {
    const stat = fs.lstatSync(bytes(where));
    const line = [stat.mode.toString(8), `nlink ${stat.nlink}`, `${stat.uid}:${stat.gid}`];
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (!firstName.has(stat.ino)) firstName.set(stat.ino, name);
      line.push(`same as ${firstName.get(stat.ino)}`);
    }
    if (!stat.isDirectory()) line.push(`size ${stat.size}`);
    if (stat.isSymbolicLink()) line.push(fs.readlinkSync(bytes(where), "latin1").replaceAll(dir, "<dir>"));
    if (stat.isFile() && stat.size <= PICTURE_MAX) line.push(fs.readFileSync(bytes(where), "latin1"));
    lines[name] = line.join(" ");
    if (!stat.isDirectory()) return;
    for (const entry of fs.readdirSync(bytes(where), "latin1").sort()) visit(`${name}/${entry}`, `${where}/${entry}`);
  };
  visit(".", dir);
  return lines;
}
