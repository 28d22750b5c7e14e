/** `threadfs walk` explains what a walk did, as text and as JSON. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ExplainedStep, FileAttributes, WalkReport } from "../dist/walk.js";
import { run, runRefused } from "./run-command.js";

let tree: string;

before(() => {
  tree = fs.mkdtempSync(join(tmpdir(), "threadfs-walk-"));
  fs.chmodSync(tree, 0o755);
  fs.mkdirSync(join(tree, "dir/sub"), { recursive: true });
  fs.mkdirSync(join(tree, "closed"), { mode: 0o700 });
  fs.writeFileSync(join(tree, "dir/file.txt"), "hello");
  fs.writeFileSync(join(tree, "closed/secret"), "x");
  fs.symlinkSync("dir/sub/../file.txt", join(tree, "link"));
  fs.symlinkSync("loop", join(tree, "loop"));
});
after(() => fs.rmSync(tree, { recursive: true }));

interface Explained extends Omit<WalkReport, "answer"> {
  /** The output without --json. */
  text: string;
  kinds: string[];
  answer: { found?: FileAttributes; error?: { code: string; message: string }; unknown?: string };
}

/** Explains a walk as text and as JSON. */
async function walk(path: string, ...options: string[]): Promise<Explained> {
  const [text, json] = await Promise.all([
    run("walk", path, "--dir", tree, ...options),
    run("walk", path, "--dir", tree, "--json", ...options),
  ]);
  assert.equal(text.status, 0, text.err);
  assert.equal(json.status, 0, json.err);
  const explained: WalkReport = JSON.parse(json.out);
  return { text: text.out, ...explained, kinds: explained.steps.map(({ step }) => step) };
}

type Kind = ExplainedStep["step"];

/** The steps of one kind. */
const of = <K extends Kind>(steps: ExplainedStep[], kind: K) =>
  steps.filter((step): step is Extract<ExplainedStep, { step: K }> => step.step === kind);

test("a walk to a plain file explains each component in rcu mode", async () => {
  const { text, steps, kinds, answer, entries } = await walk("/dir/file.txt");
  assert.equal(entries, 8);
  assert.deepEqual(
    of(steps, "component").map(({ name }) => name),
    ["dir", "file.txt"],
  );
  const found = of(steps, "found");
  assert.deepEqual(
    found.map(({ path, is }) => [path, is?.type]),
    [
      ["/dir", "directory"],
      ["/dir/file.txt", "file"],
    ],
  );
  assert.equal(found[1]?.is?.ino, answer.found?.ino);
  assert.equal(answer.found?.size, 5);
  assert.ok(steps.every(({ mode }) => mode === "rcu"));
  assert.ok(found.every(({ sequence }) => sequence % 2 === 0));
  assert.equal(
    kinds.find((kind) => kind !== "detail"),
    "start",
  );
  assert.ok(!kinds.includes("drop"));
  assert.deepEqual(
    of(steps, "permission").map(({ path, answer }) => [path, answer]),
    [
      ["/", "ok"],
      ["/dir", "ok"],
    ],
  );
  assert.equal(of(steps, "answer")[0]?.answer, "ok");
  assert.match(text, /component "dir" in \//);
  assert.match(text, /found \/dir\/file\.txt: file, ino \d+, mode 0644, size 5; sequence \d+/);
  assert.match(text, /answer: found: file/);
});

test("a walk to a missing name explains where the name is missing", async () => {
  const { text, steps, answer } = await walk("dir/none");
  assert.equal(of(steps, "missing")[0]?.path, "/dir/none");
  assert.equal(answer.error?.code, "ENOENT");
  assert.deepEqual(
    of(steps, "answer").map(({ answer }) => answer),
    ["ENOENT"],
  );
  assert.equal(of(steps, "start").length, 1);
  assert.match(text, /answer: ENOENT: no such file or directory, stat 'dir\/none'/);
});

test("a walk through a link leaves rcu mode and walks the link's body", async () => {
  const { text, steps, kinds, answer } = await walk("/link");
  assert.equal(of(steps, "drop")[0]?.reason, "LINK");
  assert.equal(of(steps, "dropped")[0]?.continued, true);
  assert.equal(of(steps, "link")[0]?.body, "dir/sub/../file.txt");
  assert.equal(of(steps, "dotdot")[0]?.path, "/dir");
  // The body begins in the directory that the link is in.
  assert.equal(of(steps.slice(kinds.indexOf("link") + 1), "permission")[0]?.path, "/");
  assert.equal(steps.at(-1)?.mode, "ref");
  assert.equal(answer.found?.size, 5);
  assert.match(text, /leave rcu mode at \/link/);
  assert.match(text, /link with the body "dir\/sub\/\.\.\/file\.txt"/);
});

test("--no-follow finds the link itself, and a link to itself ends in ELOOP", async () => {
  const link = await walk("/link", "--no-follow");
  assert.equal(link.answer.found?.type, "link");
  assert.ok(!link.kinds.includes("link"));
  const loop = await walk("/loop");
  assert.equal(loop.answer.error?.code, "ELOOP");
  assert.equal(of(loop.steps, "answer").at(-1)?.answer, "ELOOP");
});

test('".." goes up to the root and stays there', async () => {
  const { text, steps, answer } = await walk("dir/sub/../../../dir");
  assert.deepEqual(
    of(steps, "component").map(({ path, name }) => [path, name]),
    [
      ["/", "dir"],
      ["/dir", "sub"],
      ["/dir/sub", ".."],
      ["/dir", ".."],
      ["/", ".."],
      ["/", "dir"],
    ],
  );
  assert.deepEqual(
    of(steps, "dotdot").map(({ from, path }) => [from, path]),
    [
      ["/dir/sub", "/dir"],
      ["/dir", "/"],
      ["/", "/"],
    ],
  );
  assert.equal(answer.found?.type, "directory");
  assert.match(text, /"\.\." from \/dir\/sub to \/dir/);
});

test("a walk goes down into a mount and up out of it again", async () => {
  const { text, steps, answer } = await walk("/dir/sub/../file.txt", "--mount", "dir/sub");
  assert.equal(of(steps, "mountDown")[0]?.path, "/dir/sub");
  assert.equal(of(steps, "mountUp")[0]?.path, "/dir/sub");
  assert.equal(answer.found?.size, 5);
  assert.match(text, /down into \/dir\/sub/);
  const covered = await walk("/dir/file.txt", "--mount", "/dir");
  assert.equal(covered.answer.error?.code, "ENOENT");
});

test("a walk that is refused explains which directory may not be searched", async () => {
  const { text, steps, answer } = await walk("/closed/secret", "--uid", "1000");
  const asked = of(steps, "permission").at(-1);
  assert.deepEqual([asked?.path, asked?.answer], ["/closed", "EACCES"]);
  assert.equal(answer.error?.code, "EACCES");
  assert.match(text, /may \/closed be searched\? EACCES/);
  const allowed = await walk("/closed/secret");
  assert.equal(allowed.answer.found?.size, 1);
});

test("--ref walks every component in ref mode", async () => {
  const { steps } = await walk("/dir/file.txt", "--ref");
  assert.ok(steps.every(({ mode }) => mode === "ref"));
  assert.deepEqual(
    of(steps, "found").map(({ path }) => path),
    ["/dir", "/dir/file.txt"],
  );
});

test("a bad argument is named and makes the command exit 2", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["walk"], /PATH/],
    [["walk", "/x", "--dir", join(tree, "none")], /ENOENT/],
    [["walk", "/x", "--dir", tree, "--uid", "-1"], /--uid/],
    [["walk", "/x", "--dir", tree, "--mount", "/none"], /ENOENT: --mount \/none/],
  ];
  for (const [args, message] of cases) {
    const { status, err } = await run(...args);
    assert.equal(status, 2, `${args.join(" ")}: ${err}`);
    assert.match(err, message);
  }
});

