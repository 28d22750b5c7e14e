/** The contents of files: read, write, append, truncate, positions, holes, and the forms of their arguments. */
import { Buffer } from "node:buffer";
import type { Case, Tools } from "../support/case.js";

/** Sizes around the edges of pages and of what one system call transfers. */
const EDGES = [0, 1, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 131073, 300000];

const pattern = (size: number) => Buffer.from(Array.from({ length: size }, (_, n) => (n * 7 + (n >> 8)) & 255));

/** Length and checksum, which stand for long contents. */
function digest(bytes: Uint8Array): [length: number, sum: number] {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return [bytes.length, sum];
}

function withFd<T>(t: Tools, flags: string, fn: (fd: number) => T, name = "f"): T {
  const fd = t.fs.openSync(t.p(name), flags);
  try {
    return fn(fd);
  } finally {
    t.fs.closeSync(fd);
  }
}

const text = { setup: (t: Tools) => t.tree({ f: "0123456789", "d/": null, lf: ["f"], dang: ["made"], empty: "" }) };

const sizes: Case[] = EDGES.flatMap((size) => [
  {
    name: `write and read ${size} bytes whole`,
    run: (t) => {
      t.fs.writeFileSync(t.p("f"), pattern(size));
      return digest(t.fs.readFileSync(t.p("f")));
    },
  },
  {
    name: `write ${size} bytes by descriptor in uneven pieces`,
    run: (t) => {
      const data = pattern(size);
      return withFd(t, "w+", (fd) => {
        for (let at = 0; at < size; at += 9001) t.fs.writeSync(fd, data, at, Math.min(9001, size - at));
        const back = Buffer.alloc(size + 5);
        return [t.fs.readSync(fd, back, 0, size + 5, 0), digest(back)];
      });
    },
  },
  {
    name: `truncate to ${size} bytes: cut or filled with zeros`,
    setup: (t) => t.fs.writeFileSync(t.p("f"), pattern(70000)),
    run: (t) => {
      t.fs.truncateSync(t.p("f"), size);
      const cut = digest(t.fs.readFileSync(t.p("f")));
      withFd(t, "r+", (fd) => t.fs.ftruncateSync(fd, 140000));
      const filled = t.fs.readFileSync(t.p("f"));
      return [cut, digest(filled), filled.subarray(Math.min(size, 70000)).every((byte) => byte === 0)];
    },
  },
  {
    name: `append after ${size} bytes`,
    setup: (t) => t.fs.writeFileSync(t.p("f"), pattern(size)),
    run: (t) => {
      t.fs.appendFileSync(t.p("f"), "tail");
      return digest(t.fs.readFileSync(t.p("f")));
    },
  },
  {
    name: `a hole of ${size} bytes reads as zeros`,
    setup: (t) => t.fs.writeFileSync(t.p("f"), "abc"),
    run: (t) =>
      withFd(t, "r+", (fd) => {
        t.fs.writeSync(fd, "end", size + 3);
        const back = t.fs.readFileSync(t.p("f"));
        return [t.fs.fstatSync(fd).size, digest(back)];
      }),
  },
  {
    name: `read ${size} bytes from the middle and over the end`,
    setup: (t) => t.fs.writeFileSync(t.p("f"), pattern(70000)),
    run: (t) =>
      withFd(t, "r", (fd) =>
        [0, 1, 4090, 65530, 69999, 70000, 70001, 5_000_000].map((at) => {
          const buffer = Buffer.alloc(size + 1);
          return [t.fs.readSync(fd, buffer, 0, size, at), digest(buffer)];
        }),
      ),
  },
]);

