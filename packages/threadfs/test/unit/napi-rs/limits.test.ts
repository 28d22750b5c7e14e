/** threadfs/napi-rs: the memory that a binding imports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLimits } from "../../../dist/src/napi-rs/limits.js";

const text = (value: string): number[] => [value.length, ...new TextEncoder().encode(value)];
const named = (name: string, ...rest: number[]): number[] => [...text("env"), ...text(name), ...rest];
const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];

/** A program with these imports, behind a section of the tools and one of types. */
function program(...imports: number[][]): Uint8Array {
  const types = section(1, [1, 0x60, 0, 0]);
  const tools = section(0, [...text("tools"), 2, 5, 2]);
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return new Uint8Array([...header, ...tools, ...types, ...section(2, [imports.length, ...imports.flat()])]);
}

const OTHERS = [
  named("call", 0, 0),
  named("table", 1, 0x70, 1, 1, 0x80, 1),
  named("elements", 1, 0x70, 0, 3),
  named("global", 3, 0x7f, 0),
];

test("the limits of the first memory, behind other imports", () => {
  const shared = program(...OTHERS, named("memory", 2, 3, 0x80, 0x80, 2, 0x80, 0x80, 4));
  new WebAssembly.Module(shared as BufferSource);
  assert.deepEqual(memoryLimits(shared), { initial: 32_768, maximum: 65_536 });
  assert.deepEqual(memoryLimits(program(named("memory", 2, 0, 17))), { initial: 17, maximum: 65_536 });
  const tagged = program(named("tag", 4, 0, 0), named("memory", 2, 1, 1, 2));
  assert.deepEqual(memoryLimits(tagged.buffer), { initial: 1, maximum: 2 });
  const within = new Uint8Array([9, ...tagged, 9]).subarray(1, tagged.length + 1);
  assert.deepEqual(memoryLimits(new DataView(within.buffer, 1, tagged.length)), { initial: 1, maximum: 2 });
});

test("without a memory, or what is no program, there are none", () => {
  assert.equal(memoryLimits(program(...OTHERS)), undefined);
  assert.equal(memoryLimits(program(named("other", 7))), undefined);
  assert.equal(memoryLimits(new Uint8Array(8)), undefined);
  assert.equal(memoryLimits(new WebAssembly.Module(program() as BufferSource)), undefined);
  assert.equal(memoryLimits("module"), undefined);
  const cut = program(...OTHERS, named("memory", 2, 1, 1, 2));
  for (let length = 0; length < cut.length - 5; length++)
    assert.equal(memoryLimits(cut.subarray(0, length)), undefined);
});
