// What does a file cost in memory? The chunks that the arena has taken before and after making many files, less the
// bytes of their names and contents; beside it what memfs's heap grows by, which every thread would pay again.

import { availableMemory } from "./lib/machine.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { openRival } from "./lib/rivals.js";
import { directoryCount, FILES_PER_DIRECTORY, makeFiles, sideOf } from "./lib/tree.js";

/** Bytes a file may take besides its name and contents. */
const TARGET = 256;

/** Unit of the counter chunksUsed, which holds everything: objects, names, contents, the hash table as far as it has grown. */
const CHUNK = 65536;

/** What memfs wants at most while it builds, a file. */
const MEMFS_BYTES_A_FILE = 4500;

/** The file sets: `name` bytes a name, or the tree of the lookup bench with its directories. */
function sets(quick) {
  const large = quick ? 200000 : 1000000;
  return [
    { what: "tree of the lookup bench", count: 100000, tree: true },
    { what: "tree of the lookup bench", count: large, tree: true },
    { what: "names of 16 bytes, empty", count: 100000, name: 16, content: 0 },
    { what: "names of 16 bytes, empty", count: large, name: 16, content: 0 },
    { what: "names of 48 bytes, empty", count: 100000, name: 48, content: 0 },
    { what: "names of 200 bytes, empty", count: 100000, name: 200, content: 0 },
    { what: "names of 16 bytes, 100 bytes in each", count: 100000, name: 16, content: 100 },
    { what: "names of 16 bytes, 1,000 bytes in each", count: 100000, name: 16, content: 1000 },
    { what: "names of 16 bytes, 10,000 bytes in each", count: 20000, name: 16, content: 10000 },
  ];
}

/** Files in each directory of the sets with names of one length. */
const NAMED_PER_DIRECTORY = 1000;

/** Makes `count` files in directories of 1,000; answers the bytes of all names. */
function makeNamed(fs, { count, name, content }) {
  const body = content > 0 ? Buffer.alloc(content, 0x61) : undefined;
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const directory = `/directory-${Math.floor(i / NAMED_PER_DIRECTORY)}`;
    if (i % NAMED_PER_DIRECTORY === 0) {
      fs.mkdirSync(directory);
      bytes += directory.length - 1;
    }
    const file = `${directory}/${String(i).padStart(name, "n")}`;
    if (body) fs.writeFileSync(file, body);
    else fs.closeSync(fs.openSync(file, "w"));
    bytes += name;
  }
  return bytes;
}

/** Bytes of all names of the lookup bench's tree, directories included. */
function treeNameBytes(count) {
  const side = sideOf(count);
  let bytes = "workspaceprojectpackages".length;
  for (let i = 0; i < count; i++) {
    const file = i % FILES_PER_DIRECTORY;
    const lib = Math.floor(i / FILES_PER_DIRECTORY);
    bytes += `file-${file}.js`.length;
    if (file > 0) continue;
    bytes += `dep-${lib % side}lib`.length;
    if (lib % side === 0) bytes += `package-${lib / side}node_modules`.length;
  }
  return bytes;
}

/** What is in use now, for sure: after two collections for a heap, by the counter for an arena. */
function inUse({ vfs }) {
  if (vfs) return vfs.counters().chunksUsed * CHUNK;
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The child's part, in a process of its own for each set. */
export async function measure(_state, { kind, set }) {
  const size = set.count * (1024 + (set.content ?? 0) * 2 + (set.name ?? 0) * 2);
  const rival = await openRival(kind, { maxBytes: Math.min(2 ** 31, Math.max(2 ** 27, size)) });
  // The first file brings what is there once: compiled code, tables, the first slab of each kind.
  rival.fs.closeSync(rival.fs.openSync("/first", "w"));
  rival.fs.unlinkSync("/first");
  const before = inUse(rival);
  let names;
  if (set.tree) {
    makeFiles(rival.fs, 0, set.count, "/", sideOf(set.count));
    names = treeNameBytes(set.count);
  } else {
    names = makeNamed(rival.fs, set);
  }
  const after = inUse(rival);
  return { bytes: after - before, names };
}

async function inChild(kind, set) {
  const heap = Math.max(1024, Math.ceil((set.count * (MEMFS_BYTES_A_FILE + (set.content ?? 0))) / 2 ** 20) + 512);
  const remote = new Remote(import.meta.url, { nodeOptions: ["--expose-gc", `--max-old-space-size=${heap}`] });
  try {
    return await remote.call("measure", { kind, set });
  } finally {
    remote.stop();
  }
}

async function run(options) {
  const result = new Result("memory", "What does a file cost in memory, besides its name and contents?");
  const perFile = (answer, set) => (answer.bytes - answer.names - set.count * (set.content ?? 0)) / set.count;
  for (const set of sets(options.quick)) {
    const what = `${set.what}, ${set.count.toLocaleString("en-US")} files`;
    options.log(what);
    let ours;
    if (!options.skip.includes("threadfs")) {
      const answer = await inChild("threadfs", set);
      ours = perFile(answer, set);
      result.measure(what, "threadfs", "B/file", [ours]);
      // A directory is an entry like a file: in a tree that has many of them the bytes belong to both.
      const entries = set.count + (set.tree ? directoryCount(set.count) : Math.ceil(set.count / NAMED_PER_DIRECTORY));
      const each = (ours * set.count) / entries;
      result.figure(what, "once for all threads", "B/entry", each, { target: TARGET, atMost: true });
    }
    const wanted = set.count * (MEMFS_BYTES_A_FILE + (set.content ?? 0));
    if (options.skip.includes("memfs")) continue;
    if (wanted > availableMemory() * 0.5) {
      result.note(`${what}: memfs was left out, it wants ${(wanted / 2 ** 30).toFixed(1)} GiB`);
      continue;
    }
    const theirs = perFile(await inChild("memfs", set), set);
    result.measure(what, "memfs", "B/file", [theirs]);
    if (ours !== undefined) result.figure(what, "memfs / threadfs", "x", theirs / ours);
  }
  const trees = sets(options.quick).filter((set) => set.tree);
  for (const { count } of trees) {
    result.note(
      `the tree of ${count.toLocaleString("en-US")} files has ${directoryCount(count).toLocaleString("en-US")}
 directories; what they take is counted to the files`.replace("\n", ""),
    );
  }
  return result;
}

export default { name: "memory", run };
