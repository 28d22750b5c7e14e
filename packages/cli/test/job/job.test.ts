/** The main job on a small directory: it loads, looks up beside the mutator, checks and reports. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { JobResult } from "../../dist/job/report.js";
import { run, runRefused, runWith } from "../run-command.js";

const PACKAGES = 24;
const FILES = 10;
let root: string;
let tree: string;

/** Some hundred files in packages, with links of both kinds, a loop, a FIFO, an unusual name and a large file. */
function makeTree(): void {
  for (let p = 0; p < PACKAGES; p++) {
    const directory = join(tree, `node_modules/package-${p}`);
    fs.mkdirSync(join(directory, "lib/deep"), { recursive: true });
    fs.writeFileSync(join(directory, "package.json"), `{"name":"package-${p}"}`);
    for (let f = 0; f < FILES; f++) {
      fs.writeFileSync(join(directory, `lib/${f % 2 ? "deep/" : ""}file-${f}.js`), "x".repeat(p * f));
    }
  }
  fs.mkdirSync(join(tree, "node_modules/.bin"));
  for (let p = 0; p < PACKAGES; p++) {
    fs.symlinkSync(`../package-${p}/lib/file-0.js`, join(tree, `node_modules/.bin/tool-${p}`));
  }
  fs.symlinkSync("loop", join(tree, "loop"));
  fs.symlinkSync("node_modules/package-0/../package-1/lib", join(tree, "through"));
  fs.linkSync(join(tree, "node_modules/package-0/package.json"), join(tree, "second-name.json"));
  fs.writeFileSync(join(tree, "größe ?.txt"), "ä");
  fs.writeFileSync(join(tree, "large.bin"), new Uint8Array(200_000));
  fs.writeFileSync(join(tree, "private"), "", { mode: 0o600 });
  fs.chmodSync(join(tree, "private"), 0o4751);
  assert.equal(spawnSync("mkfifo", [join(tree, "fifo")]).status, 0);
}

interface Counts {
  directories: number;
  files: number;
  links: number;
}

/** Counts a real directory's entries by type, the directory itself among them. */
function countReal(path: string, sum: Counts = { directories: 0, files: 0, links: 0 }): Counts {
  const stats = fs.lstatSync(path);
  if (stats.isFile()) sum.files++;
  else if (stats.isSymbolicLink()) sum.links++;
  else if (stats.isDirectory()) {
    sum.directories++;
    for (const name of fs.readdirSync(path)) countReal(join(path, name), sum);
  }
  return sum;
}

const readResult = (file: string): JobResult => JSON.parse(fs.readFileSync(file, "utf8"));

before(() => {
  root = fs.mkdtempSync(join(tmpdir(), "threadfs-job-"));
  tree = join(root, "tree");
  fs.mkdirSync(tree);
  makeTree();
});
after(() => fs.rmSync(root, { recursive: true }));

test("the job loads a directory, looks it up beside the mutator, checks every answer and reports", async () => {
  const json = join(root, "result.json");
  const { status, out, err } = await run("job", tree, "--seconds", "1", "--json", json);
  assert.equal(status, 0, `${out}${err}`);
  assert.equal(err, "");
  for (const text of ["a second,", "looked up by", "rcu mode", "node:fs", "memfs", "ref-walk", "an entry takes"]) {
    assert.ok(out.includes(text), `${text} in:\n${out}`);
  }

  const result = readResult(json);
  const { load, memory, rows, check, churn, counters, questions } = result;
  const real = countReal(tree);
  const { directories, files, links } = load;
  assert.deepEqual({ directories, files, links }, real);
  assert.equal(load.entries, real.directories + real.files + real.links);
  assert.equal(load.special, 1);
  assert.ok(load.contentBytes > 0 && load.contentBytes < 100_000);
  assert.equal(load.unreadable, 0);
  assert.equal(load.sparse, 1);
  assert.ok(load.threads >= 2);
  assert.ok(memory.perName > 0 && memory.perEntry > memory.perName && memory.bytes > memory.contentBytes);
  assert.ok(questions.all > 2 * questions.existing);
  assert.equal(questions.tangled, 0);

  assert.equal(rows.length, 5);
  for (const row of rows) {
    assert.ok((row.all ?? 0) > 0 && row.perThread?.length === result.settings.threads, row.name);
    const { rcuShare = -1 } = row;
    if (row.name.startsWith("threadfs")) assert.ok(rcuShare >= 0 && rcuShare <= 1, row.name);
  }
  const share = (name: string) => rows.find((row) => row.name.includes(name))?.rcuShare;
  assert.ok((share("nothing else") ?? 0) > 0.5);
  assert.equal(share("ref-walk"), 0);

  assert.equal(check.wrong, 0);
  assert.ok(check.checked > 0 && check.still > 0);
  for (const counter of ["walks", "endedRcu"]) assert.ok((counters[counter] ?? 0) > 0, counter);
  assert.ok((churn.counters.gracePeriods ?? 0) > 0);
  for (const [kind, moves] of Object.entries(churn.moves)) assert.ok(moves > 0, kind);
});

