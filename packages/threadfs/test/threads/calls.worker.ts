/** A thread that attaches to a tree and makes the calls that its parent requests: calls of the tree's fs or of the tree itself. */
import { parentPort, threadId, workerData } from "node:worker_threads";
import { defined } from "../../../cli/dist/support/defined.js";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

export interface CallsWorkerData {
  readonly handle: VfsHandle;
}

/** A request of the parent. */
export interface Call {
  readonly id: number;
  readonly on: "fs" | "vfs";
  /** A method, or a property to read. */
  readonly call: string;
  readonly args: readonly unknown[];
}

/** The result of the call with this id. The first message has id 0 and says that the thread is attached. */
export interface CallResult {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: Pick<NodeJS.ErrnoException, "code" | "errno" | "syscall" | "path" | "message">;
}

const port = defined(parentPort, "port to the parent");
const vfs = await attachVfs((workerData as CallsWorkerData).handle, { thread: 1000 + threadId });
const post = (result: CallResult) => port.postMessage(result);

port.on("message", ({ id, on, call, args }: Call) => {
  try {
    const target = (on === "vfs" ? vfs : vfs.fs) as unknown as Readonly<Record<string, unknown>>;
    const member = target[call];
    post({ id, value: typeof member === "function" ? member.apply(target, args) : member });
  } catch (thrown) {
    const { code, errno, syscall, path, message } = thrown as NodeJS.ErrnoException;
    post({ id, error: { code, errno, syscall, path, message } });
  }
});
post({ id: 0 });
