/** Directories: listing them, making paths, removing and copying trees. */
import assert from "node:assert/strict";
import type { CopySyncOptions, Dirent } from "node:fs";
import { describe, test } from "node:test";
import { type FsCalls, unchecked } from "../../support/fs-calls.js";
import { calledBack, settled } from "./arguments/called-back.js";
import { suite } from "./both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.mkdirSync(`${dir}/tree/a/b`, { recursive: true });
  fs.mkdirSync(`${dir}/tree/empty`);
  fs.writeFileSync(`${dir}/tree/file`, "file", { mode: 0o640 });
  fs.writeFileSync(`${dir}/tree/a/ä`, "umlaut");
  fs.writeFileSync(`${dir}/tree/a/b/deep`, "deep");
  fs.symlinkSync("../file", `${dir}/tree/a/link`);
  fs.symlinkSync("a", `${dir}/tree/to-a`);
  fs.symlinkSync("nowhere", `${dir}/tree/dangling`);
});
const { same, sameEach, asUser } = tree;

/** Everything below a directory with type, mode, contents and bodies of links. */
function listing(fs: FsCalls, top: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const walk = (dir: string, prefix: string): void => {
    for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
      const path = `${dir}/${entry.name}`;
      const { mode } = fs.lstatSync(path);
      const name = prefix + entry.name;
      if (entry.isDirectory()) {
        found[name] = mode;
        walk(path, `${name}/`);
      } else {
        found[name] = entry.isSymbolicLink()
          ? fs.readlinkSync(path).replace(top, "TOP")
          : [mode, fs.readFileSync(path, "utf8")];
      }
    }
  };
  walk(top, "");
  return found;
}

function dirents(entries: readonly Dirent<string | Buffer>[], dir: string): unknown[][] {
  return entries.map((entry) => {
    const kinds = [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink(), entry.isFIFO(), entry.isSocket()];
    const devices = [entry.isBlockDevice(), entry.isCharacterDevice()];
    return [String(entry.name), Buffer.isBuffer(entry.name), entry.parentPath.replace(dir, ""), ...kinds, ...devices];
  });
}

describe("readdir", () => {
  same("names", (fs, dir) => fs.readdirSync(`${dir}/tree`));
  same("names of an empty directory", (fs, dir) => fs.readdirSync(`${dir}/tree/empty`));
  for (const encoding of ["utf8", "buffer", "latin1", "hex"]) {
    same(`names as ${encoding}`, (fs, dir) => unchecked(fs).readdirSync(`${dir}/tree/a`, encoding));
    same(`names as { encoding: ${encoding} }`, (fs, dir) => unchecked(fs).readdirSync(`${dir}/tree/a`, { encoding }));
  }
  same("types", (fs, dir) => dirents(fs.readdirSync(`${dir}/tree`, { withFileTypes: true }), dir));
  same("types with Buffers", (fs, dir) =>
    dirents(fs.readdirSync(`${dir}/tree`, { withFileTypes: true, encoding: "buffer" }), dir),
  );
  same("lists the whole tree", (fs, dir) => fs.readdirSync(`${dir}/tree`, { recursive: true }).sort());
  same("lists the whole tree with types", (fs, dir) =>
    dirents(fs.readdirSync(`${dir}/tree`, { recursive: true, withFileTypes: true }), dir).sort(),
  );
  same("lists through a link", (fs, dir) => fs.readdirSync(`${dir}/tree/to-a/`));
  same("lists more names than one system call transfers", (fs, dir) => {
    fs.mkdirSync(`${dir}/many`);
    const names = Array.from({ length: 2000 }, (_, i) => `${"n".repeat(60)}${i}`);
    for (const name of names) fs.writeFileSync(`${dir}/many/${name}`, "");
    const read = fs.readdirSync(`${dir}/many`);
    return [read.length, new Set(read).size, read[0], read[1999]];
  });
});

