/** At every named point of a change by another thread, a copy of the arena is refused, or is the tree before the change or after it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attachVfs, createVfs, type Vfs } from "../../../dist/src/index.js";
import { copyNow, roomFor } from "../../../dist/src/load-save/arena-copy.js";
import { Snapshot } from "../../../dist/src/load-save/snapshot/snapshot.js";
import { treeFor } from "../../support/debug-tree.js";
import { problemsOf, wholeTree } from "./whole-tree.js";

const MAX_BYTES = 4 << 20;

/** Changes, and look-ups, which are in rcu mode and keep nothing from the copy. */
const CHANGES: Record<string, (vfs: Vfs) => unknown> = {
  create: ({ fs }) => fs.writeFileSync("/d/new", "contents"),
  mkdir: ({ fs }) => fs.mkdirSync("/d/new"),
  symlink: ({ fs }) => fs.symlinkSync("target", "/d/new"),
  link: ({ fs }) => fs.linkSync("/f", "/d/new"),
  unlink: ({ fs }) => fs.unlinkSync("/d/file"),
  rmdir: ({ fs }) => fs.rmdirSync("/empty"),
  rename: ({ fs }) => fs.renameSync("/d/file", "/f"),
  "rename of a directory": ({ fs }) => fs.renameSync("/d", "/empty/d"),
  write: ({ fs }) => fs.appendFileSync("/f", "more"),
  truncate: ({ fs }) => fs.truncateSync("/f", 1),
  chmod: ({ fs }) => fs.chmodSync("/f", 0o600),
  chown: ({ fs }) => fs.chownSync("/f", 1, 2),
  setfacl: (vfs) =>
    vfs.setfacl(
      "/f",
      [1, 4, 32].map((tag) => ({ tag, perm: 4 })),
    ),
  stat: ({ fs }) => fs.statSync("/link"),
  readdir: ({ fs }) => fs.readdirSync("/d"),
};

/** What is seen of a tree, but for times. */
function seen(vfs: Vfs): string {
  const files = [...wholeTree(vfs)].map(([path, { type, mode, uid, gid, nlink, size, acl, target, contents }]) => {
    return [path, type, mode, uid, gid, nlink, Number(size), acl, target, contents];
  });
  return JSON.stringify(files.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

for (const [name, change] of Object.entries(CHANGES)) {
  test(name, async (t) => {
    const { vfs } = await treeFor(t, { maxBytes: MAX_BYTES });
    vfs.fromJSON({ "/d/file": "1", "/f": "22", "/empty": null });
    vfs.fs.symlinkSync("/d/file", "/link");
    const { calls } = vfs.context();
    const copies: Snapshot[] = [];
    let refused = 0;
    let inside = false;
    const changer = await attachVfs(vfs.handle, {
      share: false,
      point: () => {
        if (!inside) return;
        const clock = { ms: 0 };
        const copy = copyNow(calls, () => clock.ms, roomFor(MAX_BYTES >> 16), 0);
        if (copy === undefined) refused++;
        else copies.push(new Snapshot(copy, calls.ctx, "refuse", clock));
      },
    });
    t.after(() => changer.close());
    const before = seen(vfs);
    inside = true;
    change(changer);
    inside = false;
    const right = [before, seen(vfs)];
    for (const copy of copies) {
      const again = await createVfs({ maxBytes: MAX_BYTES, snapshot: copy });
      copy.close();
      const found = seen(again);
      assert.ok(right.includes(found), `${found}\nis neither of\n${right.join("\n")}`);
      assert.deepEqual(problemsOf(again), []);
      again.close();
    }
    assert.ok(refused + copies.length > 0, "the change passes a point");
    if (name === "stat") assert.ok(copies.length > 0, "a walk in rcu mode keeps nobody waiting");
    else if (name !== "readdir") assert.ok(refused > 0, "the change keeps the copy waiting");
  });
}
