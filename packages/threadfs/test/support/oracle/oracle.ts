/**
 * The tests' side of the oracle: starts the Node.js whose answers are right (packages/tools/src/oracle.ts), which imports the
 * same compiled cases, runs them on its own `node:fs` over the kernel, and sends what they came to. So the expected values
 * are the same whichever Node.js runs the tests. The variable THREADFS_ORACLE_NODE names another binary.
 */
import { fork } from "node:child_process";
import { oracleNode } from "../../../../tools/dist/oracle.js";

/** Longest time that one request may take. */
const ORACLE_MS = 110_000;

/** A request: a table of the conformance suite, or a test file whose work runs on both sides. */
export type OracleRequest =
  | { readonly kind: "cases"; readonly module: string; readonly root: string }
  | { readonly kind: "works"; readonly module: string; readonly root: string };

/** Plain data, as JSON carries it. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** Runs a request in a process of its own. Returns its reply. @throws Error if the process ends without one */
export function askOracle<T>(request: OracleRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("./oracle.process.js", import.meta.url), {
      execPath: oracleNode(),
      execArgv: [],
      timeout: ORACLE_MS,
      // Its standard output would be the test runner's own channel.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined },
    });
    let reply: T | undefined;
    child.once("message", (message) => {
      reply = message as T;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (reply !== undefined) resolve(reply);
      else reject(new Error(`the oracle ended without a reply to ${request.module}: ${signal ?? code}`));
    });
    child.send(request);
  });
}
