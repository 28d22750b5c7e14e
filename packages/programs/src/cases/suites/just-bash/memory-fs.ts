/** What just-bash's own tests get as its `InMemoryFs`: a tree, or rather a directory of one for each object. */
import { dirname } from "node:path/posix";
import { type Context, createVfs } from "threadfs";
import { ThreadFs } from "threadfs/just-bash";

type Contents = string | Uint8Array;
interface Attributes {
  readonly mode?: number;
  readonly mtime?: Date;
}
type Initial = Contents | ({ readonly content: Contents } & Attributes) | (() => Contents);

/** A tree has 1,024 contexts at most, one of them its own: so many trees are enough for the file with the most tests. */
const TREES = 4;
const EACH = 1_000;
const trees = await Promise.all(Array.from({ length: TREES }, () => createVfs({ maxBytes: 1 << 28 })));
let made = 0;

/** A context in an empty directory, which it cannot leave. */
function emptyContext(): Context {
  const tree = trees[Math.floor(made / EACH)];
  if (tree === undefined) throw new Error(`more than ${made} file systems in one file of tests`);
  const root = `/${made++}`;
  tree.fs.mkdirSync(root);
  return tree.context({ root, resolve: "in-root" });
}

export class InMemoryFs extends ThreadFs {
  readonly #context: Context;

  constructor(files: Readonly<Record<string, Initial>> = {}) {
    const context = emptyContext();
    super(context);
    this.#context = context;
    for (const [path, initial] of Object.entries(files)) {
      if (typeof initial === "function") this.writeFileSync(path, initial());
      else if (typeof initial === "string" || initial instanceof Uint8Array) this.writeFileSync(path, initial);
      else this.writeFileSync(path, initial.content, undefined, initial);
    }
  }

  // The shell makes its directories with these two, in file systems that have them.
  mkdirSync(path: string, options?: { recursive?: boolean }): void {
    this.#context.fs.mkdirSync(path, options as { recursive: true });
  }
  writeFileSync(path: string, contents: Contents, _encoding?: unknown, { mode, mtime }: Attributes = {}): void {
    const { fs } = this.#context;
    const absolute = this.resolvePath("/", path);
    fs.mkdirSync(dirname(absolute), { recursive: true });
    fs.writeFileSync(absolute, contents);
    if (mode !== undefined) fs.chmodSync(absolute, mode);
    if (mtime !== undefined) fs.utimesSync(absolute, mtime, mtime);
  }
}
