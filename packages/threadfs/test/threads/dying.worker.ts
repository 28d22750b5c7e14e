/** Works on a tree until it is terminated, or until it ends itself in the way that the test names. Its first message says that it has begun. */
import { parentPort, workerData } from "node:worker_threads";
import { defined } from "../../../cli/dist/support/defined.js";
import { POINT } from "../../dist/abi/abi.js";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

export interface DyingWorkerData {
  readonly handle: VfsHandle;
  /**
   * `overflow` makes calls without enough stack and closes the poisoned attachments, `overflow unclosed` does not close
   * them; `stop in a rename` stays inside the call until it is terminated; the others work and then end.
   */
  readonly how: "terminate" | "throw" | "exit" | "end" | "overflow" | "overflow unclosed" | "stop in a rename";
}

/** What calls without enough stack came to. */
export interface Overflowed {
  /** Attachments that were poisoned. */
  readonly poisoned: number;
  readonly tries: number;
}

const { handle, how } = workerData as DyingWorkerData;
const port = defined(parentPort, "port to the parent");

let armed = false;
/** Stops inside a rename until the thread is terminated, which ends this wait. */
const point = (id: number) => {
  if (!armed || id !== POINT.MOVE_NAMES) return;
  port.postMessage({});
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

const vfs = await attachVfs(handle, how === "stop in a rename" ? { point } : {});
const { fs } = vfs;

function work(n: number): void {
  fs.writeFileSync(`/d/${n}`, "text ".repeat(n % 900));
  fs.renameSync(`/d/${n}`, `/d/r${n}`);
  fs.mkdirSync(`/d/dir${n}`);
  fs.linkSync(`/d/r${n}`, `/d/dir${n}/${"long".repeat(20)}`);
  fs.rmSync(`/d/dir${n}`, { recursive: true });
  fs.unlinkSync(`/d/r${n}`);
}

/** Makes the call at the depth where the stack is nearly full, and one frame higher each time as long as there is too little stack for it. */
function deep(call: () => void): void {
  try {
    deep(call);
  } catch {
    call();
  }
}

/** Makes calls with less and less stack, each time on a fresh attachment, until some attachments were poisoned. */
async function overflow({ close }: { readonly close: boolean }): Promise<Overflowed> {
  let tries = 0;
  let poisoned = 0;
  for (; tries < 200 && poisoned < 5; tries++) {
    const attachment = await attachVfs(handle, { share: false });
    deep(() => {
      // Frames of another size, so that the stack ends in another place.
      if (tries % 3 > 0) [0].map(() => [0].map(() => call()));
      else call();
    });
    if (close) attachment.close();
    function call(): void {
      try {
        attachment.fs.writeFileSync(`/d/o${tries}`, "x");
        attachment.fs.renameSync(`/d/o${tries}`, `/d/p${tries}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ERR_THREADFS_PANIC") throw error;
        poisoned++;
      }
    }
  }
  return { poisoned, tries };
}

if (how === "stop in a rename") {
  fs.writeFileSync("/d/x", "");
  armed = true;
  fs.renameSync("/d/x", "/d/y");
} else {
  port.postMessage({});
  if (how === "overflow" || how === "overflow unclosed") {
    port.postMessage(await overflow({ close: how === "overflow" }));
    setInterval(() => {}, 1000);
  } else {
    const until = how === "terminate" ? Number.POSITIVE_INFINITY : 300;
    for (let n = 0; n < until; n++) work(n);
    if (how === "throw") throw new Error("the end of this worker");
    if (how === "exit") process.exit(3);
  }
}
