/** A loader that works in another thread or process: it reads a second file, by both ways that loaders have, and asks webpack for a path. */
import fs = require("node:fs");
import threads = require("node:worker_threads");

import type { LoaderContext } from "webpack";

/** Who runs webpack. */
interface Options {
  pid: number;
  threadId: number;
}

export = function words(this: LoaderContext<Options>, text: string): void {
  const done = this.async();
  const builder = this.getOptions();
  const elsewhere = builder.pid !== process.pid || builder.threadId !== threads.threadId;
  this.resolve(this.rootContext, `./src/${text}`, async (error, path) => {
    try {
      if (error !== null || typeof path !== "string") throw error ?? new Error(`${path} is no path`);
      this.addDependency(path);
      const one = await fs.promises.readFile(path, "utf8");
      const other = await new Promise((resolve) => this.fs.readFile(path, (_error, bytes) => resolve(String(bytes))));
      done(null, `export default ${JSON.stringify({ one, other, elsewhere })};`);
    } catch (reason) {
      done(reason as Error);
    }
  });
};
