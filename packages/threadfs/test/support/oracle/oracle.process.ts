/**
 * The oracle's process. It runs in the Node.js that is right, imports the module of a request and runs its cases on
 * `node:fs`. A test file registers its work when it is imported; its tests do not run here.
 */
import { lstatSync, readdirSync } from "node:fs";
import module from "node:module";
import { runTable } from "../../conformance/support/run-table.js";
import type { OracleReply, PlacedRequest } from "./oracle.js";
import { play } from "./players.js";
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

function run(request: PlacedRequest): unknown {
  switch (request.kind) {
    case "cases":
      return runTable(request);
    case "works":
      return runWorks(request);
    case "play":
      return play(request);
  }
}

/** What calls on paths out of the run's directory have changed most easily. */
function rootDirectory(): string {
  const { mode, uid, gid } = lstatSync("/");
  return `mode ${mode.toString(8)}, owner ${uid}:${gid}, names ${readdirSync("/").sort().join(" ")}`;
}

async function reply(request: PlacedRequest): Promise<OracleReply> {
  const before = rootDirectory();
  try {
    const value = await run(request);
    const after = rootDirectory();
    return before === after ? { value } : { failed: `"/" was changed. Before: ${before}. Now: ${after}` };
  } catch (error) {
    return { failed: error instanceof Error ? `${error.stack}` : String(error) };
  }
}

process.on("message", async (request: PlacedRequest) => {
  process.send?.(await reply(request));
});
