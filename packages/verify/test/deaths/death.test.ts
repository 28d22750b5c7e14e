/** Deaths: the short form, operations with all their accesses, bystanders, and a recovery that does nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../dist/deaths/death.js";

test("a thread may die at any access: some accesses of every operation", async (t) => {
  const { ok, explored, failures } = await run({ seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.complete, explored.operations);
  assert.ok(Number(explored.operations) > 300, `${explored.operations} operations`);
  assert.ok(Number(explored.deaths) > 2000, `${explored.deaths} deaths`);
  assert.ok(Number(explored["abandoned calls"]) > 300, `${explored["abandoned calls"]} abandoned calls`);
});

test("an operation is stopped at every access that it makes, one after the other", async () => {
  const only = "small mkdir: sysMkdir(path=/d/x mode=493)";
  const { ok, explored, failures } = await run({ seed: 5, only, everySecondDeath: false });
  assert.deepEqual(failures, []);
  assert.ok(ok && explored.complete === explored.operations && Number(explored.operations) > 0);
});

test("the thread that recovers another may die at any access, in the recount of references too", async () => {
  const { ok, explored, failures } = await run({
    seed: 5,
    short: true,
    everySecondDeath: true,
    only: "small unlink: sysUnlink(path=/d/f)",
  });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.ok(Number(explored["deaths of the recovering thread"]) > 150, JSON.stringify(explored));
});

test("a thread that leaves its call, at any access, takes back what it has begun and goes on", async () => {
  const { ok, explored, failures } = await run({
    seed: 7,
    short: true,
    only: "rename: sysRename(path=/d/",
  });
  assert.deepEqual(failures, []);
  assert.ok(ok && Number(explored["abandoned calls"]) > 10, JSON.stringify(explored));
});

test("what a bystander sees between a death and the recovery has happened, or is not undone afterwards", async () => {
  const { ok, explored, failures } = await run({
    seed: 1,
    short: true,
    only: "small unlink: sysUnlink(path=/d/f)",
    meanwhile: "stat: sysStat(path=/d/e/../f)",
  });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  const done = Number(explored["operations of a bystander before the recovery"]);
  assert.ok(done > 5 && Number(explored["of these, operations that would have waited"]) < done);
});

// Cases that were wrong once: the other thread has to wait for the dead one, or the recount runs a second time.
const FOUND: [only: string, meanwhile: string, what: string][] = [
  ["mounts umount: sysUmount(path=/m flags=0)", "stat: sysStat(path=/m/f)", "an umount that is undone"],
  [
    "acls chown: sysChown(path=/d/e/f uid=2000",
    "acl: sysSetacl(path=/d/e/f acl=[] ctx=1",
    "a change of owner that is undone",
  ],
  ["pages unlink: sysUnlink(path=/g)", "write: sysWrite(fd=4 offset=5000", "a close that is undone"],
  ["driver shrink", "open: sysOpen(path=/m/f", "a dentry that a rollback restores"],
  ["driver create: sysMkdir(path=/m/s/x", "stat: sysStat(path=/m/f)", "an entry that only the driver has"],
  ["driver stat: sysStat(path=/m/f)", "rename: sysRename(path=/m/f path2=/m/s/f", "a stale name that is added once"],
];
for (const [only, meanwhile, what] of FOUND) {
  test(`an operation before the recovery, or one that waits for it, gets a result that stays true: ${what}`, async () => {
    const { ok, explored, failures } = await run({ seed: 1, only, meanwhile, step: 2 });
    assert.deepEqual(failures, []);
    assert.ok(ok && Number(explored["operations of a bystander before the recovery"]) > 50);
  });
}

test("a recovery that releases nothing is reported", async () => {
  const { ok, failures } = await run({
    seed: 1,
    only: "sysMkdir(path=/d/x mode=493)",
    recover: () => [0],
  });
  assert.equal(ok, false);
  assert.ok(failures.length > 0);
});