/** Calls on one descriptor; the case then reads the whole file. */
const STEPS: Readonly<Record<string, (t: Tools, fd: number, buffer: Buffer) => unknown>> = {
  "reads go on where the last ended": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 4, null),
    buffer.toString("latin1"),
    t.fs.readSync(fd, buffer, 0, 4, null),
    t.fs.readSync(fd, buffer, 0, 4, null),
    t.fs.readSync(fd, buffer, 0, 4, null),
    buffer.toString("latin1"),
  ],
  "a read at a place leaves the position": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 2, null),
    t.fs.readSync(fd, buffer, 0, 2, 7),
    t.fs.readSync(fd, buffer, 2, 2, null),
    buffer.toString("latin1"),
  ],
  "a read at a bigint place": (t, fd, buffer) => [t.fs.readSync(fd, buffer, 0, 2, 3n), buffer.toString("latin1")],
  "a read at -1 is at the position": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 3, -1),
    t.fs.readSync(fd, buffer, 0, 3, -1n),
    buffer.toString("latin1"),
  ],
  "a read with an object of options": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, { offset: 1, length: 3, position: 5 }),
    t.fs.readSync(fd, buffer, { position: 0 }),
    t.fs.readSync(fd, buffer, {}),
    t.fs.readSync(fd, buffer),
    buffer.toString("latin1"),
  ],
  "a read of nothing": (t, fd, buffer) => [t.fs.readSync(fd, buffer, 0, 0, null), t.fs.readSync(fd, buffer, 8, 0, 0)],
  "reads into other views": (t, fd) => {
    const words = new Uint16Array(3);
    const view = new DataView(new ArrayBuffer(4));
    return [t.fs.readSync(fd, words), [...words], t.fs.readSync(fd, view), view.getUint32(0)];
  },
  "bad buffers and ranges": (t, fd, buffer) => [
    t.out(() => t.unchecked.readSync(fd, "text")),
    t.out(() => t.unchecked.readSync(fd, undefined)),
    t.out(() => t.unchecked.readSync(fd, buffer, 9, 1, 0)),
    t.out(() => t.unchecked.readSync(fd, buffer, -1, 1, 0)),
    t.out(() => t.unchecked.readSync(fd, buffer, 0, 9, 0)),
    t.out(() => t.unchecked.readSync(fd, buffer, 0, -1, 0)),
    t.out(() => t.unchecked.readSync(fd, buffer, 0, 1, "0")),
    t.out(() => t.unchecked.readSync(fd, buffer, 0, 1, -2)),
    t.out(() => t.unchecked.readSync(fd, buffer, 0, 1, 1.5)),
    t.out(() => t.unchecked.readSync(fd, buffer, 0.5, 1, 0)),
    t.out(() => t.unchecked.readSync(fd, Buffer.alloc(0), 0, 0, 0)),
    t.out(() => t.unchecked.writeSync(fd, 5)),
    t.out(() => t.unchecked.writeSync(fd, {})),
    t.out(() => t.unchecked.writeSync(fd, undefined)),
    t.out(() => t.unchecked.writeSync(fd, buffer, 9)),
    t.out(() => t.unchecked.writeSync(fd, buffer, 0, 9)),
    t.out(() => t.unchecked.writeSync(fd, buffer, 0, -1)),
  ],
  "writes go on where the last ended": (t, fd) => [t.fs.writeSync(fd, "ab"), t.fs.writeSync(fd, Buffer.from("cd"))],
  "a write at a place leaves the position": (t, fd) => [t.fs.writeSync(fd, "XY", 6), t.fs.writeSync(fd, "ab")],
  "a write after the end": (t, fd) => [t.fs.writeSync(fd, "end", 20)],
  "writes in encodings": (t, fd) => [
    t.fs.writeSync(fd, "é☃", null, "utf8"),
    t.fs.writeSync(fd, "é", null, "latin1"),
    t.fs.writeSync(fd, "c3a9", null, "hex"),
    t.fs.writeSync(fd, "w6k=", null, "base64"),
    t.fs.writeSync(fd, "hi", null, "utf16le"),
    t.out(() => t.unchecked.writeSync(fd, "hi", null, "no-such")),
    t.fs.writeSync(fd, "\ud800"),
  ],
  "writes of parts": (t, fd) => [
    t.fs.writeSync(fd, Buffer.from("abcdef"), 2),
    t.fs.writeSync(fd, Buffer.from("abcdef"), 1, 2),
    t.fs.writeSync(fd, Buffer.from("abcdef"), 0, 1, 9),
    t.unchecked.writeSync(fd, Buffer.from("abcdef"), { offset: 3, length: 2, position: 0 }),
    t.fs.writeSync(fd, new Uint16Array([0x4142])),
    t.fs.writeSync(fd, ""),
    t.fs.writeSync(fd, Buffer.alloc(0)),
  ],
  "read, write and read share the position": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 2, null),
    t.fs.writeSync(fd, "WW"),
    t.fs.readSync(fd, buffer, 2, 2, null),
    buffer.toString("latin1"),
  ],
  "truncated below the position, then written": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 8, null),
    t.fs.ftruncateSync(fd, 2),
    t.fs.readSync(fd, buffer, 0, 8, null),
    t.fs.writeSync(fd, "!"),
    t.fs.fstatSync(fd).size,
  ],
  "readFileSync of a descriptor reads on from its position": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 6, null),
    t.fs.readFileSync(fd, "latin1"),
    t.fs.readFileSync(fd, "latin1"),
  ],
  "writeFileSync to a descriptor writes at its position": (t, fd, buffer) => [
    t.fs.readSync(fd, buffer, 0, 3, null),
    t.fs.writeFileSync(fd, "new"),
    t.fs.appendFileSync(fd, "app"),
  ],
  "ftruncate with every argument": (t, fd) =>
    [undefined, null, -1, 1.5, "1", 2 ** 53, 4, 4n].map((size) => [
      t.out(() => t.unchecked.ftruncateSync(fd, size)),
      t.fs.fstatSync(fd).size,
    ]),
};

