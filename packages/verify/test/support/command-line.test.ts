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
  escape: ["escape"],
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
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /^ERR_VERIFY_OPTION: Unknown option '--no-such-option'/);
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
    assert.equal(status, 1, args.join(" "));
    assert.match(stderr, new RegExp(`^ERR_VERIFY_OPTION: ${option.split("=")[0]} takes a number`));
  }
});

/** Arguments that leave a check nothing to do. */
const NOTHING: string[][] = [
  ["--only", "none-such"],
  ["interleave", "--only", "none-such"],
  ["interleave", "--only", "none-such || stat"],
  ["interleave", "--only", "none-such@stat"],
  ["interleave", "--short", "--only", "none-such"],
  ["interleave", "--bound", "9"],
  ["interleave", "--part", "9/9", "--only", "names@sysRename(path=/d/n || sysUnlink"],
  ["interleave", "--replay", "small|9999|1:a-b"],
  ["races", "--only", "none-such"],
  ["races", "--short", "--only", "none-such"],
  ["death", "--only", "none-such"],
  ["death", "--meanwhile", "none-such"],
  ["death", "--only", "pages write", "--meanwhile", "umount"],
  ["alloc", "--only", "none-such"],
  ["planted", "--only", "none-such"],
  ["torture", "--planted", "none-such"],
];
// Fails where an empty list of things to check reports that all of them hold.
for (const args of NOTHING) {
  test(`${args.join(" ")}: a check that is left nothing to check fails`, () => {
    const { status, stdout, stderr } = start([], ...args);
    assert.equal(status, 1, stdout);
    assert.match(stderr, /^ERR_VERIFY_NO_MATCH: /);
    assert.doesNotMatch(stderr, /\n\s+at /);
    assert.doesNotMatch(stdout, /holds/);
  });
}

test("an unknown check is an error", () => {
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, "none-such"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /no check none-such; there are storefree,coherence/);
});
