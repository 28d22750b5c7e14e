/** Tables that fit a width. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { breakText, outputWidth, tableText } from "../../dist/support/text-table.js";

const TABLE = {
  head: ["looked up by", "a second, each thread"],
  align: ["left", "right"],
  rows: [["threadfs, beside the mutator", "1,146,519 955,429"], ["memfs", "not installed"], ["only a name"]],
} as const;

test("a table that fits is one line a row, numbers to the right", () => {
  assert.equal(
    tableText(TABLE, 80),
    [
      "looked up by                  a second, each thread",
      "----------------------------  ---------------------",
      "threadfs, beside the mutator      1,146,519 955,429",
      "memfs                                 not installed",
      "only a name",
    ].join("\n"),
  );
});

test("cells are broken between words until the lines fit", () => {
  for (const width of [50, 40, 30, 24]) {
    const lines = tableText(TABLE, width).split("\n");
    for (const line of lines) assert.ok(line.length <= width, `${width}: ${line}`);
    for (const [row] of TABLE.rows) for (const word of row.split(" ")) assert.ok(lines.join(" ").includes(word), word);
  }
});

test("heads are broken before cells", () => {
  const [first, second, third, row] = tableText(TABLE, 47).split("\n");
  assert.equal(first, "looked up by                     a second, each");
  assert.equal(second, "                                         thread");
  assert.equal(third, "----------------------------  -----------------");
  assert.equal(row, "threadfs, beside the mutator  1,146,519 955,429");
});

test("a word is never broken, so a table has a least width", () => {
  assert.equal(tableText(TABLE, 1), tableText(TABLE, 10));
  assert.deepEqual(breakText("1,146,519 955,429", 3), ["1,146,519", "955,429"]);
});

test("the width is that of the terminal, else that of COLUMNS, else 80", () => {
  assert.equal(outputWidth({ columns: 132 }, "60"), 132);
  assert.equal(outputWidth({}, "60"), 60);
  for (const wrong of [undefined, "", "x", "0", "-5", "7.5"]) assert.equal(outputWidth({}, wrong), 80);
  assert.equal(outputWidth({ columns: 0 }, undefined), 80);
});
