/** The command line of the checks (verify/lib/main.js). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../verify/", import.meta.url);
/** Programs, without their workers. */
const CHECKS = readdirSync(FOLDER).flatMap((name) => /^(\w+)\.js$/.exec(name)?.[1] ?? []);

function start(check, ...args) {
  const file = fileURLToPath(new URL(`${check}.js`, FOLDER));
  return spawnSync(process.execPath, [file, ...args], { encoding: "utf8" });
}

test("there are checks", () => assert.ok(CHECKS.includes("run") && CHECKS.length > 10, CHECKS.join()));

for (const check of CHECKS) {
  test(`${check}: --help names the options, one that there is not ends it`, () => {
    const help = start(check, "--help");
    assert.match(help.stdout, /^options: .*--seed \.\.\./m);
    assert.equal(help.status, 0, help.stderr);
    const wrong = start(check, "--no-such-option");
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^Unknown option '--no-such-option'/);
    assert.doesNotMatch(wrong.stderr, /\n\s+at /);
  });
}

test("a number that is none, or too small, ends it", () => {
  for (const args of [["--seconds", "x"], ["--seconds", "0"], ["--seed=-1"], ["--seed", "1.5"], ["--bound", ""]]) {
    const { status, stderr } = start("interleave", ...args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, new RegExp(`^${args[0].split("=")[0]} takes a number`));
  }
});
