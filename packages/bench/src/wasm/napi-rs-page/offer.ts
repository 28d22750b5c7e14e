// What both pages have in common: the project, and the function that the bench calls for each bundle.

import { type BundleRun, type Rolldown, timeBundle } from "../napi-rs/bundle.js";

/** The project in the pages. */
export const ROOT = "/project";

/** What is used of a page's file system. */
export interface PageFs {
  mkdirSync(path: string, options: { recursive: true }): unknown;
  writeFileSync(path: string, data: string): void;
  unlinkSync(path: string): void;
}

/** Writes the files of the project. */
export async function fill(fs: PageFs): Promise<void> {
  const files = (await (await fetch("./files.json")).json()) as Record<string, string>;
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    fs.writeFileSync(path, text);
  }
}

/**
 * Makes `bundleOnce` of the global object, which fails if the bundle is not a file of the page's file system.
 * @param calls how many calls the binding's threads have sent to the page's so far
 */
export function offer(rolldown: Rolldown, fs: PageFs, calls: () => number): void {
  const bundleOnce = async (): Promise<BundleRun> => {
    const before = calls();
    const ms = await timeBundle(rolldown, ROOT);
    const sent = calls() - before;
    fs.unlinkSync(`${ROOT}/out/main.js`);
    return { ms, calls: sent };
  };
  Object.assign(globalThis, { bundleOnce });
}
