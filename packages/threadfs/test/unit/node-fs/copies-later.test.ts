/**
 * `cp` with a callback and with a promise, which in Node is another walk than cpSync, with errors of its own: every type over every
 * type, single files and trees, with every option, once and again; the paths that lead into themselves; what a filter is asked.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { OPTIONS, PAIRS } from "../../conformance/cases/copy-trees.js";
import { listing } from "../../conformance/support/outcome.js";
import { makeTree } from "../../conformance/support/run-case.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { calledBack, settled } from "./arguments/called-back.js";
import { suite, type Work } from "./both.js";

const { same, sameEach, asUser } = suite(import.meta.url, () => {});

type Call = (...given: readonly unknown[]) => unknown;
interface Later {
  readonly cp: Call;
  readonly promises: { readonly cp: Call };
}

const later = (fs: FsCalls) => fs as unknown as Later;

/** What is copied to what, in a directory of its own, with one option. */
type Spec = Parameters<typeof makeTree>[2];
type Copies = readonly (readonly [from: string, to: string])[];

/** The same copies one after the other: what each ended with, what the filter was asked, and the tree at the end. */
async function copyAll(fs: FsCalls, dir: string, spec: Spec, copies: Copies, options: object): Promise<unknown> {
  fs.mkdirSync(dir);
  makeTree(fs, dir, spec);
  const ends: unknown[] = [];
  for (const [from, to] of copies) {
    const asked: unknown[] = [];
    const filter = (...paths: readonly unknown[]) => asked.push(paths) > 0;
    const given = "filter" in options ? { ...options, filter } : options;
    ends.push(
      await settled(later(fs).promises.cp, [`${dir}/${from}`, `${dir}/${to}`, given], (value) => value),
      asked.sort(),
    );
  }
  return [ends, listing(fs, dir)];
}

const MORE_OPTIONS: Readonly<Record<string, object>> = {
  ...OPTIONS,
  "a filter and errorOnExist": { filter: () => true, force: false, errorOnExist: true },
  "a filter and preserveTimestamps": { filter: () => true, preserveTimestamps: true },
  "dereference and errorOnExist": { dereference: true, force: false, errorOnExist: true },
  preserveTimestamps: { preserveTimestamps: true },
};

function withOptions(spec: Spec, copies: Copies, recursive: boolean): Work {
  return async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [n, [title, options]] of Object.entries(MORE_OPTIONS).entries()) {
      outcomes[title] = await copyAll(fs, `${dir}/${n}`, spec, copies, { recursive, ...options });
    }
    return outcomes;
  };
}

describe("a tree copied by a promise", () => {
  for (const [title, spec] of Object.entries(PAIRS)) {
    // Node's makes strings of names: it fails at names that are no UTF-8.
    if (title.startsWith("a name")) continue;
    const tree: Spec = { "s/": 0o2751, "d/": null, ...spec };
    sameEach(
      `${title}, to a directory that is there`,
      withOptions(
        tree,
        [
          ["s", "d"],
          ["s", "d"],
        ],
        true,
      ),
    );
    sameEach(
      `${title}, to one that is not`,
      withOptions(
        tree,
        [
          ["s", "new"],
          ["s", "new"],
        ],
        true,
      ),
    );
    sameEach(
      `${title}, each by itself`,
      withOptions(
        tree,
        [
          ["s/a", "d/a"],
          ["s/a", "d/a"],
        ],
        true,
      ),
    );
    sameEach(
      `${title}, each by itself, without recursive`,
      withOptions(
        tree,
        [
          ["s/a", "d/a"],
          ["s/a", "new/a"],
        ],
        false,
      ),
    );
  }
});

const PATHS: Spec = {
  f: "F",
  exec: { data: "#!", mode: 0o555 },
  "s/": null,
  "s/sub/": null,
  "s/sub/x": "X",
  "s/l": ["sub"],
  "e/": null,
  ls: ["s"],
  lf: ["f"],
  dang: ["nope"],
  self: ["self"],
};
const FROM = "f exec s s/ s/. ls ls/ lf dang self nope f/ f/x nope/x s/sub/.. ./s".split(" ");
const TO =
  "new e s s/sub s/new s/sub/new f ls ls/new lf dang self new/ new/a/b f/new ls/sub/new s/../new s/l/new . / dang/new self/new".split(
    " ",
  );

