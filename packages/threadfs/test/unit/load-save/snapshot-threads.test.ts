/** Snapshots that are taken while real threads write have one moment each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { threads } from "../../support/threads.js";
import { tree } from "../api/trees.js";
import { problemsOf } from "./whole-tree.js";

const FILES = 40;

// Fails when arenaCopy() excludes no other thread: files are found twice, not at all, or the copy is no tree.
test("every file that threads move is in each snapshot once, and a pair that is written in turn is in order", async () => {
  const vfs = await tree({ maxBytes: 64 << 20 });
  const { fs } = vfs;
  for (const directory of ["/left", "/right/deep", "/pair"]) fs.mkdirSync(directory, { recursive: true });
  for (let n = 0; n < FILES; n++) fs.writeFileSync(`/left/${n}`, `${n}`.repeat(n * 20));
  fs.writeFileSync("/pair/first", "0");
  fs.writeFileSync("/pair/second", "0");
  let over = false;
  const racing = threads(
    vfs.handle,
    1500,
    [
      ({ fs }, _raw, running, files) => {
        while (running()) {
          for (let n = 0; n < files; n += 2) fs.renameSync(`/left/${n}`, `/right/deep/${n}`);
          for (let n = 0; n < files; n += 2) fs.renameSync(`/right/deep/${n}`, `/left/${n}`);
        }
      },
      ({ fs }, _raw, running, files) => {
        for (let round = 0; running(); round++) {
          for (let n = 1; n < files; n += 2) fs.renameSync(`/left/${n}`, `/right/${n}`);
          fs.writeFileSync(`/right/new-${round % 7}`, "x".repeat((round % 50) * 999));
          for (let n = 1; n < files; n += 2) fs.renameSync(`/right/${n}`, `/left/${n}`);
          fs.rmSync(`/right/new-${(round + 3) % 7}`, { force: true });
        }
      },
      ({ fs }, _raw, running) => {
        for (let round = 1; running(); round++) {
          fs.writeFileSync("/pair/new", `${round}`);
          fs.renameSync("/pair/new", "/pair/first");
          fs.writeFileSync("/pair/new", `${round}`);
          fs.renameSync("/pair/new", "/pair/second");
        }
      },
    ],
    FILES,
  ).finally(() => {
    over = true;
  });
  let taken = 0;
  const moved = new Set<string>();
  do {
    const snapshot = await vfs.snapshot();
    const again = await createVfs({ maxBytes: 64 << 20, snapshot });
    snapshot.close();
    assert.deepEqual(problemsOf(again), []);
    const files = Object.entries(again.toJSON(["/left", "/right"])).filter(([path]) => /\/\d+$/.test(path));
    for (const [path] of files) if (!path.startsWith("/left")) moved.add(path);
    const names = files.map(([path]) => Number(path.slice(path.lastIndexOf("/") + 1))).sort((a, b) => a - b);
    assert.deepEqual(
      names,
      Array.from({ length: FILES }, (_, n) => n),
    );
    for (const [path, contents] of files) {
      const n = Number(path.slice(path.lastIndexOf("/") + 1));
      assert.equal(contents, `${n}`.repeat(n * 20));
    }
    const [first, second] = ["first", "second"].map((name) => Number(again.fs.readFileSync(`/pair/${name}`, "utf8")));
    assert.ok(first === second || first === (second as number) + 1, `${first} and ${second}`);
    again.close();
    taken++;
  } while (!over);
  await racing;
  assert.ok(taken > 3 && moved.size > 0, `${taken} snapshots, ${moved.size} files were on the other side`);
});

test("two threads take snapshots of one tree at a time", async () => {
  const vfs = await tree({ maxBytes: 32 << 20 });
  vfs.fromJSON({ "/a": "1", "/b/c": "2" });
  const snapshots = await Promise.all([vfs.snapshot(), vfs.snapshot(), vfs.snapshot()]);
  for (const snapshot of snapshots) {
    const again = await createVfs({ maxBytes: 32 << 20, snapshot });
    assert.deepEqual(again.toJSON(), { "/a": "1", "/b/c": "2" });
    again.close();
    snapshot.close();
  }
  assert.deepEqual(problemsOf(vfs), []);
});
