/** The calls that the tests of whole trees make at random, and the small world they make them in. */
import fc from "fast-check";

/** Too long to lie in a directory entry's own memory; its neighbour differs in the last byte. */
const LONG = "long-name-".repeat(9);

/** Few names, so that they meet. */
const plain = ["a", "b", "c", "d", "a", "b", "c", "d", "a", "b", LONG, `${LONG}x`];
const name = fc.constantFrom(...plain, "..", ".");

/** Up to four components, mostly one or two, with the slashes people type. */
function pathOf(component) {
  const components = (length) => fc.array(component, { minLength: length, maxLength: length });
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

/** Bodies of links lead up and down; never out of the run's directory, see FLOOR. */
export const body = fc
  .array(fc.constantFrom("a", "b", "c", "d", "..", "."), { minLength: 1, maxLength: 3 })
  .map((names) => names.join("/"));

const sorted = (list) => [...list].sort();

/** What each command does; the answer is normalised by the conformance suite's rules. */
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
  readdir: (fs, { to }) => sorted(fs.readdirSync(to)),
  readlink: (fs, { to }) => fs.readlinkSync(to),
  realpath: (fs, { to }) => fs.realpathSync.native(to),
};

export const text = fc.constantFrom("", "x", "hello", "y".repeat(5000));

/**
 * The tree starts so deep inside the run's directory that nothing can lead out of it, where the calls would meet real
 * files: a path has at most 4 "..", and passes at most 40 links with at most 3 each.
 */
export const FLOOR = "i/".repeat(4 + 40 * 3 + 1);

/** Something to begin with: the first calls would else meet nothing. */
export function plant(fs, at) {
  for (const dir of ["a", "a/a", "a/b", "b", "b/a"]) fs.mkdirSync(at + dir);
  for (const file of ["a/c", "b/b", "a/a/a"]) fs.writeFileSync(at + file, file);
  fs.symlinkSync("a", `${at}c`);
  fs.symlinkSync("../a", `${at}b/c`);
}
