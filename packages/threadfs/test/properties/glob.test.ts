/** Random patterns on random trees: a glob finds what node:fs finds, in its order, and asks `exclude` for the same entries in the same order. */
import { test } from "node:test";
import fc from "fast-check";
import { defined } from "../../../cli/dist/support/defined.js";
import { attempt, type Outcome } from "../conformance/support/outcome.js";
import type { Target } from "../conformance/support/targets.js";
import { type FsCalls, unchecked } from "../support/fs-calls.js";
import { assertSame, check, useSides } from "./support.js";

interface Entry {
  readonly kind: "directory" | "file" | "link";
  readonly path: string;
  /** Of a link. */
  readonly target: string;
}

interface Query {
  readonly patterns: readonly string[];
  /** Of `cwd`, from the directory of the run; undefined: the working directory. */
  readonly cwd: string | undefined;
  readonly relativeCwd: boolean;
  readonly followSymlinks: boolean | undefined;
  readonly maxDepth: number | undefined;
  readonly withFileTypes: boolean;
  /** Patterns, or a function that refuses names with this letter. */
  readonly exclude: readonly string[] | string | undefined;
}

const NAMES = ["a", "b", "c", "ab", ".a", ".b", "a.x", "b.x", "[a]", "ä"];
const name = fc.constantFrom(...NAMES);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
const target = fc.oneof(path, fc.constantFrom(".", "..", "../..", "../a", "../b", "nowhere"));
const entry = fc.record({
  kind: fc.constantFrom("directory" as const, "directory" as const, "file" as const, "link" as const),
  path,
  target,
});

const part = fc.oneof(
  { weight: 3, arbitrary: name },
  { weight: 4, arbitrary: fc.constantFrom("**", "**", "*", "*") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        "..",
        ".",
        "?",
        "a*",
        ".*",
        "*.x",
        "@(a|b)",
        "!(a)",
        "!(a)*",
        "+(a|b)",
        "?(a)b",
        "*(a|.b)",
        "[ab]",
        "[!a]",
        "",
        "{a,b}",
      ],
      ...["{a,.b,c/..}", "{*,**}", "[[:alpha:]]", "..*", "{a..c}", ".?", "{a,**}", "**a"],
    ),
  },
);
/** The run is this far below its directory, so that no pattern and no link leads out of it. */
const STEPS_UP = 2;
const FLOOR = "1/2/3/4";
/** With many links between directories there are too many paths that do not go in a circle. */
const LINKS_MAX = 4;

const pattern = fc
  .tuple(
    fc.constantFrom("", "", "", "./", "../", "DIR/", "DIR/../"),
    fc.array(part, { minLength: 1, maxLength: 5 }),
    fc.constantFrom("", "", "/"),
  )
  .map(([start, parts, end]) => start + parts.join("/") + end)
  .filter((text) => !text.startsWith("/") && text.split("..").length <= STEPS_UP + 1);

const query: fc.Arbitrary<Query> = fc.record({
  patterns: fc.array(pattern, { minLength: 1, maxLength: 3 }),
  cwd: fc.option(fc.constantFrom(".", "a", "b", "a/b", "missing"), { nil: undefined }),
  relativeCwd: fc.boolean(),
  followSymlinks: fc.constantFrom(undefined, false, true),
  maxDepth: fc.constantFrom(undefined, undefined, undefined, 0, 1, 2, 3),
  withFileTypes: fc.boolean(),
  exclude: fc.oneof(fc.constant(undefined), fc.array(pattern, { maxLength: 2 }), fc.constantFrom("a", "b", ".")),
});

function plant(fs: FsCalls, dir: string, entries: readonly Entry[]): void {
  let links = 0;
  for (const { kind, path, target } of entries) {
    if (kind === "link" && ++links > LINKS_MAX) continue;
    try {
      if (kind === "directory") fs.mkdirSync(`${dir}/${path}`, { recursive: true });
      if (kind === "file") fs.writeFileSync(`${dir}/${path}`, "");
      if (kind === "link") fs.symlinkSync(target, `${dir}/${path}`);
    } catch {
      // Something else has that name, or no directory is above it.
    }
  }
}

type Shown = { readonly name: string; readonly parentPath: string; isDirectory(): boolean; isSymbolicLink(): boolean };

function shown(entry: string | Shown | null): unknown {
  if (entry === null || typeof entry === "string") return entry;
  return [entry.name, entry.parentPath, entry.isDirectory(), entry.isSymbolicLink()];
}

function ask(fs: FsCalls, dir: string, query: Query): unknown {
  const asked: unknown[] = [];
  const { exclude, cwd, relativeCwd, patterns, ...options } = query;
  const inDir = (text: string) => text.replaceAll("DIR", dir);
  const refuses = (entry: string | Shown): boolean => {
    asked.push(shown(entry));
    return (typeof entry === "string" ? entry : entry.name).includes(exclude as string);
  };
  const found = unchecked(fs).globSync(patterns.map(inDir), {
    ...options,
    cwd: cwd === undefined ? undefined : relativeCwd ? cwd : `${dir}/${cwd}`,
    exclude: typeof exclude === "string" ? refuses : exclude?.map(inDir),
  });
  return { found: (found as (string | Shown | null)[]).map(shown), asked };
}

/** The outcomes of all queries with the directory of the run as working directory. */
function play(target: Target, dir: string, entries: readonly Entry[], queries: readonly Query[]): Outcome[] {
  const floor = `${dir}/${FLOOR}`;
  target.fs.mkdirSync(floor, { recursive: true });
  plant(target.fs, floor, entries);
  return target.with({ cwd: floor }, (fs) => queries.map((one) => attempt(() => ask(fs, floor, one), dir)));
}

const sides = useSides(import.meta.url, { play });

/** Node asks null for its type where what is excluded is not there. */
function isFaultOfNode({ thrown }: Outcome): boolean {
  return thrown?.includes("(reading 'isDirectory')") === true;
}

test("globs find what node:fs finds, in its order", async (t) => {
  const entries = fc.array(entry, { minLength: 3, maxLength: 25, size: "max" });
  const queries = fc.array(query, { minLength: 1, maxLength: 20, size: "max" });
  const property = fc.asyncProperty(entries, queries, async (planted, asked) => {
    const { kernel, ours } = await sides.inFresh("play", planted, asked);
    const right = kernel.map((outcome, n) => (isFaultOfNode(outcome) ? defined(ours[n], "an outcome") : outcome));
    assertSame({ kernel: right, ours }, (n) => `query ${n}: ${JSON.stringify(asked[n])}`);
  });
  await check(t, property, 100);
});
