/**
 * Functions that a program imports and that may suspend it (WebAssembly.Suspending, of builds with JSPI). JavaScript cannot call those, and a program
 * cannot be suspended above a frame of JavaScript. So the choice between such a function and another one is made by a module of WebAssembly.
 */

type Decide = (...args: number[]) => number;

/** What `decide` returns where the suspending function is to be called. */
export const UNDECIDED = 1;

const I32 = 0x7f;
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const TYPES = 1;
const IMPORTS = 2;
const FUNCTIONS = 3;
const EXPORTS = 7;
const CODE = 10;

/** A section with one item or several. All of a module's numbers are below 128, which takes a byte each. */
function section(id: number, ...items: number[][]): number[] {
  const body = [items.length, ...items.flat()];
  return [id, body.length, ...body];
}

const name = (letter: string): number[] => [1, letter.charCodeAt(0)];

/** The module: its "f" calls "d", and with the same arguments "s" if the result is UNDECIDED. */
function moduleOf(parameters: number): Uint8Array<ArrayBuffer> {
  const type = [0x60, parameters, ...new Array<number>(parameters).fill(I32), 1, I32];
  const get = (local: number): number[] => [0x20, local];
  const args = Array.from({ length: parameters }, (_, local) => get(local)).flat();
  const result = parameters;
  const code = [
    // One local of i32: the result.
    ...[1, 1, I32, ...args, 0x10, 0, 0x22, result],
    // i32.const UNDECIDED, i32.eq, if, call 1, else, the result.
    ...[0x41, UNDECIDED, 0x46, 0x04, I32, ...args, 0x10, 1, 0x05, ...get(result), 0x0b, 0x0b],
  ];
  const imported = (letter: string): number[] => [...name("m"), ...name(letter), 0, 0];
  return new Uint8Array([
    ...HEADER,
    ...section(TYPES, type),
    ...section(IMPORTS, imported("d"), imported("s")),
    ...section(FUNCTIONS, [0]),
    ...section(EXPORTS, [...name("f"), 0, 2]),
    ...section(CODE, [code.length, ...code]),
  ]);
}

/** Whether an import is a function that may suspend the program. */
export function isSuspending(value: unknown): value is object {
  const { Suspending } = WebAssembly as unknown as { Suspending?: new (call: unknown) => object };
  return Suspending !== undefined && value instanceof Suspending;
}

/**
 * A function for a program to import in place of a suspending one.
 * @param parameters how many i32 both take
 * @param decide returns UNDECIDED where the suspending function is to be called, else the result
 */
export function decideBefore(suspending: object, parameters: number, decide: Decide): unknown {
  const imports = { m: { d: decide, s: suspending } } as unknown as WebAssembly.Imports;
  return new WebAssembly.Instance(new WebAssembly.Module(moduleOf(parameters)), imports).exports.f;
}
