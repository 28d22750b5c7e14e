/** The kernel's side of a test changes nothing of the machine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kernelPlace } from "../dist/kernel-place.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const isRoot = process.getuid?.() === 0;
const confined = isRoot && process.env.THREADFS_ORACLE_UNCONFINED !== "1";
const skip = confined ? false : "only a superuser's process is confined";

/** Tries to make each directory in a place; returns the codes of the errors, null for those that are made. */
function makeAll(at: (root: string) => string[]): (string | null)[] {
  const place = kernelPlace();
  const script = `
    const fs = require("node:fs");
    console.log(JSON.stringify(process.argv.slice(1).map((path) => {
      try { fs.mkdirSync(path); return null; } catch (error) { return error.code; }
    })));`;
  try {
    const args = [...place.command.execArgv, "-e", script, ...at(place.root)];
    const { stdout, stderr } = spawnSync(place.command.execPath, args, { encoding: "utf8" });
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  } finally {
    place.remove();
  }
}

test("the directory of a place is empty, can be searched by others and can be written", () => {
  assert.deepEqual(
    makeAll((root) => [`${root}/a`, `${root}/a`, `${root}/missing/b`]),
    [null, "EEXIST", "ENOENT"],
  );
});

test("the root directory of a superuser's place is not the machine's", { skip }, (t) => {
  let name = "";
  t.after(() => rmSync(name, { recursive: true, force: true }));
  const made = makeAll((root) => {
    name = `/${basename(root)}-made`;
    return [name, `${root}/../..${name}`];
  });
  assert.deepEqual(made, [null, "EEXIST"]);
  assert.equal(existsSync(name), false);
});

test("a superuser's place cannot write the machine's directories", { skip }, (t) => {
  const [ours, temporary] = [join(HERE, "made-by-kernel"), "/tmp/made-by-kernel"];
  t.after(() => {
    for (const made of [ours, temporary]) rmSync(made, { recursive: true, force: true });
  });
  assert.deepEqual(
    makeAll(() => [ours, temporary]),
    ["EROFS", "EROFS"],
  );
  assert.equal(existsSync(ours) || existsSync(temporary), false);
});

test("a superuser who may not mount is told what to do", { skip }, () => {
  const address = new URL("../dist/kernel-place.js", import.meta.url).href;
  const script = `import(${JSON.stringify(address)}).then(({ kernelPlace }) => kernelPlace().remove())`;
  const run = (env: NodeJS.ProcessEnv) => spawnSync(process.execPath, ["-e", script], { encoding: "utf8", env });
  const refused = run({ ...process.env, PATH: HERE });
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /run the tests as another user, .* or set THREADFS_ORACLE_UNCONFINED=1/);
  const allowed = run({ ...process.env, PATH: HERE, THREADFS_ORACLE_UNCONFINED: "1" });
  assert.equal(allowed.stderr, "");
  assert.equal(allowed.status, 0);
});
