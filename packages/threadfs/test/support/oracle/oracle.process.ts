/**
 * The oracle's process. It runs in the Node.js that is right, imports the module of a request and runs its cases on
 * `node:fs`. A test file registers its work when it is imported; its tests do not run here.
 */
import module from "node:module";
import { runTable } from "../../conformance/support/run-table.js";
import type { OracleRequest } from "./oracle.js";
import { runWorks } from "./works.js";

/** The hooks of Node 26, which the types of older versions do not have. */
interface ModuleHooks {
  registerHooks(hooks: {
    resolve(
      specifier: string,
      context: object,
      next: (specifier: string, context: object) => object,
    ): { url: string; shortCircuit?: boolean } | object;
  }): void;
}

(module as unknown as ModuleHooks).registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "node:test"
      ? { url: new URL("./no-tests.js", import.meta.url).href, shortCircuit: true }
      : next(specifier, context),
});

process.once("message", async (request: OracleRequest) => {
  const reply = await (request.kind === "cases" ? runTable(request) : runWorks(request));
  process.send?.(reply, undefined, undefined, () => process.exit());
});