describe("opendir", () => {
  same("reads all entries, then null", (fs, dir) => {
    const handle = fs.opendirSync(`${dir}/tree`);
    const names: string[] = [];
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) names.push(entry.name);
    const end = [handle.readSync(), handle.path.replace(dir, "")];
    handle.closeSync();
    return [names.sort(), end];
  });
  same("refuses a closed directory", (fs, dir) => {
    const handle = fs.opendirSync(`${dir}/tree`);
    handle.closeSync();
    handle.readSync();
  });
  for (const bufferSize of [1, 2, 3, 32])
    same(`recursive, by ${bufferSize} entries at a time, gives them in Node's order`, (fs, dir) => {
      const names = ["a", "b", "c"];
      for (const a of names)
        for (const b of names) for (const c of names) fs.mkdirSync(`${dir}/o/${a}/${b}/${c}`, { recursive: true });
      // A file system has an order of its own in each directory: a path is told by the places of its names.
      const places = new Map<string, number[]>();
      const note = (path: string, above: number[]) => {
        const entries = fs.opendirSync(path);
        for (let n = 0, entry = entries.readSync(); entry !== null; entry = entries.readSync(), n++) {
          places.set(`${path}/${entry.name}`, [...above, n]);
          note(`${path}/${entry.name}`, [...above, n]);
        }
        entries.closeSync();
      };
      note(`${dir}/o`, []);
      const all = fs.opendirSync(`${dir}/o`, { recursive: true, bufferSize });
      const seen: unknown[] = [];
      for (let entry = all.readSync(); entry !== null; entry = all.readSync())
        seen.push(places.get(`${entry.parentPath}/${entry.name}`)?.join("."));
      all.closeSync();
      return seen;
    });
  same("refuses a bufferSize of 0", (fs, dir) => fs.opendirSync(dir, { bufferSize: 0 }));
  same("iterates to the last entry and closes the directory", async (fs, dir) => {
    const handle = fs.opendirSync(`${dir}/tree/a`, { recursive: true });
    const names: string[] = [];
    for await (const entry of handle) names.push(`${entry.parentPath}/${entry.name}`);
    return { names: names.sort(), closed: await handle.read().catch((error: unknown) => error) };
  });
  same("reads and closes by promise and by callback", async (fs, dir) => {
    const handle = fs.opendirSync(`${dir}/tree/a/b`);
    const first = (await handle.read())?.name;
    const second = await new Promise((done) => handle.read((_, entry) => done(entry)));
    return [first, second, await handle.close()];
  });
  same("rejects when it is closed", async (fs, dir) => {
    const handle = fs.opendirSync(`${dir}/tree/a`);
    await handle.close();
    await handle.read();
  });
});

describe("mkdir", () => {
  same("recursive returns the first directory made", (fs, dir) =>
    ["x/y/z", "x/y/z", "x/w", "x//v///u/", "tree/a/b/c"].map((path) =>
      fs.mkdirSync(`${dir}/${path}`, { recursive: true })?.replace(dir, ""),
    ),
  );
  same("recursive follows links and dots", (fs, dir) => {
    fs.mkdirSync(`${dir}/tree/to-a/./n/o`, { recursive: true });
    return listing(fs, `${dir}/tree`);
  });
  same("modes", (fs, dir) => {
    fs.mkdirSync(`${dir}/m`, 0o700);
    fs.mkdirSync(`${dir}/o`, "711");
    fs.mkdirSync(`${dir}/p/q`, { recursive: true, mode: 0o750 });
    return ["m", "o", "p", "p/q"].map((name) => fs.statSync(`${dir}/${name}`).mode);
  });
  same("returns undefined", (fs, dir) => fs.mkdirSync(`${dir}/n`));
  same("accepts a slash at the end", (fs, dir) => {
    fs.mkdirSync(`${dir}/n/`);
    return fs.readdirSync(dir);
  });
});

type Later = (...given: readonly unknown[]) => unknown;

/** Paths that lead nowhere, through files, through links in circles, to what the user may not change. */
const UNMADE = [
  ...["fixed/a", "fixed/a/b", "fixed/a/b/c", "unsearched/a", "unsearched/a/b/c", "file", "file/a", "file/a/b"],
  ...["dead", "dead/a", "dead/a/b", "loop", "loop/a", "loop/a/b", "q/../../missing/.", "q/../file/x", "a/b/../c/"],
  ...[`a/${"x".repeat(256)}`, `a/${"x".repeat(256)}/b`, `a/b/${"x".repeat(256)}/c/d`, "./a/./b//c///d", "a/..", "a/."],
];

describe("mkdir -p with a callback and with a promise: errors name the directory that could not be made", () => {
  sameEach("as a user", (fs, dir) =>
    asUser(fs, dir, async (own) => {
      const { mkdir, promises } = own as unknown as { mkdir: Later; promises: { mkdir: Later } };
      const home = `${dir}/home`;
      const outcomes: Record<string, unknown> = {};
      for (const path of UNMADE) {
        for (const form of ["callback", "promise"]) {
          own.mkdirSync(home);
          own.mkdirSync(`${home}/fixed`, 0o555);
          own.mkdirSync(`${home}/unsearched`, 0o600);
          own.writeFileSync(`${home}/file`, "");
          own.symlinkSync("gone", `${home}/dead`);
          own.symlinkSync("loop", `${home}/loop`);
          const given = [`${home}/${path}`, { recursive: true }];
          outcomes[`${path} by a ${form}`] = [
            form === "callback"
              ? await calledBack(mkdir, [...given, () => {}], (value) => value)
              : await settled(promises.mkdir, given, (value) => value),
            own.readdirSync(home, { recursive: true }).sort(),
          ];
          own.chmodSync(`${home}/unsearched`, 0o700);
          own.rmSync(home, { recursive: true });
        }
      }
      return outcomes;
    }),
  );
});

