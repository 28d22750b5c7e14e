/** A project with more names, and more bytes, than an answer of the proxy of napi-rs holds: about a hundred, and 10,240. */
import type { Fs } from "threadfs";

export const MODULES = 150;
export const LONG = 40_000;

export function fill(fs: Fs): void {
  fs.mkdirSync("/many");
  for (let n = 0; n < MODULES; n++) {
    const filler = n === 7 ? `export const long = "${"x".repeat(LONG)}";\n` : "";
    fs.writeFileSync(`/many/m${n}.ts`, `${filler}export const m${n}: number = ${n};\n`);
  }
  const lines = Array.from({ length: MODULES }, (_, n) => `export * from "./many/m${n}";\n`);
  fs.writeFileSync("/main.ts", lines.join(""));
}
