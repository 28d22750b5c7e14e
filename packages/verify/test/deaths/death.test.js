/** Deaths: the short form; and faults of the recovery, planted in the binary, that it must tell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../dist/deaths/death.js";

test("a thread may die at any access: some places of every operation", async (t) => {
  const { ok, explored, failures } = await run({ seconds: 60, seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.ok(explored.deaths > 300, "it did not get far");
});

test("an operation is stopped at every access that it makes, one after the other", async () => {
  const { ok, explored, failures } = await run({ seconds: 60, seed: 5, only: "sysMkdir(path=/d/x mode=493)" });
  assert.deepEqual(failures, []);
  assert.ok(ok && explored.complete === explored.operations && explored.operations > 0);
});

test("what somebody sees between a death and the taking over has happened, or will not have", async () => {
  const { ok, explored, failures } = await run({
    seconds: 30,
    seed: 1,
    short: true,
    only: "small unlink: sysUnlink(path=/d/f)",
    meanwhile: "stat: sysStat(path=/d/e/../f)",
  });
  assert.deepEqual(failures, []);
  assert.ok(ok);
  const done = explored["operations of a bystander before the recovery"];
  assert.ok(done > 10 && explored["of these, operations that would have waited"] < done);
});

// What was found: each was wrong until somebody had to wait for the dead one, or the sweep had another look.
for (const [only, meanwhile, what] of [
  ["mounts umount: sysUmount(path=/m flags=0)", "stat: sysStat(path=/m/f)", "an umount that is taken back"],
  ["users chown: sysChown(path=/p uid=2000", "acl: sysSetacl(path=/p ", "an owner that is taken back"],
  ["pages unlink: sysUnlink(path=/g)", "write: sysWrite(fd=4 offset=5000", "a close that is taken back"],
  ["driver shrink", "open: sysOpen(path=/m/f", "a dentry that comes back to life"],
  ["driver create: sysMkdir(path=/m/s/x", "stat: sysStat(path=/m/f)", "an entry that only the driver has"],
]) {
  test(`seen between a death and the taking over: ${what}`, async () => {
    const { ok, explored, failures } = await run({ seconds: 60, seed: 1, only, meanwhile });
    assert.deepEqual(failures, []);
    assert.ok(ok && explored["operations of a bystander before the recovery"] > 100);
  });
}

test("a taking over that gives nothing back is told", async () => {
  const { ok, failures } = await run({
    seconds: 30,
    seed: 1,
    only: "sysMkdir(path=/d/x mode=493)",
    recover: () => [0],
  });
  assert.equal(ok, false);
  assert.ok(failures.length > 0);
});
