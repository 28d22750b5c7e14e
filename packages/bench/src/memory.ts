// What does a file cost in memory? The chunks that the arena has taken before and after many files were made, less the
// bytes of their names and contents; beside it the growth of memfs's heap, which every thread would pay again.

import { CHUNK } from "../../threadfs/dist/abi/limits.js";
import { availableMemory } from "./lib/machine.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { Remote } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { type BenchFs, type Kind, openRival, type Rival } from "./lib/rivals.js";
import { directoryCount, FILES_PER_DIRECTORY, makeFiles, sideOf } from "./lib/tree.js";

/** Bytes that a file may take besides its name and contents. */
const TARGET = 256;

/** Bytes that memfs needs at most for a file while it builds. */
const MEMFS_BYTES_A_FILE = 4500;

/** Files in directories of 1,000, with names of `name` bytes and `content` bytes of contents; without these the lookup bench's tree. */
interface FileSet {
  what: string;
  count: number;
  named?: { name: number; content: number };
}

function sets(quick: boolean): FileSet[] {
  const large = quick ? 200000 : 1000000;
  return [
    { what: "tree of the lookup bench", count: 100000 },
    { what: "tree of the lookup bench", count: large },
    { what: "names of 16 bytes, empty", count: 100000, named: { name: 16, content: 0 } },
    { what: "names of 16 bytes, empty", count: large, named: { name: 16, content: 0 } },
    { what: "names of 48 bytes, empty", count: 100000, named: { name: 48, content: 0 } },
    { what: "names of 200 bytes, empty", count: 100000, named: { name: 200, content: 0 } },
    { what: "names of 16 bytes, 100 bytes in each", count: 100000, named: { name: 16, content: 100 } },
    { what: "names of 16 bytes, 1,000 bytes in each", count: 100000, named: { name: 16, content: 1000 } },
    { what: "names of 16 bytes, 10,000 bytes in each", count: 20000, named: { name: 16, content: 10000 } },
  ];
}

const contentOf = (set: FileSet): number => set.named?.content ?? 0;

/** Files in each directory of the sets with names of one length. */
const NAMED_PER_DIRECTORY = 1000;

/** Makes `count` files in directories of 1,000; returns the bytes of all names. */
function makeNamed(fs: BenchFs, count: number, { name, content }: { name: number; content: number }): number {
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
function treeNameBytes(count: number): number {
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

/** Bytes in use: of an arena by its counter of chunks, which have everything in them, of a heap after two collections. */
function inUse({ vfs }: Rival): number {
  if (vfs) return vfs.counters().chunksUsed * CHUNK;
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that the files took, and the bytes of their names. */
interface Taken {
  bytes: number;
  names: number;
}

/** The child's part, in a process of its own for each set. */
async function measure({ kind, set }: { kind: Kind; set: FileSet }): Promise<Taken> {
  const size = set.count * (1024 + contentOf(set) * 2 + (set.named?.name ?? 0) * 2);
  const rival = await openRival(kind, Math.min(2 ** 31, Math.max(2 ** 27, size)));
  // The first file allocates what is there once: compiled code, tables, the first slab of each kind.
  rival.fs.closeSync(rival.fs.openSync("/first", "w"));
  rival.fs.unlinkSync("/first");
  const before = inUse(rival);
  let names: number;
  if (set.named) {
    names = makeNamed(rival.fs, set.count, set.named);
  } else {
    makeFiles(rival.fs, 0, set.count, "/", sideOf(set.count));
    names = treeNameBytes(set.count);
  }
  const after = inUse(rival);
  return { bytes: after - before, names };
}

export const served = { measure };

async function inChild(kind: Kind, set: FileSet): Promise<Taken> {
  const heap = Math.max(1024, Math.ceil((set.count * (MEMFS_BYTES_A_FILE + contentOf(set))) / 2 ** 20) + 512);
  const nodeOptions = ["--expose-gc", `--max-old-space-size=${heap}`];
  const remote = new Remote<typeof served>(import.meta.url, { nodeOptions });
  try {
    return await remote.call("measure", { kind, set });
  } finally {
    remote.stop();
  }
}

/** Bytes a file, without its name and contents. */
const perFile = ({ bytes, names }: Taken, set: FileSet): number =>
  (bytes - names - set.count * contentOf(set)) / set.count;

async function measureThreadfs(set: FileSet, what: string, result: Result): Promise<number> {
  const ours = perFile(await inChild("threadfs", set), set);
  result.measure(what, "threadfs", "B/file", [ours]);
  // A directory is an entry like a file: in a tree that has many of them the bytes belong to both.
  const directories = set.named ? Math.ceil(set.count / NAMED_PER_DIRECTORY) : directoryCount(set.count);
  const each = (ours * set.count) / (set.count + directories);
  result.figure(what, "once for all threads", "B/entry", each, { target: TARGET, atMost: true });
  return ours;
}

async function measureMemfs(set: FileSet, what: string, ours: number | undefined, result: Result): Promise<void> {
  const wanted = set.count * (MEMFS_BYTES_A_FILE + contentOf(set));
  if (wanted > availableMemory() * 0.5) {
    result.note(`${what}: memfs was left out, it wants ${(wanted / 2 ** 30).toFixed(1)} GiB`);
    return;
  }
  const theirs = perFile(await inChild("memfs", set), set);
  result.measure(what, "memfs", "B/file", [theirs]);
  if (ours !== undefined) result.figure(what, "memfs / threadfs", "x", theirs / ours);
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("memory", "What does a file cost in memory, besides its name and contents?");
  for (const set of sets(options.quick)) {
    const what = `${set.what}, ${set.count.toLocaleString("en-US")} files`;
    options.log(what);
    const ours = options.skip.includes("threadfs") ? undefined : await measureThreadfs(set, what, result);
    if (!options.skip.includes("memfs")) await measureMemfs(set, what, ours, result);
  }
  for (const { count } of sets(options.quick).filter((set) => !set.named)) {
    const directories = directoryCount(count).toLocaleString("en-US");
    result.note(
      `the tree of ${count.toLocaleString("en-US")} files has ${directories} directories; what they take is counted to the files`,
    );
  }
  return result;
}

export default { name: "memory", run } satisfies Question;
