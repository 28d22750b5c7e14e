/** Links of drivers in rcu mode: a text that never changes and is kept, and a hook that is asked there. Row 104. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { ERRNO, S_IFDIR, S_IFLNK, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver, HookMode } from "../../../dist/src/index.js";
import { counterGrowth, gauges } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { argumentsOf, type HookName, memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { setUp } from "../../support/interleavings.js";
import { cachedWalker } from "../../support/prefix-cache.js";

const IN_RCU: HookMode = { rcu: true };
const IN_REF: HookMode = { rcu: false };
/** The longest text of a link, and the longest of which a walk in rcu mode makes a copy. */
const LONGEST = 4095;
const LONGEST_IN_RCU = 4094;

/** A tree with a driver at /m that has a directory d with a file f, and a link l to d. */
async function withLink(t: TestScope, properties: Partial<Driver>, hooks: readonly HookName[] = []) {
  const { vfs, walker, peer } = await setUp(t);
  const { driver, calls, make, nodes } = memoryDriver("links", ["lookup", "readlink", ...hooks]);
  Object.assign(driver, properties);
  const dir = make(ROOT, "d", S_IFDIR | 0o755);
  make(dir, "f", S_IFREG | 0o644);
  const link = make(ROOT, "l", S_IFLNK | 0o777, { target: "d" });
  mountDriver(vfs, driver);
  for (const other of [walker, peer]) other.registerDriver(driver);
  vfs.fs.statSync("/m/d/f");
  vfs.fs.lstatSync("/m/l");
  calls.length = 0;
  const grown = (run: () => unknown) => counterGrowth(() => vfs.counters(), run);
  const asked = () => argumentsOf(calls, "readlink").length;
  return { vfs, walker, peer, grown, driver, calls, asked, make, nodes, dir, link };
}

// Taken out, one at a time: keepLinkBody() in readDriverLink(); the body in memory (pickLinkRcu()); the length in `shape`: the walk then takes the size.
test("row 104: a text that never changes is asked for once, and every thread then walks over the link in rcu mode", async (t) => {
  const { vfs, walker, grown, asked } = await withLink(t, { cacheLinks: true });
  const first = grown(() => vfs.fs.statSync("/m/l/f"));
  assert.deepEqual([first.dropLink, first.endedRef, asked()], [1, 1, 1]);
  for (const { fs } of [vfs, walker]) {
    const c = grown(() => fs.statSync("/m/l/f"));
    assert.deepEqual([c.walks, c.endedRcu, c.dropLink], [1, 1, 0]);
    assert.equal(fs.readlinkSync("/m/l"), "d");
  }
  vfs.walkMode({ ref: true });
  vfs.fs.statSync("/m/l/f");
  assert.equal(asked(), 1);
});

// Taken out: keepLinkBody() in readLink().
test("readlink keeps the text too, and takes it from memory", async (t) => {
  const { vfs, grown, asked } = await withLink(t, { cacheLinks: true });
  assert.equal(vfs.fs.readlinkSync("/m/l"), "d");
  assert.equal(vfs.fs.readlinkSync("/m/l"), "d");
  const c = grown(() => vfs.fs.statSync("/m/l/f"));
  assert.deepEqual([c.endedRcu, asked()], [1, 1]);
});

// Taken out: the condition FS_CACHE_LINKS (keepsLinkBody() always true).
test("without cacheLinks the driver is asked each time, outside of rcu mode", async (t) => {
  const { vfs, grown, asked, nodes, link } = await withLink(t, {});
  vfs.fs.statSync("/m/l/f");
  nodes.get(link).target = "none";
  const c = grown(() => refused("ENOENT", () => vfs.fs.statSync("/m/l/f")));
  assert.deepEqual([c.dropLink, c.endedRef, asked()], [1, 1, 2]);
  assert.equal(vfs.fs.readlinkSync("/m/l"), "none");
});

