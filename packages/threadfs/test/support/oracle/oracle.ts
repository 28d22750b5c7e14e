/**
 * The tests' side of the oracle: starts the Node.js whose answers are right (packages/tools/src/oracle.ts), which imports the
 * same compiled cases, runs them on its own `node:fs` over the kernel, and sends what they came to. So the expected values
 * are the same whichever Node.js runs the tests. The variable THREADFS_ORACLE_NODE names another binary. A superuser's process
 * has a root directory of its own (packages/tools/src/kernel-place.ts).
 */
import { fork } from "node:child_process";
import { kernelPlace } from "../../../../tools/dist/kernel-place.js";
import { endIfHung } from "./hung.js";

/** A request: a table of the conformance suite, a test file whose work runs on both sides, or one of its players. */
export type OracleRequest =
  | { readonly kind: "cases"; readonly module: string }
  | { readonly kind: "works"; readonly module: string }
  | { readonly kind: "play"; readonly module: string; readonly name: string; readonly args: readonly unknown[] };

/** What the oracle's process gets: the directory in which it works. */
export type PlacedRequest = OracleRequest & { readonly root: string };

/** Plain data, as JSON carries it. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** `value` as the other side's comes through JSON: properties that are undefined are left out. */
export function asReply<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

/** A process of the oracle. */
export interface Oracle {
  /** The directory in which it works. */
  readonly root: string;
  /** Runs a request, one at a time. Returns its reply. @throws Error if the process ends without one, or if the request failed */
  ask<T>(request: OracleRequest): Promise<T>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** The reply to a request. */
export type OracleReply = { readonly value: unknown } | { readonly failed: string };

/** Starts a process. */
export function openOracle(): Oracle {
  const place = kernelPlace();
  const child = fork(new URL("./oracle.process.js", import.meta.url), {
    ...place.command,
    // Its standard output would be the test runner's own channel.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // Node's promises ask for some things side by side and end with the first error, as cp does with the stat of both paths: with
    // one thread that is always the error of the first.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, UV_THREADPOOL_SIZE: "1" },
  });
  endIfHung(child);
  let waiting: { resolve(value: unknown): void; reject(error: Error): void } | undefined;
  let ended: string | undefined;
  const fail = (how: string) => {
    ended ??= how;
    waiting?.reject(new Error(`the oracle ended without a reply: ${ended}`));
  };
  const exit = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      fail(error.message);
      resolve();
    });
    child.once("exit", (code, signal) => {
      fail(`${signal ?? code}`);
      resolve();
    });
  });
  child.on("message", (message) => {
    const reply = message as OracleReply;
    if ("failed" in reply) waiting?.reject(new Error(reply.failed));
    else waiting?.resolve(reply.value);
  });
  return {
    root: place.root,
    ask<T>(request: OracleRequest): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        waiting = { resolve: (value) => resolve(value as T), reject };
        if (ended !== undefined) return fail(ended);
        child.send({ ...request, root: place.root } satisfies PlacedRequest);
      });
    },
    async close() {
      if (child.connected) child.disconnect();
      await exit;
      place.remove();
    },
  };
}
