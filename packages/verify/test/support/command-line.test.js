/** The command line of the checks (packages/verify/src/support/command-line.js). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../dist/", import.meta.url);
/** Programs, by their names. */
const CHECKS = {
  run: "main.js",
  storefree: "coherence/storefree.js",
  coherence: "coherence/coherence.js",
  interleave: "explore/interleave.js",
  races: "races/races.js",
  death: "deaths/death.js",
  terminate: "deaths/terminate.js",
  alloc: "alloc/alloc.js",
  fsck: "fsck/fsck.js",
  torture: "torture/torture.js",
  hostile: "hostile/hostile.js",
  planted: "planted/planted.js",
};

function start(check, ...args) {
  const file = fileURLToPath(new URL(CHECKS[check], FOLDER));
  return spawnSync(process.execPath, [file, ...args], { encoding: "utf8" });
}

for (const check of Object.keys(CHECKS)) {
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