test("a wrong answer is printed and makes the job exit 1", async () => {
  const { status, out, err } = await run("job", tree, "--seconds", "0.5", "--self-test");
  assert.equal(status, 1, `${out}${err}`);
  const planted = /a wrong answer was planted at (.*)/.exec(out)?.[1];
  assert.ok(planted?.startsWith(fs.realpathSync(tree)));
  const named = [...out.matchAll(/WRONG: (\w+)\("(.*)"\)/g)].map((match) => match[2]);
  assert.ok(named.length > 0);
  assert.deepEqual([...new Set(named)], [planted]);
  assert.match(out, /answered: file mode \d+ size \d+/);
});

test("the limits of entries and contents are kept and printed", async () => {
  const json = join(root, "limited.json");
  const limits = ["--max-entries", "100", "--content-limit", "0", "--threads", "1"];
  const { status, out, err } = await run("job", tree, "--seconds", "0.3", "--json", json, ...limits);
  assert.equal(status, 0, `${out}${err}`);
  const { load, rows } = readResult(json);
  assert.ok(load.left > 0 && load.entries <= 101);
  assert.equal(load.contentBytes, 0);
  assert.equal(rows[0]?.perThread?.length, 1);
  assert.match(out, /entries left out: the limit is 100/);
});

test("a directory that does not fit into the memory is loaded as far as it fits", async () => {
  const big = join(root, "big");
  fs.mkdirSync(big);
  for (let i = 0; i < 40; i++) fs.writeFileSync(join(big, `file-${i}`), new Uint8Array(1 << 20));
  const { status, out, err } = await run(
    ...["job", big, "--max-memory", "16", "--content-limit", "2048", "--seconds", "0.3", "--threads", "2"],
  );
  assert.equal(status, 0, err);
  assert.match(out, /files by their size only/);
});

test("a bad argument is named and makes the command exit 2", async () => {
  const cases: [args: string[], message: RegExp][] = [
    [["job", join(root, "none")], /ENOENT/],
    [["job", join(tree, "large.bin")], /ENOTDIR/],
    [["job", tree, "--seconds", "never"], /--seconds/],
    [["job", tree, "--threads", "0"], /--threads/],
    [["job", tree, "--threads", "255"], /--threads.*from 1 to 254/],
    [
      ["job", tree, "--max-memory", "16", "--threads", "254"],
      /ENOSPC: --max-memory 16: 256 threads .* may need \d+ MiB/,
    ],
    [["job", tree, "--max-memory", "16", "--content-total", "16"], /ENOSPC: --max-memory 16: .*16 MiB of contents/],
    [["job", tree, "--max-memory", "16", "--max-entries", "1000000"], /ENOSPC: --max-memory 16: .*1000000 entries/],
    [["job", tree, "--json", join(root, "none", "result.json")], /ENOENT: --json .*none/],
    [["job", tree, "--json", root], /EISDIR: --json /],
    [["job", tree, "--unknown"], /--unknown/],
    [["nothing"], /nothing/],
  ];
  for (const [args, message] of cases) {
    const { status, out, err } = await run(...args);
    // Nothing was printed, so nothing was done before the error was found.
    assert.deepEqual({ status, out }, { status: 2, out: "" }, args.join(" "));
    assert.match(err, message);
  }
});

test("a directory that cannot be read is refused before the run", async () => {
  const { status, out, err } = await runRefused(fs.realpathSync(tree), "job", tree);
  assert.deepEqual({ status, out }, { status: 2, out: "" }, err);
  assert.match(err, /^threadfs: EACCES: cannot load /);
});

test("a check of --json leaves no file behind, and an existing one as it is", async () => {
  const file = join(root, "kept.json");
  const none = join(root, "none");
  await run("job", none, "--json", file);
  assert.equal(fs.existsSync(file), false);
  fs.writeFileSync(file, "kept");
  await run("job", tree, "--json", file, "--threads", "2", "--max-memory", "16", "--content-total", "3072");
  assert.equal(fs.readFileSync(file, "utf8"), "kept");
});

for (const columns of ["80", "60"]) {
  test(`the tables fit ${columns} columns`, async () => {
    const args = ["job", tree, "--seconds", "0.2", "--threads", "3"];
    const { status, out, err } = await runWith({ COLUMNS: columns }, ...args);
    assert.equal(status, 0, err);
    const lines = out.split("\n");
    const ruled = lines.filter((line) => /^-[- ]+$/.test(line));
    assert.equal(ruled.length, 2);
    for (const line of ruled) assert.ok(line.length <= Number(columns), `${line.length}: ${line}`);
  });
}
