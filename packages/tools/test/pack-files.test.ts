/** The README as npm shows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutRelativeLinks } from "../dist/pack-files.js";

test("of a relative link the text stays, and a link to a host stays whole", () => {
  const markdown = "see [docs/memory.md](docs/memory.md#limits) and [npm](https://www.npmjs.com)";
  assert.equal(withoutRelativeLinks(markdown), "see docs/memory.md and [npm](https://www.npmjs.com)");
});