describe("mkdtemp", () => {
  test("makes a directory of its own for each call", () => {
    const { fs } = tree.vfs;
    const made = new Set<string>();
    for (let i = 0; i < 20; i++) made.add(fs.mkdtempSync("/temp-"));
    assert.equal(made.size, 20);
    for (const path of made) {
      assert.match(path, /^\/temp-[a-zA-Z0-9]{6}$/);
      assert.equal(fs.statSync(path).mode & 0o7777, 0o700);
    }
    assert.ok(Buffer.isBuffer(fs.mkdtempSync("/temp-", "buffer")));
  });
});

describe("rm", () => {
  same("a file", (fs, dir) => {
    fs.rmSync(`${dir}/tree/file`);
    return listing(fs, `${dir}/tree`);
  });
  same("removes a link, not its target", (fs, dir) => {
    fs.rmSync(`${dir}/tree/to-a`, { recursive: true });
    fs.rmSync(`${dir}/tree/dangling`);
    return listing(fs, `${dir}/tree`);
  });
  same("a tree", (fs, dir) => {
    fs.rmSync(`${dir}/tree`, { recursive: true });
    return fs.readdirSync(dir);
  });
  same("a tree with force and retries", (fs, dir) => {
    fs.rmSync(`${dir}/tree`, { recursive: true, force: true, maxRetries: 2, retryDelay: 1 });
    fs.rmSync(`${dir}/tree`, { recursive: true, force: true });
    return fs.readdirSync(dir);
  });
  test("removes a tree deeper than it keeps descriptors open, and leaves none open", () => {
    const { fs } = tree.vfs;
    const { openFiles } = tree.vfs.counters();
    const deep = `/deep${"/d".repeat(300)}`;
    fs.mkdirSync(deep, { recursive: true });
    for (const depth of [0, 100, 299]) fs.writeFileSync(`/deep${"/d".repeat(depth)}/zz-file`, "");
    fs.rmSync("/deep", { recursive: true });
    assert.equal(fs.existsSync("/deep"), false);
    assert.equal(tree.vfs.counters().openFiles, openFiles);
  });
});

describe("cp", () => {
  const forms: Readonly<Record<string, CopySyncOptions>> = {
    "a tree": { recursive: true },
    "a tree, links as they are": { recursive: true, verbatimSymlinks: true },
    "a tree with times": { recursive: true, preserveTimestamps: true },
    "what a filter lets through": { recursive: true, filter: (src) => !src.endsWith("/b") },
  };
  for (const [name, options] of Object.entries(forms)) {
    same(name, (fs, dir) => {
      fs.utimesSync(`${dir}/tree/file`, 1000, 2000);
      fs.cpSync(`${dir}/tree`, `${dir}/copy/below`, options);
      const times = options.preserveTimestamps ? fs.statSync(`${dir}/copy/below/file`).mtimeMs : 0;
      return [JSON.stringify(listing(fs, `${dir}/copy`)).replaceAll(dir, "DIR"), times];
    });
  }
  same("overwrites existing files", (fs, dir) => {
    fs.mkdirSync(`${dir}/copy/a`, { recursive: true });
    fs.writeFileSync(`${dir}/copy/file`, "old and longer");
    fs.writeFileSync(`${dir}/copy/a/other`, "stays");
    fs.rmSync(`${dir}/tree/dangling`);
    fs.cpSync(`${dir}/tree`, `${dir}/copy`, { recursive: true });
    return JSON.stringify(listing(fs, `${dir}/copy`)).replaceAll(dir, "DIR");
  });
  same("with force: false leaves existing files", (fs, dir) => {
    fs.writeFileSync(`${dir}/there`, "stays");
    fs.cpSync(`${dir}/tree/file`, `${dir}/there`, { force: false });
    return fs.readFileSync(`${dir}/there`, "utf8");
  });
  same("with dereference copies the targets of links", (fs, dir) => {
    fs.rmSync(`${dir}/tree/dangling`);
    fs.cpSync(`${dir}/tree`, `${dir}/copy`, { recursive: true, dereference: true });
    return listing(fs, `${dir}/copy`);
  });
  same("of one file", (fs, dir) => {
    fs.cpSync(`${dir}/tree/file`, `${dir}/new/place`);
    return listing(fs, `${dir}/new`);
  });
});

