/** What a step of a walk reads of a dentry, by the addresses of all loads of the core that ships. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DENTRY } from "../../../../verify/dist/arena/layout.js";
import { attach, createMemory, shippingCore } from "../../../../verify/dist/binary/core.js";
import { accessHooks } from "../../../../verify/dist/coherence/access-hooks.js";
import { AT_FDCWD } from "../../../dist/abi/abi.js";
import { G_ROOT_MNT } from "../../../dist/generated/core-layout.js";

const NAMES = ["a", "directory", "with-a-longer-name-of-27-byt", "b", "c", "file"];
const LINE = 64;

// Fails when a field that a step reads moves to the second line of the dentry (core/vfs/dcache/dentry.ts), such as its parent.
test("row 118: a walk in rcu mode reads nothing behind the first line of the dentries on its way", () => {
  const core = shippingCore({ accesses: true });
  let loads: number[] | undefined;
  const hooks = accessHooks(core, (address) => loads?.push(address >>> 0));
  const thread = attach(createMemory({ maxBytes: 4 << 20, threads: 0 }), core, hooks, { init: { seed: 1 } });
  const paths = NAMES.map((_, n) => `/${NAMES.slice(0, n + 1).join("/")}`);
  for (const path of paths) assert.equal(thread.call("sysMkdir", 0, AT_FDCWD, thread.path(path), 0o755), 0);
  thread.refresh();
  const word = (address: number) => (thread.words[address >>> 2] ?? 0) >>> 0;
  const dentries: number[] = [];
  for (let d = word(word(G_ROOT_MNT) + 8); d !== 0; d = word(d + DENTRY.lastChild)) dentries.push(d);
  assert.equal(dentries.length, NAMES.length + 1);
  // Without the prefix cache, and with it.
  for (const modes of [2, 0]) {
    thread.call("walkMode", modes);
    for (let n = 0; n < 3; n++) {
      const length = thread.path(paths.at(-1) ?? "");
      loads = [];
      assert.equal(thread.call("sysStat", 0, AT_FDCWD, length, 0), 0);
      const seen = loads;
      loads = undefined;
      const at = (from: number, to: number) => seen.filter((address) => address >= from && address < to).length;
      for (const d of dentries) assert.equal(at(d + LINE, d + 2 * LINE), 0, `second line of ${d}`);
      if (modes === 2) for (const d of dentries) assert.ok(at(d, d + LINE) > 0, `first line of ${d}`);
    }
  }
});
