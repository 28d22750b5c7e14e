// How long does rolldown bundle the project of the question napi-rs in a page of Chromium: on a tree, which each of its threads opens; and by the loader for
// browsers that it comes with, where each thread sends its calls to the page's thread, which has memfs?
//
// What is not comparable: a good part of the time is rolldown's own work, which both have. The page's thread does nothing besides, but for the bundle.

import path from "node:path";
import { servePage, TestBrowser } from "../../../hosts/dist/browser.js";
import type { BenchOptions, Question } from "../lib/question.js";
import { Result } from "../lib/result.js";
import type { BundleRun } from "./napi-rs/bundle.js";
import { measureBundles, WARM_ROUNDS } from "./napi-rs/report.js";
import { installedChromium, makePage } from "./napi-rs-page/pages.js";

const LABELS = { tree: "threadfs in a page", stock: "the loader of rolldown in a page, memfs" } as const;
type Kind = keyof typeof LABELS;
/** Longest time of one round, in ms: a page that hangs ends the bench. */
const ROUND_MS = 120_000;

/** Makes a bundle in a page. */
type BundleOnce = () => Promise<BundleRun>;

/** Opens the pages of the kinds, one in the other, and uses them together, for so long. */
async function withPages(
  browser: TestBrowser,
  folders: ReadonlyMap<Kind, string>,
  limitMs: number,
  use: (pages: ReadonlyMap<Kind, BundleOnce>) => Promise<void>,
  open: ReadonlyMap<Kind, BundleOnce> = new Map(),
): Promise<void> {
  const [next, ...rest] = folders;
  if (next === undefined) return use(open);
  const [kind, folder] = next;
  const server = await servePage(folder);
  try {
    await browser.usePage(
      `http://127.0.0.1:${server.port}/`,
      async (page) => {
        await page.waitForFunction("globalThis.bundleOnce !== undefined");
        const bundleOnce: BundleOnce = () => page.evaluate("bundleOnce()");
        await withPages(browser, new Map(rest), limitMs, use, new Map([...open, [kind, bundleOnce]]));
      },
      limitMs,
    );
  } finally {
    await server.close();
  }
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("napi-rs-page", "How long does rolldown in a page of Chromium take for a bundle?");
  const chromium = installedChromium();
  if (chromium === undefined) {
    result.note("left out: npm run test:programs installs the project, npm run test:hosts the rest");
    return result;
  }
  const kinds: Kind[] = options.skip.includes("memfs") ? ["tree"] : ["tree", "stock"];
  const folders = new Map<Kind, string>();
  let modules = 0;
  for (const kind of kinds) {
    const folder = path.join(options.scratch, `${kind}-page`);
    modules = await makePage(kind, folder);
    folders.set(kind, folder);
  }
  const browser = await TestBrowser.chromium(chromium);
  try {
    await withPages(browser, folders, ROUND_MS * (WARM_ROUNDS + options.rounds), (pages) => {
      const sides = new Map([...pages].map(([kind, bundleOnce]) => [LABELS[kind], bundleOnce]));
      return measureBundles(result, modules, sides, options);
    });
  } finally {
    await browser.close();
  }
  result.note(browser.name);
  return result;
}

export default { name: "napi-rs-page", run } satisfies Question;
