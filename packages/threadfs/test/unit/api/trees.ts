/** What the tests of trees share: trees that are closed in the end, and threads that make calls on them. */
import { after } from "node:test";
import { Worker } from "node:worker_threads";
import { defined } from "../../../../cli/dist/support/defined.js";
import { type CreateOptions, createVfs, type Vfs, type VfsHandle } from "../../../dist/src/index.js";
import type { CallName } from "../../support/fs-calls.js";
import type { Call, CallResult, CallsWorkerData } from "../../threads/calls.worker.js";

/** Attachments to close when the file's tests are done. */
export const open: Vfs[] = [];
after(() => {
  for (const vfs of open) vfs.close();
});

/** A tree that is closed when the tests are done. */
export async function tree(options: Partial<CreateOptions> = {}): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 1 << 28, ...options });
  open.push(vfs);
  return vfs;
}

/** A thread that makes calls on a tree; the promises settle as its calls do. */
export interface CallingThread {
  /** Makes a call of the thread's fs. */
  call(name: CallName, ...args: readonly unknown[]): Promise<unknown>;
  /** Reads a property of the thread's attachment. */
  read(property: keyof Vfs): Promise<unknown>;
  stop(): Promise<number>;
}

/** A thread attached to a handle. */
export async function callingThread(handle: VfsHandle): Promise<CallingThread> {
  const workerData: CallsWorkerData = { handle };
  const worker = new Worker(new URL("../../threads/calls.worker.js", import.meta.url), { workerData });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 1;
  const ready = new Promise((resolve, reject) => {
    waiting.set(0, { resolve, reject });
    worker.once("error", reject);
  });
  worker.on("message", ({ id, value, error }: CallResult) => {
    const { resolve, reject } = defined(waiting.get(id), `call ${id}`);
    waiting.delete(id);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  });
  await ready;
  const send = (request: Omit<Call, "id">) =>
    new Promise<unknown>((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...request } satisfies Call);
    });
  return {
    call: (name, ...args) => send({ on: "fs", call: name, args }),
    read: (property) => send({ on: "vfs", call: property, args: [] }),
    stop: () => worker.terminate(),
  };
}
