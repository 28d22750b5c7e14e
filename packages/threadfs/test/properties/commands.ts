/** The calls that the tests of whole trees make at random, and the small tree in which they start. */
import fc from "fast-check";
import type { FsCalls } from "../support/fs-calls.js";

/** Too long for a dentry's own memory; a second name differs from it in the last byte. */
const LONG = "long-name-".repeat(9);

/** Few names, so that calls meet the same files. */
const plain = ["a", "b", "c", "d", "a", "b", "c", "d", "a", "b", LONG, `${LONG}x`];
const name = fc.constantFrom(...plain, "..", ".");

/** Up to four components, mostly one or two; slashes are doubled or at the end in some. */
function pathOf(component: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const components = (length: number) => fc.array(component, { minLength: length, maxLength: length });
  return fc
    .tuple(
      fc.oneof(
        { weight: 4, arbitrary: components(1) },
        { weight: 4, arbitrary: components(2) },
        { weight: 2, arbitrary: components(3) },
        { weight: 1, arbitrary: components(4) },
      ),
      fc.constantFrom("/", "/", "/", "//"),
      fc.constantFrom("", "", "", "", "", "", "", "/"),
    )
    .map(([names, slash, end]) => names.join(slash) + end);
}

export const path = pathOf(name);

/** A path that leads down only. */
export const pathDown = pathOf(fc.constantFrom(...plain));

/** Bodies of links lead up and down, but never out of the run's directory (see FLOOR). */
export const body = fc
  .array(fc.constantFrom("a", "b", "c", "d", "..", "."), { minLength: 1, maxLength: 3 })
  .map((names) => names.join("/"));

/** What a command works on. */
export interface Operands {
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly mode: number;
  readonly text: string;
}

type Call = (fs: FsCalls, operands: Operands) => unknown;

/** What each command does; the conformance suite's rules normalise its result. */
export const COMMANDS = {
  mkdir: (fs, { to, mode }) => fs.mkdirSync(to, mode),
  writeFile: (fs, { to, text }) => fs.writeFileSync(to, text),
  appendFile: (fs, { to, text }) => fs.appendFileSync(to, text),
  exclusive: (fs, { to, text }) => fs.writeFileSync(to, text, { flag: "wx" }),
  rename: (fs, { from, to }) => fs.renameSync(from, to),
  link: (fs, { from, to }) => fs.linkSync(from, to),
  symlink: (fs, { body, to }) => fs.symlinkSync(body, to),
  unlink: (fs, { to }) => fs.unlinkSync(to),
  rmdir: (fs, { to }) => fs.rmdirSync(to),
  chmod: (fs, { to, mode }) => fs.chmodSync(to, mode),
  truncate: (fs, { to, text }) => fs.truncateSync(to, text.length),
  stat: (fs, { to }) => fs.statSync(to),
  lstat: (fs, { to }) => fs.lstatSync(to),
  exists: (fs, { to }) => fs.existsSync(to),
  readFile: (fs, { to }) => fs.readFileSync(to, "latin1"),
  readdir: (fs, { to }) => fs.readdirSync(to).sort(),
  readlink: (fs, { to }) => fs.readlinkSync(to),
  realpath: (fs, { to }) => fs.realpathSync.native(to),
} satisfies Record<string, Call>;

export interface Command extends Operands {
  readonly kind: keyof typeof COMMANDS;
}

export const text = fc.constantFrom("", "x", "hello", "y".repeat(5000));

/**
 * The tree starts so deep inside the run's directory that no path leads out of it, to real files: a path has at most 4
 * "..", and passes at most 40 links with at most 3 each.
 */
export const FLOOR = "i/".repeat(4 + 40 * 3 + 1);

/** Makes a few files, so that the first calls find some. */
export function plant(fs: FsCalls, at: string): void {
  for (const dir of ["a", "a/a", "a/b", "b", "b/a"]) fs.mkdirSync(at + dir);
  for (const file of ["a/c", "b/b", "a/a/a"]) fs.writeFileSync(at + file, file);
  fs.symlinkSync("a", `${at}c`);
  fs.symlinkSync("../a", `${at}b/c`);
}
