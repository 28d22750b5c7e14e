/**
 * Random path strings over a fixed tree full of links: whether they exist, what they are called and which inode they
 * name is the kernel's to say; and rcu mode, ref mode and a second asking agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt } from "../conformance/outcome.js";
import { check, useTargets } from "./support.js";

const targets = await useTargets();

/** The tree's place below the root: as many levels as the longest path has "..". */
const BASE = "x/".repeat(14);

const LINKS = {
  up: "..",
  here: ".",
  down: "d/e",
  "d/up": "..",
  "d/e/top": "../..",
  "d/e/file": "../../f",
  "d/cross": "../g/h",
  "g/h/back": "../../d",
  "g/h/far": "../.././d//e/",
  loop: "loop",
  "d/ping": "../g/pong",
  "g/pong": "../d/ping",
  dangling: "nowhere",
  "d/slash": "../f/",
  through: "d/e/top/g/h/back/e",
};

function build({ fs, root }) {
  const at = (name) => `${root}/${BASE}${name}`;
  for (const dir of ["", "d", "d/e", "g", "g/h"]) fs.mkdirSync(at(dir), { recursive: true });
  for (const file of ["f", "d/f", "d/e/f", "g/h/long-name-that-does-not-fit-inline-in-an-entry"])
    fs.writeFileSync(at(file), file);
  for (const [where, body] of Object.entries(LINKS)) fs.symlinkSync(body, at(where));
  fs.symlinkSync(at("d"), at("g/absolute"));
}

for (const target of targets.both()) build(target);

const names = [
  "d",
  "e",
  "f",
  "g",
  "h",
  "..",
  "..",
  ".",
  "",
  "up",
  "here",
  "down",
  "top",
  "file",
  "cross",
  "back",
  "far",
  "loop",
  "ping",
  "pong",
  "dangling",
  "slash",
  "through",
  "absolute",
  "nope",
  "...",
  "..f",
  "long-name-that-does-not-fit-inline-in-an-entry",
];

const path = fc.array(fc.constantFrom(...names), { maxLength: 12 }).map((parts) => parts.join("/"));

/** Identity of an inode across the two targets: the plain path of the first file seen with it. */
function namer({ fs, root }) {
  const known = new Map();
  const visit = (dir) => {
    for (const entry of fs.readdirSync(dir)) {
      const stat = fs.lstatSync(`${dir}/${entry}`);
      known.set(stat.ino, `${dir}/${entry}`.slice(root.length));
      if (stat.isDirectory()) visit(`${dir}/${entry}`);
    }
  };
  visit(root);
  return (ino) => known.get(ino) ?? "outside";
}

function ask({ fs, root }, inode, where) {
  const full = `${root}/${BASE}${where}`;
  return [
    fs.existsSync(full),
    attempt(() => inode(fs.statSync(full).ino), root),
    attempt(() => inode(fs.lstatSync(full).ino), root),
    attempt(() => fs.realpathSync.native(full), root),
    attempt(() => fs.readlinkSync(full), root),
    attempt(() => fs.readdirSync(full).sort(), root),
    attempt(() => fs.accessSync(full, fs.constants?.X_OK ?? 1), root),
  ];
}

test("random paths lead where the kernel says", (t) => {
  const [kernelInode, oursInode] = targets.both().map(namer);
  const property = fc.property(path, (where) => {
    const expected = ask(targets.kernel, kernelInode, where);
    assert.deepEqual(ask(targets.ours, oursInode, where), expected);
    assert.deepEqual(ask(targets.ours, oursInode, where), expected, "asked again, with all of it cached");
  });
  check(t, property, 1500);
});

test("rcu mode and ref mode give one answer", (t) => {
  const { vfs } = targets.ours;
  if (!vfs) return t.skip("there is no walk to force");
  const inode = namer(targets.ours);
  const property = fc.property(path, (where) => {
    const rcu = ask(targets.ours, inode, where);
    vfs.walkMode({ ref: true });
    try {
      assert.deepEqual(ask(targets.ours, inode, where), rcu);
    } finally {
      vfs.walkMode({ ref: false });
    }
  });
  check(t, property, 1500);
});

test("relative paths from every directory lead where the kernel says", (t) => {
  const [kernelInode, oursInode] = targets.both().map(namer);
  const start = fc.constantFrom("", "d", "d/e", "g/h", "down", "g/absolute");
  const property = fc.property(
    start,
    path.filter((where) => !where.startsWith("/")),
    (from, where) => {
      const [expected, got] = targets
        .both()
        .map((target, n) =>
          target.with({ cwd: `${target.root}/${BASE}${from}` }, (fs) => [
            fs.existsSync(where),
            attempt(() => (n ? oursInode : kernelInode)(fs.statSync(where).ino), target.root),
            attempt(() => fs.realpathSync.native(where), target.root),
          ]),
        );
      assert.deepEqual(got, expected);
    },
  );
  check(t, property, 400);
});