describe("paths of a copy by a promise", () => {
  for (const from of FROM) {
    for (const recursive of [true, false]) {
      const title = `from ${from}${recursive ? ", recursive" : ""}`;
      sameEach(title, async (fs, dir) => {
        const outcomes: Record<string, unknown> = {};
        for (const [n, to] of TO.entries()) {
          const path = to === "/" ? `${"../".repeat(20)}` : to;
          if (to === "/") continue;
          outcomes[to] = await copyAll(fs, `${dir}/${n}`, PATHS, [[from, path]], { recursive });
          outcomes[`${to}, dereference`] = await copyAll(fs, `${dir}/d${n}`, PATHS, [[from, path]], {
            recursive,
            dereference: true,
          });
        }
        return outcomes;
      });
    }
  }
});

const BODIES = [
  ...["..", "../", ".", "./", "../..", "q", "q/", "./q", "q/.", "q/..", "../s", "../s/", "../nope/", "a//b", "/abs/"],
  ...["/abs/..", "/abs/.", "/", "/..", "../../..", "nope/..", "nope/.", "nope/", "q//", "q/./../q", "../".repeat(20)],
];

describe("the text of a link in a copied tree", () => {
  for (const options of [{}, { verbatimSymlinks: true }, { filter: () => true }]) {
    sameEach(`with ${Object.keys(options)}`, async (fs, dir) => {
      const outcomes: Record<string, unknown> = {};
      for (const [n, body] of BODIES.entries()) {
        for (const form of ["synchronous", "by a promise", "by a promise, of relative paths"]) {
          const top = `${dir}/${n} ${form.length}`;
          fs.mkdirSync(`${top}/t/s/q`, { recursive: true });
          fs.symlinkSync(body, `${top}/t/s/link`);
          // Both sides work in the directory that has the suites.
          const base = form.endsWith("paths") ? top.split("/").slice(-3).join("/") : top;
          const given = [`${base}/t`, `${base}/o`, { recursive: true, ...options }] as const;
          // The second copy finds the first one's links.
          for (const time of ["once", "again"]) {
            outcomes[`${body} ${form}, ${time}`] = [
              form === "synchronous"
                ? await settled(
                    async () => fs.cpSync(...given),
                    [],
                    (value) => value,
                  )
                : await settled(later(fs).promises.cp, given, (value) => value),
              fs.readlinkSync(`${top}/o/s/link`),
            ];
          }
        }
      }
      return outcomes;
    });
  }
});

type Denied = readonly [mode: number, denied: string, ...paths: string[]];

/** Trees in which the user may not read, list, search or make something: by the mode of one file or directory of each. */
const DENIED: Readonly<Record<string, Denied>> = {
  "a file that may not be read": [0, "f"],
  "a file below that may not be read": [0, "d/f"],
  "a directory that may not be listed": [0, "d/", "d/e/"],
  "a directory with a directory that may not be searched": [0o644, "d/", "d/e/g/"],
  "a directory with a file that may not be searched": [0o644, "d/", "d/f"],
  "a directory with a link that may not be searched": [0o644, "d/", "d/l@"],
  "a directory that may not be searched": [0o644, "", "e/g/"],
  "a file in one that may not be searched": [0o644, "", "f"],
  "a link in one that may not be searched": [0o644, "", "l@"],
};
const WAYS: readonly object[] = [{}, { dereference: true }, { filter: () => true }, { mode: 1 }];

