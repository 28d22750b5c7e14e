/**
 * just-bash's own tests, from a copy of its repository, with a tree in the place of its `InMemoryFs`, and so of the default file system of each shell that they make: no package has
 * them.
 *
 *   JUST_BASH=DIR npm run test:just-bash
 *
 * A test that passes with `InMemoryFs` must pass with a tree too, but for what {@link DIFFERENT} names. What passes is counted. The copy is not changed: they run in a copy of it, with
 * the packages that its lock file names.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BashCopy, type Group, type Results } from "./just-bash/copy.js";

/** What these tests ask of `InMemoryFs` and a tree does otherwise, by words in the path or the name of a test, and how many tests do: docs/just-bash.md has the reasons. */
const DIFFERENT: readonly { readonly words: RegExp; readonly most: number; readonly name: string }[] = [
  { words: /\/quota\.test/, most: 5, name: "maxTotalBytes" },
  { words: /\/in-memory-fs\.test.*\blazy\b/, most: 6, name: "lazy files" },
  { words: /\/in-memory-fs\.security.*\bsymlink\b/, most: 2, name: "a write that replaces a link" },
  { words: /\/in-memory-fs\.security.*\.\./, most: 1, name: '".." behind directories that do not exist' },
  { words: /\/ls\.test.*\bdirectory\b/, most: 1, name: "the size of a directory" },
];

const UNIT = "vitest.unit.config.ts";
const SQLITE = "sqlite3";
const GROUPS: Readonly<Record<string, Group>> = {
  "file systems": { config: UNIT, paths: ["src/fs/"] },
  "commands and agents": { config: UNIT, paths: ["src/commands/", "src/agent-examples/"] },
  [SQLITE]: { config: "vitest.wasm.config.ts", paths: ["src/commands/sqlite3/"] },
};

let copy: BashCopy;
before(() => {
  copy = new BashCopy(process.env.JUST_BASH);
});
after(() => copy?.remove());

const passed = (results: Results) => [...results].filter(([, status]) => status === "passed").map(([key]) => key);

function compare(group: string, inMemory: Results, onTree: Results): void {
  const failed = passed(inMemory).filter((key) => onTree.get(key) !== "passed");
  const left = new Set(failed);
  const met = DIFFERENT.flatMap(({ words, most, name }) => {
    const those = failed.filter((key) => words.test(key)).slice(0, most);
    for (const key of those) left.delete(key);
    return those.length === 0 ? [] : [`${name} (${those.length})`];
  });
  const [with1, with2] = [passed(inMemory).length, passed(onTree).length];
  console.log(
    `just-bash ${copy.version}, ${group}: of ${inMemory.size} tests ${with1} pass with InMemoryFs, ${with2} with a tree`,
  );
  if (met.length > 0) console.log(`what the others meet: ${met.join(", ")}`);
  assert.deepEqual([...left], [], "these pass with InMemoryFs alone");
  assert.ok(with2 > 0, "none has passed");
}

for (const [name, group] of Object.entries(GROUPS)) {
  test(name, (t) => {
    if (name === SQLITE && !copy.hasSqlite)
      return t.skip(`it is version ${copy.version}, and packages/programs has the worker of another`);
    compare(name, copy.test(group, false), copy.test(group, true));
  });
}
