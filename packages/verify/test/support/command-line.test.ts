/** The command line of the checks (packages/verify/src/support/command-line.ts). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
/** The arguments before the options: one check each, and none, which is all of them. */
const CHECKS: Record<string, string[]> = {
  run: [],
  storefree: ["storefree"],
  coherence: ["coherence"],
  interleave: ["interleave"],
  races: ["races"],
  death: ["death"],
  terminate: ["terminate"],
  alloc: ["alloc"],
  fsck: ["fsck"],
  torture: ["torture"],
  hostile: ["hostile"],
  planted: ["planted"],
};

function start(check: string[], ...args: string[]) {
  return spawnSync(process.execPath, [COMMAND, ...check, ...args], { encoding: "utf8" });
}

for (const [name, check] of Object.entries(CHECKS)) {
  test(`${name}: --help lists the options, and an unknown option is an error`, () => {
    const help = start(check, "--help");
    assert.match(help.stdout, /^options: .*--seed \.\.\./m);
    assert.equal(help.status, 0, help.stderr);
    const wrong = start(check, "--no-such-option");
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^Unknown option '--no-such-option'/);
    assert.doesNotMatch(wrong.stderr, /\n\s+at /);
  });
}

test("an argument that is no number, or a number that is too small, is an error", () => {
  for (const [option, ...value] of [
    ["--seconds", "x"],
    ["--seconds", "0"],
    ["--seed=-1"],
    ["--seed", "1.5"],
    ["--bound", ""],
  ] as const) {
    const args = [option, ...value];
    const { status, stderr } = start(["interleave"], ...args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, new RegExp(`^${option.split("=")[0]} takes a number`));
  }
});

test("an unknown check is an error", () => {
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, "none-such"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /no check none-such; there are storefree,coherence/);
});
