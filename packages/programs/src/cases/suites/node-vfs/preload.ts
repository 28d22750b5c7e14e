/**
 * Loaded before one of Node's own tests of node:vfs: what would be a `MemoryProvider` there is a tree, or rather a directory of one for each object. At its end the process
 * writes into {@link COUNT_FILE} how many there were.
 */
import { writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";
import { type Context, createVfs } from "threadfs";
import { ThreadProvider } from "threadfs/node-vfs";
import { COUNT_FILE } from "./count.js";

type Provider = object;
interface NodeVfs {
  VirtualFileSystem: new (...args: unknown[]) => object;
  MemoryProvider: new () => Provider;
  create: (...args: unknown[]) => object;
}

const vfs = process.getBuiltinModule("node:vfs" as "node:fs") as unknown as NodeVfs;
const tree = await createVfs({ maxBytes: 1 << 28 });
let made = 0;

function emptyContext(): Context {
  const root = `/${made++}`;
  tree.fs.mkdirSync(root);
  return tree.context({ root, resolve: "in-root" });
}

class MemoryProvider extends ThreadProvider {
  constructor() {
    super(emptyContext());
  }
}

/** node:vfs takes whatever can open a file for a provider. */
const isProvider = (value: unknown): boolean =>
  typeof (value as { openSync?: unknown } | null | undefined)?.openSync === "function";

const VirtualFileSystem = new Proxy(vfs.VirtualFileSystem, {
  construct: (target, [first, ...others], newTarget) =>
    Reflect.construct(
      target,
      // Options may come without a provider.
      isProvider(first) ? [first, ...others] : [new MemoryProvider(), first ?? others[0]].filter((arg) => arg != null),
      newTarget,
    ),
});
Object.assign(vfs, {
  MemoryProvider,
  VirtualFileSystem,
  create: (...args: unknown[]) => new VirtualFileSystem(...args),
});
syncBuiltinESMExports();

const file = process.env[COUNT_FILE];
if (file !== undefined && isMainThread) process.on("exit", () => writeFileSync(file, String(made)));