test("what is below a directory that cannot be read is unknown, not missing; exit status 1", async () => {
  const closed = join(fs.realpathSync(tree), "closed");
  for (const path of ["/closed/secret", "/closed/none/below"]) {
    const { status, out, err } = await runRefused(closed, "walk", path, "--dir", tree);
    assert.equal(status, 1, err);
    assert.match(err, /1 entries could not be read: .*closed: EACCES/);
    assert.match(out, /\/closed\/\w+: not loaded, so it may exist: .*closed could not be read: EACCES/);
    assert.match(out, /^answer: unknown: .*closed could not be read: EACCES$/m);
    assert.doesNotMatch(out, /certain/);
    const json = await runRefused(closed, "walk", path, "--dir", tree, "--json");
    assert.match(JSON.parse(json.out).answer.unknown, /EACCES/);
  }
  const other = await runRefused(closed, "walk", "/none", "--dir", tree);
  assert.equal(other.status, 0, other.err);
  assert.match(other.out, /\/none is not there, and that is certain/);
});

test("a FIFO, which is not loaded, is unknown, not missing", async () => {
  const fifo = join(tree, "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  try {
    const { status, out } = await run("walk", "/fifo", "--dir", tree);
    assert.equal(status, 1);
    assert.match(out, /^answer: unknown: a FIFO, a socket or a device is not loaded$/m);
  } finally {
    fs.rmSync(fifo);
  }
});

test("a directory that cannot be read, and empty arguments, are refused before anything is loaded", async () => {
  const refused = await runRefused(fs.realpathSync(tree), "walk", "/x", "--dir", tree);
  assert.equal(refused.status, 2);
  assert.match(refused.err, /^threadfs: EACCES: cannot load /);
  assert.equal(refused.out, "");
  for (const args of [
    ["walk", "/x", "--dir", ""],
    ["walk", "/x", "--mount", ""],
    ["job", ""],
    ["job", tree, "--json", ""],
  ]) {
    const { status, out, err } = await run(...args);
    assert.deepEqual({ status, out }, { status: 2, out: "" }, args.join(" "));
    assert.match(err, /must not be empty/);
  }
});
