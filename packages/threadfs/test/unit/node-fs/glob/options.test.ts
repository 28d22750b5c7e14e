/** The options of globs, alone and together, and what `exclude` is asked. */
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { outcome } from "../../../support/oracle/works.js";
import { suite } from "../both.js";
import { find, plant, shown } from "./trees.js";

const { same, sameEach } = suite(import.meta.url, plant);

const PATTERNS = [
  "*",
  "**",
  "a/**",
  "**/*.txt",
  "./**",
  "to-a/**",
  "*/..",
  "**/..",
  "a/c/d",
  ".",
  "DIR/a/**",
  "DIR/**/*.txt",
];

describe("glob: options", () => {
  for (const followSymlinks of [undefined, null, false, true]) {
    for (const withFileTypes of [undefined, true, "x"]) {
      for (const maxDepth of [undefined, 0, 1, 2, Number.POSITIVE_INFINITY]) {
        const options = { followSymlinks, withFileTypes, maxDepth };
        const title = Object.entries(options).flatMap(([key, value]) =>
          value === undefined ? [] : [`${key}: ${value}`],
        );
        sameEach(title.join(", ") || "none", (fs, dir) =>
          Object.fromEntries(
            PATTERNS.map((pattern) => [
              pattern,
              outcome(() => find(fs, pattern.replace("DIR", dir), { ...options, cwd: dir })),
            ]),
          ),
        );
      }
    }
  }

  sameEach("maxDepth upwards", (fs, dir) =>
    Object.fromEntries(
      [0, 1, 2, 3].flatMap((maxDepth) =>
        ["..", "../*", "../../*", "../**/d", "DIR/*", "DIR/a/c/*", "DIR/**/deep.txt"].map((pattern) => [
          `${maxDepth} ${pattern}`,
          outcome(() => find(fs, pattern.replace("DIR", dir), { maxDepth, cwd: `${dir}/a/c` })),
        ]),
      ),
    ),
  );

  sameEach("cwd", (fs, dir) => {
    const from = dir.slice(dir.indexOf("/suite") + 1);
    const cwds = {
      none: undefined,
      null: null,
      empty: "",
      slash: `${dir}/a/`,
      relative: from,
      dots: `./${from}/a/../a`,
      link: `${dir}/to-a`,
      file: `${dir}/one.txt`,
      missing: `${dir}/missing`,
      locked: `${dir}/locked`,
      nul: "a\0b",
      url: pathToFileURL(`${dir}/a`),
    };
    return Object.fromEntries(
      Object.entries(cwds).flatMap(([title, cwd]) =>
        [false, true].flatMap((withFileTypes) =>
          ["*.txt", "**/*.txt", ".", "..", `${from}/a/*`, "./b.txt", "../*.txt"].map((pattern) => [
            `${title} ${withFileTypes} ${pattern}`,
            // The test's own working directory has directories for other tests.
            outcome(() =>
              find(fs, cwd === undefined || cwd === null || cwd === "" ? `${from}/a/*` : pattern, {
                cwd,
                withFileTypes,
              }),
            ),
          ]),
        ),
      ),
    );
  });
});

/** Patterns between spaces. */
function words(line: string): string[] {
  return line.split(" ");
}

const EXCLUDED = [
  ...words("a a/ a/** **/*.txt *.txt,b* ** **/c **/c/** **/.* a/*/d . .. ../** DIR/a DIR/**/d/** !(a) {a,b.dir}"),
  ...words("**/c/**/deep.txt a/**/c/**/d/** to-a to-a/** */ nowhere, a\\c"),
];
const SEARCHED = words("* ** a/**/* ./** a/c DIR/** ../*/a");

describe("glob: exclude", () => {
  for (const options of [{}, { withFileTypes: true }, { followSymlinks: true }, { maxDepth: 2 }]) {
    sameEach(`patterns with ${JSON.stringify(options)}`, (fs, dir) => {
      const inDir = (text: string) => text.replace("DIR", dir);
      const pairs = EXCLUDED.flatMap((list) => SEARCHED.map((pattern) => [list, pattern] as const));
      return Object.fromEntries(
        pairs.map(([list, pattern]) => {
          const exclude = list.split(",").map(inDir);
          const found = outcome(() => find(fs, inDir(pattern), { ...options, cwd: dir, exclude }));
          return [`${list} of ${pattern}`, found];
        }),
      );
    });
    sameEach(`a function with ${JSON.stringify(options)}`, (fs, dir) => {
      const pairs = words("a d . t nothing").flatMap((letter) =>
        [...PATTERNS, "a/*/*", "*/c/**"].map((pattern) => [letter, pattern] as const),
      );
      return Object.fromEntries(
        pairs.map(([letter, pattern]) => {
          const asked: unknown[] = [];
          const exclude = (entry: string | { name: string }): boolean => {
            asked.push(shown(entry));
            return (typeof entry === "string" ? entry : entry.name).includes(letter);
          };
          const found = outcome(() => find(fs, pattern.replace("DIR", dir), { ...options, cwd: dir, exclude }));
          return [`${letter} of ${pattern}`, { found, asked }];
        }),
      );
    });
  }

  same("no patterns", (fs, dir) => find(fs, "*", { cwd: dir, exclude: [] }));

  same("throws what the function throws", (fs, dir) => {
    const exclude = () => {
      throw Object.assign(new Error("refused"), { code: "REFUSED" });
    };
    return find(fs, "**", { cwd: dir, exclude });
  });

  same("may change the tree", (fs, dir) => {
    const exclude = (name: string) => {
      if (name === "c") fs.rmSync(`${dir}/a`, { recursive: true });
      return false;
    };
    return find(fs, "**", { cwd: dir, exclude });
  });
});