/** Makes files (`f`), links (`l@`) and directories (`d/`), and the directories above. */
function makePaths(fs: FsCalls, top: string, paths: readonly string[]): void {
  for (const path of paths) {
    const whole = `${top}/${path}`;
    fs.mkdirSync(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    if (path.endsWith("@")) fs.symlinkSync("x", whole.slice(0, -1));
    else if (!path.endsWith("/")) fs.writeFileSync(whole, "x");
  }
}

/** The end of one copy in a directory of its own, and what there is then. */
async function copyDenied(fs: FsCalls, top: string, to: string, promised: boolean, options: object, of: Denied) {
  const [mode, denied, ...paths] = of;
  makePaths(fs, top, ["there/", "fixed/", ...[denied, ...paths].map((path) => `s/${path}`)]);
  const modes = { [`${top}/s/${denied}`]: mode, [`${top}/fixed`]: 0o555 };
  for (const [path, closed] of Object.entries(modes)) fs.chmodSync(path, closed);
  const given = [`${top}/s`, `${top}/${to}`, { recursive: true, ...options }] as const;
  const cp = promised ? later(fs).promises.cp : async () => fs.cpSync(...given);
  const end = await settled(cp, given, (value) => value);
  for (const path of Object.keys(modes)) fs.chmodSync(path, 0o755);
  return [end, fs.readdirSync(top, { recursive: true }).sort()];
}

describe("a tree that the user may not copy as a whole", () => {
  for (const [title, of] of Object.entries(DENIED)) {
    sameEach(title, (fs, dir) =>
      asUser(fs, dir, async (own) => {
        const outcomes: Record<string, unknown> = {};
        for (const [n, options] of WAYS.entries()) {
          for (const to of ["new", "fixed/new", "above/new", "there", "made/."]) {
            for (const promised of [false, true]) {
              const name = `${n} to ${to.replace("/", " ")}${promised ? " by a promise" : ""}`;
              outcomes[name] = await copyDenied(own, `${dir}/${name}`, to, promised, options, of);
            }
          }
        }
        return outcomes;
      }),
    );
  }
});

// Only a driver has such files.
test("what cannot be copied is an error of a copy by a promise, by itself and in a tree", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const types: Readonly<Record<string, number>> = { fifo: 0o010644, socket: 0o140644 };
  vfs.registerDriver({
    name: "special",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup: (_dir, name) => (name in types ? { ino: 2 + name.length, mode: types[name] ?? 0 } : null),
    readdir: () => [{ name: "fifo", ino: 6, mode: 0o010644 }],
  });
  vfs.fs.mkdirSync("/s");
  vfs.mount(null, "/s", "special");
  const { cp } = vfs.fs.promises;
  for (const [from, code] of [
    ["fifo", "ERR_FS_CP_FIFO_PIPE"],
    ["socket", "ERR_FS_CP_SOCKET"],
  ]) {
    await assert.rejects(cp(`/s/${from}`, "/new"), { code, errno: 22, syscall: "cp", path: "/new" });
  }
  await assert.rejects(cp("/s", "/tree", { recursive: true }), { code: "ERR_FS_CP_FIFO_PIPE", path: "/tree/fifo" });
  const filter = () => true;
  await assert.rejects(cp("/s", "/other", { recursive: true, filter }), {
    code: "ERR_FS_CP_FIFO_PIPE",
    path: "/other/fifo",
  });
  vfs.close();
});

describe("the attributes of what is copied", () => {
  // Without a filter Node's asynchronous forms copy the files of a tree by libuv, and cpSync by the C++ library.
  for (const [title, options] of Object.entries({ ...OPTIONS, preserveTimestamps: { preserveTimestamps: true } })) {
    same(`owner, mode and times of files in a tree: ${title}`, async (fs, dir) => {
      makeTree(fs, dir, { "s/": 0o750, "s/t/": 0o711, "s/f": "text", "s/t/empty": "" });
      const superuser = process.getuid?.() === 0;
      for (const name of ["s/f", "s/t/empty"]) {
        if (superuser) fs.chownSync(`${dir}/${name}`, 1000, 1001);
        fs.chmodSync(`${dir}/${name}`, 0o4640);
      }
      const copied: unknown[] = [];
      for (const to of ["sync", "promise"]) {
        for (const name of ["s/f", "s/t/empty"]) fs.utimesSync(`${dir}/${name}`, 10, 20);
        const given = { recursive: true, ...options };
        if (to === "sync") fs.cpSync(`${dir}/s`, `${dir}/${to}`, given);
        else await later(fs).promises.cp(`${dir}/s`, `${dir}/${to}`, given);
        for (const name of ["", "/f", "/t", "/t/empty"]) {
          const { uid, gid, mode, mtimeMs } = fs.statSync(`${dir}/${to}${name}`);
          copied.push([to + name, uid, gid, mode, mtimeMs === 20_000]);
        }
      }
      return copied;
    });
  }
});

test("a copy asks for the working directory only if a path is relative", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const context = vfs.context({ cwd: "/" });
  context.fs.mkdirSync("/gone");
  context.fs.mkdirSync("/s");
  context.fs.symlinkSync("f", "/s/l");
  context.chdir("/gone");
  context.fs.rmdirSync("/gone");
  await context.fs.promises.cp("/s", "/t", { recursive: true, filter: () => true });
  assert.equal(context.fs.readlinkSync("/t/l"), "/s/f");
  await assert.rejects(context.fs.promises.cp("s", "/u", { recursive: true }), { code: "ENOENT" });
  vfs.close();
});

describe("a copy with a callback", () => {
  sameEach("ends as one by a promise", async (fs, dir) => {
    const outcomes: Record<string, unknown> = {};
    for (const [n, from] of FROM.entries()) {
      const place = `${dir}/${n}`;
      fs.mkdirSync(place);
      makeTree(fs, place, PATHS);
      const given = [`${place}/${from}`, `${place}/e`, { recursive: true }, () => {}];
      outcomes[from] = [await calledBack(later(fs).cp, given, (value) => value), listing(fs, place)];
    }
    return outcomes;
  });
});