describe("links and paths", () => {
  same("readlink", (fs, dir) => [fs.readlinkSync(`${dir}/tree/to-a`), fs.readlinkSync(`${dir}/tree/to-a`, "buffer")]);
  same("realpath", (fs, dir) =>
    [`${dir}/tree/to-a/link`, `${dir}//tree/./a/`, `${dir}/tree/a/..`, "/"].map((path) => fs.realpathSync(path)),
  );
  same("realpath.native", (fs, dir) =>
    [`${dir}/tree/to-a/link`, `${dir}/tree/to-a/..`].map((path) => fs.realpathSync.native(path)),
  );
  same("realpath as a Buffer", (fs, dir) => fs.realpathSync(`${dir}/tree`, "buffer"));
  same("the .. of a path through a link is the parent of the link's target", (fs, dir) =>
    fs.readFileSync(`${dir}/tree/to-a/../file`, "utf8"),
  );
  same("rename", (fs, dir) => {
    fs.renameSync(`${dir}/tree/a`, `${dir}/moved`);
    fs.renameSync(`${dir}/tree/file`, `${dir}/moved/ä`);
    return [listing(fs, `${dir}/moved`), fs.existsSync(`${dir}/tree/to-a`)];
  });
});

describe("where Node gives up", () => {
  test("opendir recursive reads a tree in every encoding, and of every form of path", () => {
    const { fs } = tree.vfs;
    const below = Buffer.from("/any/n\xff", "latin1");
    fs.mkdirSync(below, { recursive: true });
    fs.writeFileSync(Buffer.concat([below, Buffer.from("/f")]), "");
    for (const path of ["/any", Buffer.from("/any")]) {
      for (const [encoding, name] of [
        ["utf8", "n\ufffd"],
        ["hex", "6eff"],
        ["latin1", "n\xff"],
        ["buffer", "n\ufffd"],
      ]) {
        const dir = fs.opendirSync(path, { encoding: encoding as BufferEncoding, recursive: true });
        const read = [dir.readSync(), dir.readSync(), dir.readSync()];
        assert.equal(String(read[0]?.name), name);
        assert.equal(read[2], null);
        assert.equal(String(read[1]?.parentPath), `/any/${name}`);
        assert.equal(Buffer.isBuffer(read[0]?.parentPath), path instanceof Uint8Array);
        dir.closeSync();
      }
    }
  });
  test("opendir reads as many entries as bufferSize says", () => {
    const { fs } = tree.vfs;
    fs.mkdirSync("/wide");
    for (let i = 0; i < 100; i++) fs.writeFileSync(`/wide/${i}`, "");
    const dir = fs.opendirSync("/wide", { bufferSize: 2 });
    dir.readSync();
    for (const name of fs.readdirSync("/wide")) fs.unlinkSync(`/wide/${name}`);
    // The second entry was read with the first; no other was.
    assert.notEqual(dir.readSync(), null);
    assert.equal(dir.readSync(), null);
    dir.closeSync();
  });
  test("realpath of links that lead in a circle by their text ends with ELOOP", () => {
    const { fs } = tree.vfs;
    fs.mkdirSync("/round/a/b", { recursive: true });
    fs.symlinkSync("/round/a/b", "/round/lb");
    fs.symlinkSync("lb/../circle", "/round/circle");
    fs.writeFileSync("/round/a/circle", "");
    assert.throws(() => fs.realpathSync("/round/circle"), { code: "ELOOP", syscall: "stat" });
    assert.equal(fs.realpathSync.native("/round/circle"), "/round/a/circle");
  });
  // Node removes the path without dots, which leads elsewhere.
  test("mkdtempDisposable removes its directory also where its prefix leads through a link and ..", async () => {
    const { fs } = tree.vfs;
    fs.mkdirSync("/temporary/a/b", { recursive: true });
    fs.symlinkSync("a/b", "/temporary/l");
    const made = fs.mkdtempDisposableSync("/temporary/l/../t");
    assert.equal(fs.readdirSync("/temporary/a").length, 2);
    made.remove();
    assert.deepEqual(fs.readdirSync("/temporary/a"), ["b"]);
    await (await fs.promises.mkdtempDisposable("/temporary/l/../t")).remove();
    assert.deepEqual(fs.readdirSync("/temporary/a"), ["b"]);
  });
  // Node never returns.
  test("mkdir with recursive, from a working directory that has been removed, is ENOENT", async () => {
    tree.vfs.fs.mkdirSync("/leaving");
    const context = tree.vfs.context({ cwd: "/leaving" });
    context.fs.rmdirSync("/leaving");
    for (const path of ["a/b", "./a", "x/../b"]) {
      assert.throws(() => context.fs.mkdirSync(path, { recursive: true }), { code: "ENOENT" });
      await assert.rejects(context.fs.promises.mkdir(path, { recursive: true }), { code: "ENOENT" });
    }
    context.close();
  });
});
