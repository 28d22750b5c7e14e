/** The limits of what a tree remembers of drivers: names that exist and names that do not, and which of them stay. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { createVfs, type Driver, type Vfs } from "../../../../dist/src/index.js";
import type { TestScope } from "../../../support/hooked-vfs.js";

/** Names that begin with "f" are files. */
const isFile = (name: string) => name.startsWith("f");

/** A tree with a driver at /m that counts how often it is asked for each name. */
async function driverTree(
  t: TestScope,
  options: { maxPositiveDentries?: number; maxNegativeDentries?: number } = {},
  hooks: Partial<Driver> = {},
): Promise<{ vfs: Vfs; asked: Map<string, number> }> {
  const vfs = await createVfs({ maxBytes: 4 << 20, ...options });
  t.after(() => vfs.close());
  const asked = new Map<string, number>();
  vfs.registerDriver({
    name: "counting",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup(_dir, name) {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      return isFile(name) ? { ino: 2 + Number(name.slice(1)), mode: 0o100644 } : null;
    },
    ...hooks,
  });
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "counting");
  return { vfs, asked };
}

/** Looks `count` names up. */
function ask(vfs: Vfs, prefix: string, count: number): void {
  for (let n = 0; n < count; n++) assert.equal(vfs.fs.existsSync(`/m/${prefix}${n}`), isFile(prefix));
}

/** A limit is kept to within what is killed at a time. */
const BATCH = 64;

// Fails when lruLink() puts all dentries into one list, or pruneKind() does not shrink.
test("row 121: names that do not exist, however many are asked for, cost no file its entry", async (t) => {
  const { vfs, asked } = await driverTree(t);
  ask(vfs, "f", 300);
  asked.clear();
  ask(vfs, "none-", 20_000);
  const { negativeDentries, unusedDentries, dentries } = vfs.counters();
  const limit = 32 * 64;
  assert.ok(negativeDentries <= limit + BATCH, `${negativeDentries} names that do not exist`);
  assert.ok(negativeDentries > limit / 2, `${negativeDentries} names that do not exist`);
  assert.equal(unusedDentries - negativeDentries, 300);
  assert.ok(dentries < limit + 2000, `${dentries} dentries with those that wait for a grace period`);
  asked.clear();
  ask(vfs, "f", 300);
  assert.deepEqual([...asked], []);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

for (const [most, batch] of [
  [0, 2],
  [7, 2],
  [100, 12],
] as const) {
  test(`row 121: a tree that is to keep ${most} names keeps no more`, async (t) => {
    const { vfs } = await driverTree(t, { maxPositiveDentries: most, maxNegativeDentries: most });
    for (const prefix of ["f", "none-"]) ask(vfs, prefix, 1000);
    const { negativeDentries, unusedDentries } = vfs.counters();
    for (const kept of [negativeDentries, unusedDentries - negativeDentries])
      assert.ok(kept <= most + batch && kept >= most - batch, `${kept} are kept`);
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });
}

// Fails when lookupFast() passes over D_IDLE, for a file also when SPECIAL in rcu-walk.ts does not have it, and when lruAdd() does not list
// an idle dentry first again.
for (const [what, hot, others] of [
  ["file", "f0", "f1"],
  ["name that does not exist", "hot", "none-"],
] as const) {
  test(`row 121: a ${what} that is asked for between others stays, and nearly all walks to it end in rcu mode`, async (t) => {
    const { vfs, asked } = await driverTree(t, { maxPositiveDentries: 400, maxNegativeDentries: 400 });
    const rounds = 400;
    const exists = isFile(hot);
    let ref = 0;
    const endedRef = () => vfs.counters().endedRef;
    for (let n = 0; n < rounds; n++) {
      ask(vfs, `${others}${n}`, 10);
      const before = endedRef();
      assert.equal(vfs.fs.existsSync(`/m/${hot}`), exists);
      ref += endedRef() - before;
    }
    assert.equal(asked.get(hot), 1);
    assert.ok(ref > 1 && ref < rounds / 5, `${ref} of ${rounds} walks ended with references`);
    assert.ok(vfs.counters().activatedDentries >= ref - 1);
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });
}

// Fails when lookupFast() leaves rcu mode for every idle dentry: EAGAIN.
test("row 121: RESOLVE_CACHED finds a file that has not been used lately", async (t) => {
  const { vfs } = await driverTree(t, { maxPositiveDentries: 100 });
  ask(vfs, "f", 90);
  for (let n = 0; n < 90; n++) vfs.fs.closeSync(vfs.openat2Sync(null, `/m/f${n}`, { resolve: "cached" }));
});

// Fails when dInstantiate() or dentryUnlinkInode() leaves the dentry in its list.
test("row 121: a cached name that is created, or removed, counts among those that exist, or do not", async (t) => {
  const names = new Map<string, number>();
  const { vfs } = await driverTree(
    t,
    {},
    {
      lookup: (_dir, name) => {
        const ino = names.get(name);
        return ino === undefined ? null : { ino, mode: 0o100644 };
      },
      create(_dir, name) {
        names.set(name, 100 + names.size);
        return { ino: 100 + names.size - 1, mode: 0o100644 };
      },
      unlink: (_dir, _ino, name) => void names.delete(name),
    },
  );
  const kinds = () => {
    const { unusedDentries, negativeDentries } = vfs.counters();
    return [unusedDentries - negativeDentries, negativeDentries];
  };
  assert.equal(vfs.fs.existsSync("/m/a"), false);
  assert.deepEqual(kinds(), [0, 1]);
  vfs.fs.closeSync(vfs.fs.openSync("/m/a", "wx"));
  assert.deepEqual(kinds(), [1, 0]);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
  vfs.fs.unlinkSync("/m/a");
  assert.deepEqual(kinds(), [0, 1]);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

test("the limits are integers of at least 0", async () => {
  for (const name of ["maxPositiveDentries", "maxNegativeDentries"]) {
    for (const n of [-1, 1.5, 2 ** 31, Number.NaN])
      await assert.rejects(createVfs({ maxBytes: 4 << 20, [name]: n }), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(createVfs({ maxBytes: 4 << 20, [name]: "1" }), { code: "ERR_INVALID_ARG_TYPE" });
  }
});
