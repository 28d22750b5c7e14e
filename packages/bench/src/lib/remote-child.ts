// The child's side of remote.ts: calls the functions that one module serves.

import { defined } from "../../../cli/dist/support/defined.js";
import type { RemoteReply, RemoteRequest } from "./remote.js";

const { served } = (await import(defined(process.argv[2], "the module's URL"))) as {
  served: Record<string, (argument: unknown) => unknown>;
};

process.on("message", async ({ id, name, argument }: RemoteRequest) => {
  let reply: RemoteReply;
  try {
    reply = { id, value: await defined(served[name], name)(argument) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(reply);
});
process.on("disconnect", () => process.exit());
