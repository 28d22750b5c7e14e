/** One case on one target; what a case is, is told in harness.js. */
import { attempt, picture } from "./outcome.js";

/**
 * Makes a tree: `{ "d/": 0o755, f: "contents", l: ["body of a symlink"], h: { link: "f" } }`. A directory's value is
 * its mode or null; a file may be `{ data, mode, uid, gid }`, and so may a directory.
 */
function plant(fs, dir, spec) {
  for (const [name, value] of Object.entries(spec)) {
    const at = `${dir}/${name.replace(/\/$/, "")}`;
    const more = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
    if (Array.isArray(value)) fs.symlinkSync(value[0], at);
    else if (more.link) fs.linkSync(`${dir}/${more.link}`, at);
    else if (name.endsWith("/")) fs.mkdirSync(at);
    else fs.writeFileSync(at, typeof value === "string" ? value : (more.data ?? ""));
    // The owner first: a change of owner takes the set-id bits away.
    if (more.uid !== undefined) fs.chownSync(at, more.uid, more.gid ?? more.uid);
    const mode = more.mode ?? (typeof value === "number" ? value : undefined);
    if (mode !== undefined) fs.chmodSync(at, mode);
  }
}

function toolsFor(fs, target, dir, only) {
  return {
    fs,
    dir,
    p: (name) => `${dir}/${name}`,
    out: (fn) => attempt(fn, target.root, only),
    tree: (spec) => plant(fs, dir, spec),
  };
}

/** Makes the case's directory and runs its `setup`; answers the directory. */
export function prepare(target, testCase, id) {
  target.shared ??= new Map();
  const made = testCase.shared && target.shared.get(testCase.shared);
  if (made) return made;
  const dir = `${target.root}/c${id}`;
  target.fs.mkdirSync(dir);
  (testCase.shared ?? testCase.setup)?.(toolsFor(target.fs, target, dir));
  if (testCase.shared) target.shared.set(testCase.shared, dir);
  return dir;
}

/** The outcome of `run` in `dir`. */
export function perform(target, testCase, dir) {
  const { umask, as, only } = testCase;
  const cwd = testCase.cwd === undefined ? "/" : testCase.cwd === "" ? dir : `${dir}/${testCase.cwd}`;
  return target.with({ cwd, umask, as }, (fs) =>
    attempt(() => testCase.run(toolsFor(fs, target, dir, only)), target.root, only),
  );
}

/** Outcome and picture of one case. */
export function runCase(target, testCase, id) {
  const dir = prepare(target, testCase, id);
  const outcome = perform(target, testCase, dir);
  return testCase.shared ? { outcome } : { outcome, tree: picture(target.fs, dir) };
}
