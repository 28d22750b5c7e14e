/** The programs of examples/ print what they say, and their folders have what their READMEs name. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Project, REPOSITORY, runNode } from "../support/project.js";

const EXAMPLES = join(REPOSITORY, "examples");

/** What each prints; of the test runners these lines, among others. */
const PRINTED: Record<string, string[]> = {
  git: [
    "alice adds one, alice adds three, alice adds two, bob adds one, bob adds three, bob adds two",
    "6 commits, 6 of 6 files are as committed",
  ],
  glob: Array<string>(4).fill("lib/b.ts src/a.ts"),
  sandbox: [
    "checked, then used: the key",
    ...["../secret EXDEV", "trap/secret EXDEV", "dir/../../secret EXDEV", "link EXDEV", "absolute EXDEV"],
    "dir/secret: my own",
  ],
  "php-workers": ["20 entries after 21 requests", "20 entries, 22 requests", "20 entries, 23 requests"],
  webpack: ["built in the tree"],
  jest: ['one.json {"isMainThread":false}', 'two.json {"isMainThread":false}'],
  vitest: ['one.json {"isMainThread":false}', 'two.json {"isMainThread":false}'],
};

/** The arguments of Node that run an example. */
function command(project: Project, name: string, folder: string): string[] {
  if (name === "jest") return [project.module("jest", "bin", "jest.js"), "--cacheDirectory", join(folder, "cache")];
  if (name === "vitest") return [project.module("vitest", "vitest.mjs"), "run"];
  return [`${name}.mjs`];
}

test("every example is run here, or as a page by packages/hosts", () => {
  assert.deepEqual(readdirSync(EXAMPLES).sort(), [...Object.keys(PRINTED), "browser"].sort());
});

for (const [name, lines] of Object.entries(PRINTED)) {
  test(`examples/${name} prints what it says`, async (t) => {
    const project = new Project();
    t.after(() => project.remove());
    const folder = project.copy(join(EXAMPLES, name), name);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: name === "vitest" ? "module" : "commonjs" }));
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    for (const [, file = ""] of readme.matchAll(/`([\w.]+\.[cm]?js)`/g)) readFileSync(join(folder, file));
    const printed = (await runNode(folder, command(project, name, folder))).trimEnd().split("\n");
    if (name === "jest" || name === "vitest")
      for (const line of lines) assert.ok(printed.includes(line), printed.join("\n"));
    else assert.deepEqual(printed, lines);
  });
}
