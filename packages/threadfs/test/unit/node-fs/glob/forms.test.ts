/** `fs.glob` and `fs.promises.glob`: the results of node:fs, of which entries are as the walk saw them, and when errors come. */
import { describe } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { outcome, outcomeOf } from "../../../support/oracle/works.js";
import { suite } from "../both.js";
import { plant, shown } from "./trees.js";

const { same, sameEach } = suite(import.meta.url, plant);

/** The calls without the types of their parameters, which Node 20's types do not have. */
interface GlobForms {
  glob(...args: readonly unknown[]): void;
  readonly promises: { glob(...args: readonly unknown[]): AsyncIterableIterator<unknown> };
}

function forms(fs: FsCalls): GlobForms {
  return fs as unknown as GlobForms;
}

function withCallback(fs: FsCalls, ...args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error: unknown, found?: readonly unknown[]) => (error ? reject(error) : resolve(found?.map(shown)));
    forms(fs).glob(...args, done);
  });
}

async function iterated(fs: FsCalls, ...args: readonly unknown[]): Promise<unknown> {
  const found: unknown[] = [];
  for await (const one of forms(fs).promises.glob(...args)) found.push(shown(one));
  return found;
}

const PATTERNS = [
  "*",
  "**",
  "a/**/*",
  "./**",
  "to-a/**",
  "**/..",
  "*/..",
  "a/c/d",
  ".",
  "../*",
  "DIR/a/**",
  "DIR/**/..",
];

describe("glob: asynchronous forms", () => {
  for (const [title, form] of [
    ["callback", withCallback],
    ["promises", iterated],
  ] as const) {
    for (const options of [
      {},
      { withFileTypes: true },
      { followSymlinks: true },
      { maxDepth: 2 },
      { exclude: ["**/c"] },
    ]) {
      sameEach(`${title}: ${JSON.stringify(options)}`, async (fs, dir) => {
        const results: Record<string, unknown> = {};
        for (const pattern of PATTERNS) {
          results[pattern] = await outcomeOf(() =>
            form(fs, pattern.replace("DIR", dir), {
              ...options,
              cwd: `${dir}/a/..`,
              withFileTypes: "withFileTypes" in options,
            }),
          );
        }
        return results;
      });
    }

    same(`${title}: what exclude is asked`, async (fs, dir) => {
      const asked: unknown[] = [];
      const exclude = (entry: unknown) => {
        asked.push(shown(entry));
        return false;
      };
      return [await form(fs, ["**", "a/*"], { cwd: dir, exclude, withFileTypes: true }), asked];
    });

    same(`${title}: exclude throws`, (fs, dir) => {
      const exclude = () => {
        throw Object.assign(new Error("refused"), { code: "REFUSED" });
      };
      return form(fs, "**", { cwd: dir, exclude });
    });
  }

  same("without options", async (fs, dir) => [
    await withCallback(fs, `${dir}/a/*`),
    await withCallback(fs, `${dir}/a/*`, undefined),
    await iterated(fs, `${dir}/a/*`),
  ]);

  same("callback: wrong arguments are thrown at once", (fs) =>
    [
      [],
      ["*"],
      ["*", {}],
      ["*", {}, 5],
      [5, () => {}],
      ["*", null, () => {}],
      ["*", { exclude: 5 }, () => {}],
      [5, 5, 5],
    ].map((args) => outcome(() => forms(fs).glob(...args))),
  );

  same("promises: wrong arguments come with the first result", async (fs) => {
    const iterator = forms(fs).promises.glob(5);
    const first = await outcomeOf(() => iterator.next());
    return [first, await iterator.next(), await outcomeOf(() => forms(fs).promises.glob("*", null).next())];
  });

  same("promises: an iterator, which may be left", async (fs, dir) => {
    const iterator = forms(fs).promises.glob("**", { cwd: dir });
    const first = await iterator.next();
    const left = [await iterator.return?.("left"), await iterator.next()];
    return [Object.prototype.toString.call(iterator), iterator[Symbol.asyncIterator]() === iterator, first, left];
  });
});
