/**
 * Random path strings over a fixed tree full of links: the kernel says whether they exist, what their real paths are and
 * which inodes they name; rcu mode, ref mode and a second walk agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt } from "../conformance/support/outcome.js";
import type { Target } from "../conformance/support/targets.js";
import { check, useTargets } from "./support.js";

const targets = await useTargets();

/** The tree is as many levels below the root as the longest path has "..", and more. */
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

function build({ fs, root }: Target): void {
  const at = (name: string) => `${root}/${BASE}${name}`;
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

/** Gives an inode the same name on both targets: the plain path of a file that has it. */
type InodeName = (ino: number) => string;

function namer({ fs, root }: Target): InodeName {
  const known = new Map<number, string>();
  const visit = (dir: string): void => {
    for (const entry of fs.readdirSync(dir)) {
      const stat = fs.lstatSync(`${dir}/${entry}`);
      known.set(stat.ino, `${dir}/${entry}`.slice(root.length));
      if (stat.isDirectory()) visit(`${dir}/${entry}`);
    }
  };
  visit(root);
  return (ino) => known.get(ino) ?? "outside";
}

/** The outcome of every kind of lookup of a path. */
function lookups({ fs, root }: Target, inode: InodeName, where: string): unknown[] {
  const full = `${root}/${BASE}${where}`;
  return [
    fs.existsSync(full),
    attempt(() => inode(fs.statSync(full).ino), root),
    attempt(() => inode(fs.lstatSync(full).ino), root),
    attempt(() => fs.realpathSync.native(full), root),
    attempt(() => fs.readlinkSync(full), root),
    attempt(() => fs.readdirSync(full).sort(), root),
    attempt(() => fs.accessSync(full, fs.constants.X_OK), root),
  ];
}

test("random paths lead to the kernel's inodes", (t) => {
  const [kernelInode, oursInode] = [namer(targets.kernel), namer(targets.ours)];
  const property = fc.property(path, (where) => {
    const expected = lookups(targets.kernel, kernelInode, where);
    assert.deepEqual(lookups(targets.ours, oursInode, where), expected);
    assert.deepEqual(lookups(targets.ours, oursInode, where), expected, "walked again, with every dentry cached");
  });
  check(t, property, 1500);
});

test("rcu mode and ref mode give the same results", (t) => {
  const { vfs } = targets.ours;
  if (!vfs) return t.skip("there is no walk to force");
  const inode = namer(targets.ours);
  const property = fc.property(path, (where) => {
    const rcu = lookups(targets.ours, inode, where);
    vfs.walkMode({ ref: true });
    try {
      assert.deepEqual(lookups(targets.ours, inode, where), rcu);
    } finally {
      vfs.walkMode({ ref: false });
    }
  });
  check(t, property, 1500);
});

test("relative paths from every directory lead to the kernel's inodes", (t) => {
  const [kernelInode, oursInode] = [namer(targets.kernel), namer(targets.ours)];
  const start = fc.constantFrom("", "d", "d/e", "g/h", "down", "g/absolute");
  const property = fc.property(
    start,
    path.filter((where) => !where.startsWith("/")),
    (from, where) => {
      const relative = (target: Target, inode: InodeName) =>
        target.with({ cwd: `${target.root}/${BASE}${from}` }, (fs) => [
          fs.existsSync(where),
          attempt(() => inode(fs.statSync(where).ino), target.root),
          attempt(() => fs.realpathSync.native(where), target.root),
        ]);
      assert.deepEqual(relative(targets.ours, oursInode), relative(targets.kernel, kernelInode));
    },
  );
  check(t, property, 400);
});
