/** Attaches to a tree, opens an unlinked file, and ends in the way that its parent asks for. */
import { parentPort, threadId, Worker, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

/** How a worker ends; "every slot": takes all slots that are free, and spins; "child": makes a worker of its own, which spins, and waits to be terminated. */
export type Ending =
  | "return"
  | "exit"
  | "throw"
  | "spin"
  | "every slot"
  | "child"
  | "out of memory"
  | "exit in a hook"
  | "exit in the clock";

export interface EndingWorkerData {
  readonly handle: VfsHandle;
  readonly ending: Ending;
  /** 1 as soon as the worker, or the one that it makes, has attached. */
  readonly attached: Int32Array;
}

const { handle, ending, attached } = workerData as EndingWorkerData;
let exitNow = false;
/** The clock of the tree; it is read while a call holds locks. */
const now = () => (exitNow ? process.exit(5) : Date.now());
const vfs = await attachVfs(handle, { closeOnExit: true, now });
const path = `/open-${threadId}`;
vfs.fs.openSync(path, "w+");
vfs.fs.writeFileSync(path, "x".repeat(100_000));
vfs.fs.unlinkSync(path);

function spin(): never {
  for (let n = 0; ; n++) vfs.fs.existsSync(`/${n % 10}`);
}

async function takeEverySlot(): Promise<void> {
  try {
    for (;;) await attachVfs(handle, { share: false });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EUSERS") throw error;
  }
}

if (ending === "child") {
  const child = new Worker(new URL(import.meta.url), { workerData: { handle, ending: "spin", attached } });
  child.on("message", (message) => parentPort?.postMessage(message));
} else {
  if (ending === "every slot") await takeEverySlot();
  Atomics.store(attached, 0, 1);
  parentPort?.postMessage("attached");
  if (ending === "exit") process.exit(3);
  if (ending === "throw") throw new Error("the worker's own error");
  if (ending === "spin" || ending === "every slot") setTimeout(spin, 1);
  if (ending === "exit in the clock") {
    exitNow = true;
    vfs.fs.mkdirSync(`/d${threadId}`);
  }
  if (ending === "exit in a hook") {
    vfs.registerDriver({ name: "end", root: () => ({ ino: 1, mode: 0o40755 }), lookup: () => process.exit(4) });
    vfs.fs.mkdirSync(`/m${threadId}`);
    vfs.mount(null, `/m${threadId}`, "end");
    vfs.fs.existsSync(`/m${threadId}/x`);
  }
  if (ending === "out of memory") {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
  }
}
