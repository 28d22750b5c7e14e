// The page with the loader that comes with rolldown's binding: the files are in memfs, and each call of another thread is a message to this one.

import { fill, offer } from "./offer.js";

let calls = 0;

/** The page's workers, whose calls are counted. */
class CountedWorker extends Worker {
  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options);
    this.addEventListener("message", ({ data }: MessageEvent<{ __fs__?: object } | null>) => {
      if (data?.__fs__ !== undefined) calls++;
    });
  }
}
Object.assign(globalThis, { Worker: CountedWorker });
const { __fs: fs } = await import("stock-loader");
await fill(fs);
const { rolldown } = await import("@rolldown/browser");
offer(rolldown, fs, () => calls);
