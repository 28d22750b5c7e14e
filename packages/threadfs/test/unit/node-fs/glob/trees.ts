/** The tree of the tests of globs: dots, links of every sort, directories that are empty or locked, names with magic in them. */
import { type FsCalls, unchecked } from "../../../support/fs-calls.js";

const FILES = [
  "one.txt",
  "two.txt",
  "three.js",
  ".dot",
  "a/b.txt",
  "a/c/d/deep.txt",
  "a/c/.hidden",
  "a/.d/inside.txt",
  "ab",
  "aab",
  "b",
];

/** Names that patterns read in another way, and those beyond ASCII. */
const ODD = [
  "a[b",
  "{",
  "{a,b}",
  "*",
  "?",
  "!x",
  "#x",
  "back\\slash",
  "new\nline",
  "sp ace",
  "ünï",
  "😀",
  "$x",
  "()",
  "@(a)",
  "-",
  "]",
  "^",
  "...",
  "..x",
  "Ab",
  "٣",
  "_",
  "+1",
];

export function plant(fs: FsCalls, dir: string): void {
  for (const path of ["a/c/d", "a/.d", "b.dir", "empty", "odd", ".hid", "locked"]) {
    fs.mkdirSync(`${dir}/${path}`, { recursive: true });
  }
  for (const path of FILES) fs.writeFileSync(`${dir}/${path}`, "");
  for (const name of ODD) fs.writeFileSync(`${dir}/odd/${name}`, "");
  // Bytes that are no UTF-8, in the name of a file and of a directory with something in it.
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/odd/`), Buffer.from([0x66, 0xff])]), "");
  fs.mkdirSync(Buffer.concat([Buffer.from(`${dir}/odd/`), Buffer.from([0x64, 0xfe])]));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/odd/`), Buffer.from([0x64, 0xfe]), Buffer.from("/in")]), "");
  fs.writeFileSync(`${dir}/.hid/f`, "");
  fs.writeFileSync(`${dir}/locked/f`, "");
  fs.symlinkSync("one.txt", `${dir}/to-file`);
  fs.symlinkSync("a", `${dir}/to-a`);
  fs.symlinkSync(".", `${dir}/loop`);
  fs.symlinkSync("..", `${dir}/a/up`);
  fs.symlinkSync("nowhere", `${dir}/dangling`);
  fs.symlinkSync("self", `${dir}/self`);
  fs.symlinkSync("to-a", `${dir}/to-to-a`);
  fs.symlinkSync(`${dir}/a/c`, `${dir}/absolute`);
  fs.chmodSync(`${dir}/locked`, 0);
}

interface Entry {
  readonly name: string;
  readonly parentPath: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

/** A path, or an entry as plain data. */
export function shown(found: unknown): unknown {
  if (typeof found !== "object" || found === null) return found;
  const entry = found as Entry;
  const kinds = [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()];
  return [entry.name, entry.parentPath, ...kinds];
}

/** What a glob returns, as plain data. */
export function find(fs: FsCalls, pattern: unknown, options?: object): unknown {
  const found = unchecked(fs).globSync(pattern, options) as unknown[];
  return found.map(shown);
}