// Taken out: linkBodySize() (the inode's size in its place).
test("the length of a kept text is its own: the driver's size and new attributes do not matter", async (t) => {
  const { vfs, driver, make, nodes, grown } = await withLink(
    t,
    { cacheLinks: true, generation: true, on: {} } as Partial<Driver>,
    ["revalidate", "setattr"],
  );
  const texts = ["d", "./d", `${"./".repeat(1000)}d`, `${"./".repeat((LONGEST_IN_RCU - 2) / 2)}/d`];
  for (const [n, target] of texts.entries()) {
    const link = make(ROOT, `l${n}`, S_IFLNK | 0o777, { target, text: "size" });
    vfs.fs.statSync(`/m/l${n}/f`);
    const c = grown(() => vfs.fs.statSync(`/m/l${n}/f`));
    assert.deepEqual([c.endedRcu, c.dropLink], [1, 0], `${target.length} bytes`);
    assert.equal(vfs.fs.lstatSync(`/m/l${n}`).size, 4);
    nodes.get(link).text = "longer than before";
    driver.on.revalidate = (_dir, node) => (node === null ? false : nodes.attributes(node));
    vfs.invalidate("/m");
    assert.equal(vfs.fs.lstatSync(`/m/l${n}`).size, 18);
    assert.equal(vfs.fs.readlinkSync(`/m/l${n}`), target);
    assert.ok(vfs.fs.statSync(`/m/l${n}/f`).isFile());
  }
});

test("a text of no bytes, and one that is too long for a copy", async (t) => {
  const { vfs, make, grown, asked } = await withLink(t, { cacheLinks: true });
  make(ROOT, "empty", S_IFLNK | 0o777, { target: "" });
  make(ROOT, "long", S_IFLNK | 0o777, { target: `${"./".repeat((LONGEST - 1) / 2)}d` });
  make(ROOT, "longer", S_IFLNK | 0o777, { target: "x".repeat(LONGEST + 1) });
  for (const name of ["empty", "long", "longer"]) vfs.fs.lstatSync(`/m/${name}`);
  for (let n = 1; n <= 2; n++) {
    refused("ENOENT", () => vfs.fs.statSync("/m/empty/f"));
    assert.equal(vfs.fs.readlinkSync("/m/empty"), "");
    const c = grown(() => vfs.fs.statSync("/m/long/f"));
    assert.deepEqual([c.dropLink, c.endedRef], [1, 1], "a walk in ref mode reads it in its place");
    refused("ENAMETOOLONG", () => vfs.fs.statSync("/m/longer/f"));
    refused("ENAMETOOLONG", () => vfs.fs.readlinkSync("/m/longer"));
  }
  // The empty one and the one that is too long are asked for each time, the other once.
  assert.equal(asked(), 4 + 4 + 1);
});

