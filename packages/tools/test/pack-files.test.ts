/** What npm packs: the README as npm shows it, and no package without its code. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { REPOSITORY } from "../dist/documents.js";
import { checkBuilt, filesNamed, withoutRelativeLinks } from "../dist/pack-files.js";

test("of a relative link the text stays, and a link to a host stays whole", () => {
  const markdown = "see [docs/memory.md](docs/memory.md#limits) and [npm](https://www.npmjs.com)";
  assert.equal(withoutRelativeLinks(markdown), "see docs/memory.md and [npm](https://www.npmjs.com)");
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
