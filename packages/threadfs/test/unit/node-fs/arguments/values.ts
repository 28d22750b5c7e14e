/** Wrong arguments of every sort, and which of them a place of a call is tried with. Made anew for each call. */

/** A value by what it is called in failures. */
export type Values = Readonly<Record<string, () => unknown>>;

class Named {
  readonly field = 1;
}

/** A view whose buffer has been transferred away. */
function detached<V extends ArrayBufferView>(make: (buffer: ArrayBuffer) => V): V {
  const buffer = new ArrayBuffer(8);
  const view = make(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return view;
}

/** A view of 8 bytes at offset 4 whose buffer has shrunk to `size`. */
function shrunk(size: number, length: number | undefined): Uint8Array {
  const Resizable = ArrayBuffer as unknown as new (
    size: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(size: number): void };
  const buffer = new Resizable(16, { maxByteLength: 16 });
  const view = new Uint8Array(buffer, 4, length);
  buffer.resize(size);
  return view;
}

const NOTHING: Values = { undefined: () => undefined, null: () => null };

const NUMBERS: Values = {
  "-1": () => -1,
  "-0.5": () => -0.5,
  "1.5": () => 1.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  "-Infinity": () => Number.NEGATIVE_INFINITY,
  "2 ** 31": () => 2 ** 31,
  "-(2 ** 31) - 1": () => -(2 ** 31) - 1,
  "2 ** 32": () => 2 ** 32,
  "2 ** 32 + 1": () => 2 ** 32 + 1,
  "2 ** 53": () => 2 ** 53,
  "1e21": () => 1e21,
};

const SCALARS: Values = {
  true: () => true,
  false: () => false,
  "1n": () => 1n,
  "2n ** 64n": () => 2n ** 64n,
  "Symbol(x)": () => Symbol("x"),
};

const STRINGS: Values = {
  '""': () => "",
  "a NUL": () => "a\0b",
  quotes: () => `it's "quoted"`,
  "a long string": () => "long".repeat(40),
  "a path too long": () => `/${"n/".repeat(3000)}`,
  "new String": () => new String("/x"),
};

const OBJECTS: Values = {
  "{}": () => ({}),
  "{ a: 1 }": () => ({ a: 1, b: "two", c: { d: [1, 2] } }),
  "no prototype": () => Object.create(null),
  "[]": () => [],
  '["a", 1]': () => ["a", 1, { b: null }],
  "a function": () => function named() {},
  "an arrow": () => () => 1,
  "a class": () => Named,
  "an instance": () => new Named(),
  "a Date": () => new Date(Number.NaN),
  "a RegExp": () => /x/g,
  "a Map": () => new Map([[1, 2]]),
  "an Error": () => Object.assign(new RangeError("inner"), { stack: "RangeError: inner" }),
  "an object with no name": () => ({ constructor: { name: "" } }),
  "an object whose constructor is a number": () => ({ constructor: 5 }),
  "an http: URL": () => new URL("http://localhost/x"),
  "a URL with a host": () => new URL("file://host/x"),
  "a URL with %2F": () => new URL("file:///a%2Fb"),
  "a URL with %00": () => new URL("file:///a%00b"),
  "an object like a URL": () => ({ href: "x", protocol: "file:", hostname: "", pathname: "/nowhere%00x" }),
  "an object like a URL with auth": () => ({ href: "x", protocol: "file:", auth: null, pathname: "/x" }),
};

const BUFFERS: Values = {
  "an empty Buffer": () => Buffer.alloc(0),
  // Not from the pool: the offset of a Buffer is a property that is taken for an option.
  "a Buffer with a NUL": () => Buffer.alloc(3, "a\0b"),
  "a Uint8Array with a NUL": () => new Uint8Array([97, 0, 98]),
  "a Uint16Array": () => new Uint16Array(4).fill(1),
  "a DataView": () => new DataView(new ArrayBuffer(8)),
  "an ArrayBuffer": () => new ArrayBuffer(8),
  "a SharedArrayBuffer": () => new SharedArrayBuffer(8),
  "a shared Uint8Array": () => new Uint8Array(new SharedArrayBuffer(8)).fill(0x61),
  "a detached Buffer": () => detached((buffer) => Buffer.from(buffer)),
  "a detached Uint16Array": () => detached((buffer) => new Uint16Array(buffer)),
  "a shrunk Uint8Array": () => shrunk(8, 8),
  "a shrunk Uint8Array that follows": () => shrunk(8, undefined),
  "a Uint8Array out of bounds": () => shrunk(2, undefined),
};

const ENCODINGS: Values = {
  '"nope"': () => "nope",
  '"buffer"': () => "buffer",
  '"hex"': () => "hex",
  '"UTF-8"': () => "UTF-8",
  '"latin1"': () => "latin1",
  '"utf16le"': () => "utf16le",
};

/** For places of every kind. */
export const ANY: Values = { ...NOTHING, ...NUMBERS, ...SCALARS, ...STRINGS, ...OBJECTS, ...BUFFERS };

/** For places that take an options object or the name of an encoding. */
export const OPTIONS: Values = { ...ANY, ...ENCODINGS };

/** For the members of options. */
export const MEMBERS: Values = {
  ...NOTHING,
  ...NUMBERS,
  ...SCALARS,
  '""': () => "",
  '"x"': () => "x",
  '"7"': () => "7",
  ...ENCODINGS,
  "0": () => 0,
  "1": () => 1,
  "{}": () => ({}),
  "[]": () => [],
  "{ aborted: false }": () => ({ aborted: false }),
  "a function": () => function named() {},
};

/** A few of each kind, for pairs of wrong arguments. */
export const FEW: Values = {
  undefined: () => undefined,
  null: () => null,
  "-1": () => -1,
  "1.5": () => 1.5,
  '"x\\0"': () => "x\0",
  "{}": () => ({}),
  "a Symbol": () => Symbol("x"),
};