const steps: Case[] = Object.entries(STEPS).flatMap(([name, fn]) =>
  ["r+", "a+", "w+"].map((flags) => ({
    ...text,
    name: `${name} (${flags})`,
    run: (t) => withFd(t, flags, (fd) => [fn(t, fd, Buffer.alloc(8)), t.fs.readFileSync(t.p("f"))]),
  })),
);

const DATA = [
  "text",
  "",
  "é☃\ud83d\ude00",
  "\ud800",
  Buffer.from([0, 255, 128]),
  new Uint8Array([1, 2]),
  new Uint16Array([1]),
  new DataView(new ArrayBuffer(2)),
  5,
  null,
  undefined,
  {},
  true,
  Symbol.iterator,
];

const kinds: Case[] = DATA.map((data, n) => ({
  ...text,
  name: `writeFileSync and appendFileSync of kind ${n} (${typeof data})`,
  run: (t) => [
    t.out(() => t.unchecked.writeFileSync(t.p("w"), data)),
    t.out(() => t.unchecked.appendFileSync(t.p("a"), data)),
  ],
}));

const OPTIONS = [
  "utf8",
  "utf-8",
  "latin1",
  "binary",
  "ascii",
  "hex",
  "base64",
  "base64url",
  "ucs2",
  "utf16le",
  "buffer",
  "no-such",
  "",
  null,
  undefined,
  {},
  { encoding: "utf8" },
  { encoding: null },
  { encoding: "no-such" },
  { flag: "r" },
  { flag: "w" },
  { flag: "r+", encoding: "hex" },
  { flag: "bad" },
  5,
  true,
];

const options: Case[] = OPTIONS.flatMap((option) => [
  {
    name: `readFileSync with ${JSON.stringify(option)} (${typeof option})`,
    setup: (t) => t.fs.writeFileSync(t.p("f"), Buffer.from([0x68, 0xc3, 0xa9, 0xff, 0xe2, 0x98, 0x83, 0x80])),
    run: (t) => t.unchecked.readFileSync(t.p("f"), option),
  },
  {
    name: `writeFileSync with ${JSON.stringify(option)} (${typeof option})`,
    setup: text.setup,
    run: (t) => t.unchecked.writeFileSync(t.p("f"), "6869", option),
  },
]);

