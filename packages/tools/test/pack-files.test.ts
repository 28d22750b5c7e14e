/** What npm packs: the README as npm shows it, and no package without its code. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { REPOSITORY } from "../dist/documents.js";
import { checkBuilt, filesNamed, linksOf, PACKED_PAGES, packedMarkdown } from "../dist/pack-files.js";

test("of a link to a file that is not packed the text stays; other links stay whole", () => {
  const packed = ["README.md", "docs/api.md", "docs/trust.md"];
  const markdown =
    "see [the limits](docs/memory.md#limits), [the API](docs/api.md#errors) and [npm](https://www.npmjs.com)";
  const expected = "see the limits, [the API](docs/api.md#errors) and [npm](https://www.npmjs.com)";
  assert.equal(packedMarkdown(markdown, "README.md", packed), expected);
  assert.equal(
    packedMarkdown("[t](trust.md) [r](../README.md) [m](memory.md)", "docs/api.md", packed),
    "[t](trust.md) [r](../README.md) m",
  );
});

test("a path of the repository is called one", () => {
  assert.equal(
    packedMarkdown("see `packages/verify/src/main.ts`, `docs/api.md` and `a/b`", "README.md", ["docs/api.md"]),
    "see `main.ts` of the repository, `docs/api.md` and `a/b`",
  );
});

test("code is packed as it is", () => {
  const markdown = "call `fs[call](args)`:\n\n```js\nfs[call](...args); // `packages/a.ts`\n```\n\nand [x](y.md)\n";
  assert.equal(packedMarkdown(markdown, "README.md", []), markdown.replace("[x](y.md)", "x"));
  for (const name of ["README.md", ...PACKED_PAGES]) {
    const text = readFileSync(join(REPOSITORY, name), "utf8").replace(/^## The repository\n[\s\S]*/m, "");
    const blocks = text.match(/^```[\s\S]*?^```$/gm) ?? [];
    const packed = packedMarkdown(text, name, []);
    for (const block of blocks) assert.ok(packed.includes(block), `${name}: ${block}`);
  }
});

test("the section about the repository is not packed", () => {
  const markdown = "## Figures\n\n1\n\n## The repository\n\nnpm test\n\n| a | b |\n\n";
  assert.equal(packedMarkdown(`${markdown}MIT.\n`, "README.md", []), "## Figures\n\n1\n\nMIT.\n");
  assert.equal(packedMarkdown(`${markdown}## More\n`, "README.md", []), "## Figures\n\n1\n\n## More\n");
});

test("a package whose code is not built is not packed, and the error names what is missing and what to run", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "threadfs-pack-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const manifest = { exports: { ".": { types: "./a.d.ts", default: "./dist/a.js" } }, bin: { b: "./dist/b.js" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  assert.deepEqual(filesNamed(manifest), ["./a.d.ts", "./dist/a.js", "./dist/b.js"]);
  assert.throws(
    () => checkBuilt(folder),
    /\.\/a\.d\.ts, \.\/dist\/a\.js, \.\/dist\/b\.js; run `npm ci && npm run build`/,
  );
  mkdirSync(join(folder, "dist"));
  for (const file of filesNamed(manifest)) writeFileSync(join(folder, file), "");
  checkBuilt(folder);
});

test("the published packages are built before npm packs or publishes them", () => {
  for (const name of ["threadfs", "cli"]) {
    const text = readFileSync(join(REPOSITORY, "packages", name, "package.json"), "utf8");
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    assert.match(
      scripts.prepack ?? "",
      /^test -n "\$THREADFS_BUILT" \|\| npm run build --prefix \.\.\/\.\. && node /,
      name,
    );
  }
});

/** A dependency of packages/hosts, and how the README calls it. */
const NAMES: [dependency: RegExp, name: string][] = [
  [/^node\d+$/, "Node"],
  [/bun-linux/, "Bun"],
  [/deno/, "Deno"],
  [/^typescript/, "TypeScript"],
  [/^vite$/, "Vite"],
  [/^webpack$/, "webpack"],
  [/^esbuild$/, "esbuild"],
  [/^rollup$/, "Rollup"],
  [/^rolldown$/, "Rolldown"],
];

test("the README names the hosts, bundlers and TypeScript versions that are tested", () => {
  const manifest = readFileSync(join(REPOSITORY, "packages", "hosts", "package.json"), "utf8");
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  const readme = readFileSync(join(REPOSITORY, "README.md"), "utf8");
  const [, table = ""] = /\| tested version \|\n([\s\S]*?)\n\n/.exec(readme) ?? [];
  let named = 0;
  for (const [dependency, specifier] of Object.entries(dependencies)) {
    const name = NAMES.find(([pattern]) => pattern.test(dependency))?.[1];
    if (name === undefined) continue;
    const [, version = ""] = /(\d+\.\d+)\.\d+$/.exec(specifier) ?? [];
    const row = table.split("\n").find((line) => line.split("|")[1]?.includes(name)) ?? "";
    assert.ok(row.split("|")[2]?.split(/[ ,]+/).includes(version), `${name} ${version} in: ${row}`);
    named++;
  }
  assert.equal(named, 17);
});

test("links are those of the prose, not of code", () => {
  const markdown = "[a](b.md#c) [s](https://x.y)\n\n```js\nf[i](...args)\n```\n\n`g[i](x)` [d](e)\n";
  assert.deepEqual(linksOf(markdown), ["b.md#c", "e"]);
});
