/**
 * Random path strings over a fixed tree full of links: the kernel says whether they exist, what their real paths are and
 * which inodes they name; rcu mode, ref mode and a second walk agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt } from "../conformance/support/outcome.js";
import type { Target } from "../conformance/support/targets.js";
import { check, useSides } from "./support.js";

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

const namers = new WeakMap<Target, InodeName>();

/** The names of the inodes of a side, whose tree is built by the first call. */
function inodesOf(target: Target): InodeName {
  let inode = namers.get(target);
  if (!inode) {
    build(target);
    inode = namer(target);
    namers.set(target, inode);
  }
  return inode;
}

/** The outcome of every kind of lookup of a path. */
function lookups(target: Target, where: string): unknown[] {
  const { fs, root } = target;
  const inode = inodesOf(target);
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

/** The outcome of lookups of a relative path from a directory. */
function relative(target: Target, from: string, where: string): unknown[] {
  const inode = inodesOf(target);
  return target.with({ cwd: `${target.root}/${BASE}${from}` }, (fs) => [
    fs.existsSync(where),
    attempt(() => inode(fs.statSync(where).ino), target.root),
    attempt(() => fs.realpathSync.native(where), target.root),
  ]);
}

const sides = useSides(import.meta.url, { lookups, relative });

test("random paths lead to the kernel's inodes", async (t) => {
  const property = fc.asyncProperty(path, async (where) => {
    const { kernel, ours } = await sides.both("lookups", where);
    assert.deepEqual(ours, kernel);
    assert.deepEqual(sides.ours("lookups", where), kernel, "walked again, with every dentry cached");
  });
  await check(t, property, 1500);
});

test("rcu mode and ref mode give the same results", async (t) => {
  const { vfs } = sides;
  const property = fc.property(path, (where) => {
    const rcu = sides.ours("lookups", where);
    vfs.walkMode({ ref: true });
    try {
      assert.deepEqual(sides.ours("lookups", where), rcu);
    } finally {
      vfs.walkMode({ ref: false });
    }
  });
  await check(t, property, 1500);
});

test("relative paths from every directory lead to the kernel's inodes", async (t) => {
  const start = fc.constantFrom("", "d", "d/e", "g/h", "down", "g/absolute");
  const property = fc.asyncProperty(
    start,
    path.filter((where) => !where.startsWith("/")),
    async (from, where) => {
      const { kernel, ours } = await sides.both("relative", from, where);
      assert.deepEqual(ours, kernel);
    },
  );
  await check(t, property, 400);
});