const flags: Case[] = ["w", "wx", "a", "ax", "r+", "r", "as", "w+", "a+"].flatMap((flag) =>
  ["f", "made", "d", "dang", "lf"].flatMap((name) => [
    {
      ...text,
      name: `writeFileSync flag ${flag} on ${name}`,
      run: (t) => t.fs.writeFileSync(t.p(name), "ab", { flag }),
    },
    {
      ...text,
      name: `appendFileSync flag ${flag} on ${name}`,
      run: (t) => t.fs.appendFileSync(t.p(name), "ab", { flag }),
    },
    { ...text, name: `readFileSync flag ${flag} on ${name}`, run: (t) => t.fs.readFileSync(t.p(name), { flag }) },
  ]),
);

const others: Case[] = [
  {
    ...text,
    name: "append mode writes at the end, whatever position the caller gives",
    run: (t) => withFd(t, "a", (fd) => [t.fs.writeSync(fd, "X", 0), t.fs.writeSync(fd, "Y"), t.fs.fstatSync(fd).size]),
  },
  {
    ...text,
    name: "two appending descriptors do not overwrite each other",
    run: (t) =>
      withFd(t, "a", (one) =>
        withFd(t, "a", (two) => {
          for (let n = 0; n < 10; n++) t.fs.writeSync(n % 2 ? one : two, `${n}`);
        }),
      ),
  },
  {
    ...text,
    name: "a hole of 3 GiB takes no room and reads as zeros",
    run: (t) =>
      withFd(t, "r+", (fd) => {
        const at = 3 * 2 ** 30;
        const buffer = Buffer.alloc(6, 1);
        t.fs.writeSync(fd, "end", at);
        return [
          t.fs.fstatSync(fd).size,
          t.fs.readSync(fd, buffer, 0, 6, at - 3),
          buffer,
          t.fs.readSync(fd, buffer, 0, 6, 2 ** 31),
          buffer,
          t.out(() => t.fs.ftruncateSync(fd, 3)),
        ];
      }),
  },
  {
    ...text,
    name: "a file that is truncated and grown again holds no old bytes",
    run: (t) => {
      t.fs.writeFileSync(t.p("f"), Buffer.alloc(10000, 7));
      t.fs.truncateSync(t.p("f"), 5000);
      t.fs.truncateSync(t.p("f"), 10000);
      return digest(t.fs.readFileSync(t.p("f")));
    },
  },
  {
    ...text,
    name: "a file that is truncated and written beyond its end holds no old bytes",
    run: (t) => {
      t.fs.writeFileSync(t.p("f"), Buffer.alloc(4000, 7));
      t.fs.truncateSync(t.p("f"), 100);
      withFd(t, "r+", (fd) => t.fs.writeSync(fd, "x", 3000));
      return digest(t.fs.readFileSync(t.p("f")));
    },
  },
  {
    ...text,
    name: "truncateSync with every argument",
    run: (t) =>
      [undefined, null, 0, 5, -1, 1.5, "2", 2 ** 53, 3n].map((size) => [
        t.out(() => t.unchecked.truncateSync(t.p("f"), size)),
        t.fs.statSync(t.p("f")).size,
      ]),
  },
  {
    ...text,
    name: "a directory's descriptor can be neither read nor written",
    run: (t) =>
      withFd(
        t,
        "r",
        (fd) => [
          t.out(() => t.fs.readSync(fd, Buffer.alloc(4))),
          t.out(() => t.fs.writeSync(fd, "x")),
          t.out(() => t.fs.ftruncateSync(fd, 0)),
          t.out(() => t.fs.readFileSync(fd)),
        ],
        "d",
      ),
  },
  {
    name: "writeFileSync over a longer file leaves no tail",
    setup: (t) => t.tree({ f: "a long content" }),
    run: (t) => t.fs.writeFileSync(t.p("f"), "short"),
  },
  {
    name: "writeFileSync with invalid flags leaves the file unchanged",
    setup: (t) => t.tree({ f: "content" }),
    run: (t) => t.fs.writeFileSync(t.p("f"), "x", { flag: "zzz" }),
  },
];

const cases: readonly Case[] = [...sizes, ...steps, ...kinds, ...options, ...flags, ...others];

export default cases;