// Taken out: the comparison with 0 in keepLinkBody(): the text of the first is then replaced and freed while others read it; slabFree() of the second.
test("of two threads that ask at one time the first text counts, and nothing is lost", async (t) => {
  const { vfs, walker, driver, asked } = await withLink(t, { cacheLinks: true });
  driver.on.readlink = (node) => {
    delete driver.on.readlink;
    // Another thread is faster.
    walker.fs.statSync("/m/l/f");
    return node === 0 ? "" : "./d";
  };
  assert.ok(vfs.fs.statSync("/m/l/f").isFile());
  assert.equal(asked(), 2);
  assert.equal(vfs.fs.readlinkSync("/m/l"), "d");
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Taken out: freeInodeBlocks() for a link of a driver.
test("a kept text goes with its node", async (t) => {
  const { vfs, make, driver } = await withLink(t, { cacheLinks: true });
  for (let n = 0; n < 200; n++) make(ROOT, `l${n}`, S_IFLNK | 0o777, { target: `${"./".repeat(1500)}d` });
  const level = gauges(vfs);
  const used: number[] = [];
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 200; n++) vfs.fs.statSync(`/m/l${n}/f`);
    assert.deepEqual(gauges(vfs), level);
    used.push(vfs.counters().chunksUsed);
  }
  assert.deepEqual(used, [used[0], used[0], used[0]]);
  driver.on.readlink = () => "none";
  refused("ENOENT", () => vfs.fs.statSync("/m/l0/f"));
  vfs.umount("/m");
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Taken out: the driver's links in gatherLink().
test("the prefix cache holds a path over a kept link, until the link is another node", async (t) => {
  const { vfs, make, asked } = await withLink(t, { cacheLinks: true }, ["unlink", "create"]);
  const long = "a-directory-whose-name-is-long-enough-for-an-entry";
  const dir = make(ROOT, long, S_IFDIR | 0o755);
  make(dir, "to", S_IFLNK | 0o777, { target: "../d" });
  const path = `/m/${long}/to/f`;
  const { ino } = vfs.fs.statSync(path);
  // The walker has no driver: no hook is called.
  const walker = cachedWalker(t, vfs.handle).learn(path);
  assert.equal(walker.ino(path), ino);
  assert.ok(walker.knows(path));
  vfs.fs.unlinkSync(`/m/${long}/to`);
  vfs.fs.symlinkSync("none", `/m/${long}/to`);
  const before = asked();
  refused("ENOENT", () => vfs.fs.statSync(path));
  assert.equal(asked(), before + 1);
  assert.equal(walker.ino(path), -ERRNO.ENOENT);
});

// Taken out: RCU_READLINK (askLinkBodyRcu()); putLink there.
test("row 104: readlink() is told the mode, and answers in rcu mode", async (t) => {
  const { vfs, grown, calls, link } = await withLink(t, { rcu: ["readlink"] }, ["putLink"]);
  const c = grown(() => vfs.fs.statSync("/m/l/f"));
  assert.deepEqual([c.endedRcu, c.dropLink], [1, 0]);
  assert.deepEqual(calls, [
    ["readlink", link, IN_RCU],
    ["putLink", link],
  ]);
  calls.length = 0;
  vfs.walkMode({ ref: true });
  vfs.fs.statSync("/m/l/f");
  assert.equal(vfs.fs.readlinkSync("/m/l"), "d");
  assert.deepEqual(argumentsOf(calls, "readlink"), [
    [link, IN_REF],
    [link, IN_REF],
  ]);
  assert.equal(argumentsOf(calls, "putLink").length, 2);
});

// Taken out: -ECHILD for null, for a magic link, for a text without room, one at a time.
test("row 104: null, a descriptor, and a text without room are asked for again outside of rcu mode", async (t) => {
  const { vfs, grown, driver, calls, link } = await withLink(t, { rcu: ["readlink"] });
  const fd = vfs.fs.openSync("/m/d");
  const answers: Driver["readlink"][] = [
    (_node, mode) => (mode?.rcu ? null : "d"),
    (_node, mode) => {
      if (mode?.rcu) throw errorWithCode("ECHILD");
      return "d";
    },
    () => fd,
    () => `${"./".repeat((LONGEST - 1) / 2)}d`,
  ];
  for (const readlink of answers) {
    driver.on.readlink = readlink as NonNullable<Driver["readlink"]>;
    calls.length = 0;
    const c = grown(() => codeOf(() => vfs.fs.statSync("/m/l/f")));
    assert.deepEqual([c.dropLink, c.endedRcu, c.endedRef], [1, 0, 1], `${readlink}`);
    assert.deepEqual(argumentsOf(calls, "readlink"), [
      [link, IN_RCU],
      [link, IN_REF],
    ]);
  }
  driver.on.readlink = () => null as unknown as string;
  assert.throws(() => vfs.fs.statSync("/m/l/f"), { code: "EIO", message: /readlink.*links.*null/ });
  vfs.fs.closeSync(fd);
});

// Taken out: the errno of askLinkBodyRcu() (-ECHILD in its place).
test("row 104: an error that readlink() throws in rcu mode is the call's", async (t) => {
  const { vfs, grown, driver, asked } = await withLink(t, { rcu: ["readlink"] });
  for (const code of ["EACCES", "EIO", "ENOENT"]) {
    const before = asked();
    driver.on.readlink = () => {
      throw errorWithCode(code);
    };
    const c = grown(() => refused(code, () => vfs.fs.statSync("/m/l/f")));
    assert.deepEqual([c.endedRcu, c.dropLink, asked() - before], [1, 0, 1]);
  }
});

// Taken out: the result of rcuReadUnlock() at the end of the walk, with rcuValid() behind the hook.
test("row 104: a readlink() that stands still is expelled from its section, and its walk begins again", async (t) => {
  for (const outcome of ["d", "ENOENT"]) {
    const { vfs, walker, peer, driver, grown } = await withLink(t, { rcu: ["readlink"] });
    const modes: unknown[] = [];
    driver.on.readlink = (_node, mode) => {
      if (modes.push(mode?.rcu) > 1) return "d";
      let time = performance.now();
      const mocked = t.mock.method(performance, "now", () => (time += 2000));
      peer.synchronizeRcu();
      mocked.mock.restore();
      if (outcome === "ENOENT") throw errorWithCode(outcome);
      return outcome;
    };
    const c = grown(() => assert.ok(walker.fs.statSync("/m/l/f").isFile()));
    assert.deepEqual([c.expelledReaders, c.endedRef], [1, 1]);
    assert.deepEqual(modes, [true, false]);
    vfs.umount("/m");
  }
});

// Taken out, one at a time: the checks of cacheLinks in flagsOf().
test("cacheLinks and readlink in rcu are checked when the driver is registered", async (t) => {
  const { vfs } = await treeFor(t);
  const driver = (more: object): Driver => ({ name: "x", root: () => ({ ino: 1, mode: S_IFDIR }), ...more }) as Driver;
  for (const [more, code] of [
    [{ cacheLinks: 1, readlink: () => "" }, "ERR_INVALID_ARG_TYPE"],
    [{ cacheLinks: true }, "ERR_INVALID_ARG_VALUE"],
    [{ rcu: ["readlink"] }, "ERR_INVALID_ARG_VALUE"],
  ] as const)
    refused(code, () => vfs.registerDriver(driver(more)), JSON.stringify(more));
  vfs.registerDriver(driver({ readlink: () => "", cacheLinks: true }));
  refused("EEXIST", () => vfs.registerDriver(driver({ readlink: () => "" })));
});

// Taken out: D_SYMLINK in dWriteBegin(). The entry leads where the link of the driver led before it was forgotten.
test("an entry of the prefix cache over a link of a driver is not used once the link's dentry was freed", async (t) => {
  const { vfs, driver, make, nodes } = await withLink(t, { cacheLinks: true });
  // So that no directory is freed with the link below.
  vfs.shrink(1 << 20);
  for (const top of ["/directory-of-the-first-target", "/directory-of-the-other-target"]) {
    vfs.fs.mkdirSync(top);
    vfs.fs.writeFileSync(`${top}/file`, top);
  }
  make(ROOT, "link-that-leads-out-of-the-driver", S_IFLNK | 0o777, { target: "/directory-of-the-first-target" });
  const path = "/m/link-that-leads-out-of-the-driver/file";
  const walker = cachedWalker(t, vfs.handle);
  walker.attachment.drivers.register(driver, 0);
  const first = walker.learn(path).ino(path);
  // The driver has another link now, of which nobody is told: it is asked when the name is no longer in memory.
  delete nodes.namesOf(ROOT)["link-that-leads-out-of-the-driver"];
  make(ROOT, "link-that-leads-out-of-the-driver", S_IFLNK | 0o777, { target: "/directory-of-the-other-target" });
  assert.equal(walker.ino(path), first);
  vfs.shrink(1 << 20);
  assert.equal(walker.ino(path), vfs.fs.statSync("/directory-of-the-other-target/file").ino);
});
