/** A driver's hook that takes its time: what other threads do meanwhile, in its directory and elsewhere, and what becomes of its own call. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../../dist/abi/abi.js";
import type { Driver, FsSync } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { type HookName, memoryDriver, mountDriver, ROOT, walkCode } from "../../../support/drivers/memory-driver.js";
import { codeOf } from "../../../support/errors.js";

/** How long a call waits for another thread here, in milliseconds. */
const LIMIT_MS = 5;
/** What each look at the clock adds while the hook runs: more than any limit of the tree, in milliseconds. */
const LONG_MS = 30_000;

interface Slow {
  readonly call: (fs: FsSync) => unknown;
  /** Whether the hook changes the directory, so that others who would change it wait, or ask the driver in it. */
  readonly changes?: true;
  /** The hook may be called in rcu mode. */
  readonly rcu?: true;
}

/** A call that comes to the hook, at the node d/f or in the directory d. */
const HOOKS: Partial<Record<HookName, Slow>> = {
  lookup: { call: (fs) => fs.statSync("/m/d/asked") },
  readdir: { call: (fs) => fs.readdirSync("/m/d") },
  read: { call: (fs) => fs.readFileSync("/m/d/f") },
  write: { call: (fs) => fs.writeFileSync("/m/d/f", "text", { flag: "r+" }) },
  readlink: { call: (fs) => fs.readlinkSync("/m/d/l") },
  setattr: { call: (fs) => fs.chmodSync("/m/d/f", 0o600) },
  permission: { call: (fs) => fs.accessSync("/m/d/f", 0), rcu: true },
  revalidate: { call: (fs) => fs.accessSync("/m/d/f", 0), rcu: true },
  create: { call: (fs) => fs.mkdirSync("/m/d/made"), changes: true },
  unlink: { call: (fs) => fs.unlinkSync("/m/d/removed"), changes: true },
};

/** A clock that moves on by so much at each look at it; returns how far it has come, and ends. */
function hurry(t: TestContext): () => number {
  const begin = performance.now();
  let time = begin;
  const mocked = t.mock.method(performance, "now", () => (time += LONG_MS));
  return () => {
    mocked.mock.restore();
    return time - begin;
  };
}

for (const [hook, { call, changes = false, rcu = false }] of Object.entries(HOOKS) as [HookName, Slow][]) {
  const others = changes ? "others wait to change it, for their own time" : "others change it";
  // Fails when a mutex of the directory is held over the hook (askDriver() in lookup.ts, the listing of a driver's directory).
  test(`row 115: while ${hook} takes longer than any limit, the directory is walked and ${others}; the call has its result, and nobody is dead`, async (t) => {
    const tree = await treeFor(t, { lockTimeoutMs: LIMIT_MS });
    const { vfs } = tree;
    const other = await tree.attach({ lockTimeoutMs: LIMIT_MS });
    const names = [...new Set<HookName>(["lookup", "create", "unlink", "readdir", "read", "setattr", hook])];
    const { driver, make } = memoryDriver("slow", names);
    if (rcu) driver.rcu = [hook as NonNullable<Driver["rcu"]>[number]];
    const dir = make(ROOT, "d", S_IFDIR | 0o755);
    for (const name of ["f", "asked", "other", "old", "removed"]) make(dir, name, S_IFREG | 0o644, { text: "text" });
    make(dir, "l", S_IFLNK | 0o777, { target: "f" });
    mountDriver(vfs, driver);
    other.registerDriver(driver);
    vfs.fs.mkdirSync("/elsewhere");
    for (const path of ["/m/d/f", "/m/d/removed", "/m/d/old"]) vfs.fs.lstatSync(path);
    const seen: (string | undefined)[] = [];
    let passed = 0;
    const slow = (...args: unknown[]): unknown => {
      delete driver.on[hook];
      // The other thread waits for a grace period too: a hook in rcu mode is expelled from its section then.
      const stop = hurry(t);
      if (rcu) other.synchronizeRcu();
      seen.push(
        walkCode(other, "/m/d/f"),
        codeOf(() => other.fs.writeFileSync("/elsewhere/file", "x")),
        walkCode(other, "/m/d/other"),
        codeOf(() => other.fs.mkdirSync("/m/d/new")),
        codeOf(() => other.fs.unlinkSync("/m/d/old")),
      );
      passed = stop();
      return (driver[hook] as (...args: unknown[]) => unknown)(...args);
    };
    Object.assign(driver.on, { [hook]: slow });
    assert.equal(
      codeOf(() => call(vfs.fs)),
      undefined,
    );
    const waits = changes ? "ERR_THREADFS_TIMEOUT" : undefined;
    assert.deepEqual(seen, [undefined, undefined, waits, waits, waits]);
    assert.ok(!(rcu || changes) || passed >= LONG_MS, `${passed} ms`);
    for (const path of ["/m/d/other", "/m/d/f", "/elsewhere/file"])
      assert.equal(walkCode(other, path), undefined, path);
    assert.equal(walkCode(vfs, "/m/d/new"), changes ? "ENOENT" : undefined);
    // Both threads have their slots, and an open settles what calls have left.
    vfs.fs.closeSync(vfs.fs.openSync("/", "r"));
    const live = [vfs.threadSlot, other.threadSlot];
    assert.deepEqual(check(vfs.handle.memory, { live }).problems.map(String), []);
  });
}
