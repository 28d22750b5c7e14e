/** A TypeScript program for a Node that has node:vfs: compiled with the types of that Node alone, so not by the build. */
import { create } from "node:vfs";
import type { Context } from "threadfs";
import { ThreadProvider } from "threadfs/node-vfs";

export const read = (agent: Context): string => create(new ThreadProvider(agent)).readFileSync("file", "utf8");
