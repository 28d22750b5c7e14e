/** Each kind of damage, planted, is reported by the checker of the arena. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KINDS } from "../../dist/fsck/arena-view.js";
import { check } from "../../dist/fsck/check-arena.js";
import { DAMAGE } from "./damage-list.js";
import { populatedTree } from "./damaged-tree.js";

test("there is damage of every kind", () => {
  assert.deepEqual([...new Set(DAMAGE.map(([, kind]) => kind))].sort(), [...KINDS].sort());
});

describe("damage is reported", () => {
  for (const [what, kind, damage] of DAMAGE) {
    test(`${kind}: ${what}`, async (t) => {
      const copy = (await populatedTree(t)).copy();
      damage(copy);
      const { problems } = check(copy.words);
      const kinds = new Set(problems.map((text) => text.split(":")[0]));
      assert.ok(kinds.has(kind), `reported was: ${problems.join("\n") || "nothing"}`);
    });
  }
});
