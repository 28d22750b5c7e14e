/** The results of a run as markdown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Result, replaceResults, resultsText } from "../../dist/support/results.js";

const result: Result = {
  name: "races",
  title: "no race | none",
  ok: false,
  seconds: 1234,
  seed: 5,
  explored: { pairs: 123456, note: "a\nb" },
  failures: [{ message: "a race", replay: "--seed 5" }],
};

test("the results have a row for each check, its counts and its failures", () => {
  assert.deepEqual(resultsText([result], "Here.").split("\n"), [
    "Here.",
    "",
    "| check | subject | result | seconds | seed |",
    "| --- | --- | --- | ---: | ---: |",
    "| races | no race \\| none | FAILS | 1,234 | 5 |",
    "",
    "### races",
    "",
    "- pairs: 123,456",
    "- note: a b",
    "- FAILED: a race; replay with `--seed 5`",
  ]);
});

test("the results show at most 20 counts of a check and say how many are left out", () => {
  const explored = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`c${i}`, i]));
  const lines = resultsText([{ ...result, ok: true, explored, failures: [] }], "Here.").split("\n");
  assert.equal(lines.at(-1), "- and 3 more counts");
  assert.equal(lines.filter((line) => line.startsWith("- c")).length, 20);
});

test("results replace what stands between the two marks, and nothing else", () => {
  const document = "a\n<!-- last run -->\nold\n<!-- end of last run -->\nb\n";
  assert.equal(replaceResults(document, "new"), "a\n<!-- last run -->\n\nnew\n\n<!-- end of last run -->\nb\n");
  assert.throws(() => replaceResults("a", "new"), /no <!-- last run -->/);
});
