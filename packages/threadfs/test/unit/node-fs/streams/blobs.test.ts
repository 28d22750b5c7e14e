/** `fs.openAsBlob`: what its Blob is and reads, and what it does when its file has changed. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FsCalls } from "../../../support/fs-calls.js";
import { outcomeOf } from "../../../support/oracle/works.js";
import { suite } from "../both.js";

const tree = suite(import.meta.url, (fs, dir) => {
  fs.writeFileSync(`${dir}/f`, "hällo wörld");
  fs.writeFileSync(`${dir}/empty`, "");
  fs.writeFileSync(`${dir}/big`, Buffer.alloc(200_000, "abcdefghij"));
});
const { same, sameEach } = tree;

const typeOf = (value: unknown) => typeof value;
type AnyBlob = Omit<Blob, "slice"> & {
  slice(...args: unknown[]): AnyBlob;
  bytes(): Promise<Uint8Array>;
  textStream(): AsyncIterable<string>;
};

function openSync(fs: FsCalls, path: unknown, ...options: unknown[]): AnyBlob {
  const { openAsBlobSync } = fs as unknown as { openAsBlobSync(path: unknown, ...options: unknown[]): AnyBlob };
  return openAsBlobSync(path, ...options);
}

function open(fs: FsCalls, path: unknown, ...options: unknown[]): Promise<AnyBlob> {
  return (fs.openAsBlob as unknown as (path: unknown, ...options: unknown[]) => Promise<AnyBlob>)(path, ...options);
}

async function joined(stream: unknown): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Uint8Array>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("latin1");
}

/** An exception of the web: its name and text. */
function domError(error: unknown): unknown {
  const { name, message, code } = error as DOMException;
  return [error instanceof DOMException, name, message, code];
}

/** What each way of reading gives. */
async function readings(blob: AnyBlob): Promise<unknown> {
  const ways: Record<string, () => Promise<unknown>> = {
    text: () => blob.text(),
    bytes: () => blob.bytes(),
    arrayBuffer: async () => Buffer.from(await blob.arrayBuffer()).toString("latin1"),
    stream: () => joined(blob.stream()),
    textStream: async () => {
      let text = "";
      for await (const chunk of blob.textStream()) text += chunk;
      return text;
    },
  };
  const results: Record<string, unknown> = { size: blob.size, type: blob.type };
  for (const [name, read] of Object.entries(ways)) results[name] = await read().catch(domError);
  return results;
}

describe("a Blob of a file", () => {
  same("reads it, in each way", async (fs, dir) => readings(await open(fs, `${dir}/f`)));
  same("reads it, made synchronously", (fs, dir) => readings(openSync(fs, `${dir}/f`)));
  same("reads an empty one", async (fs, dir) => readings(await open(fs, `${dir}/empty`)));
  same("reads a large one", async (fs, dir) => {
    const blob = await open(fs, `${dir}/big`);
    const right = "abcdefghij".repeat(20_000);
    return [blob.size, (await blob.text()) === right, (await joined(blob.stream())) === right];
  });
  same("takes a path of bytes and a URL", async (fs, dir) => [
    await (await open(fs, Buffer.from(`${dir}/f`))).text(),
    await (await open(fs, new URL(`file://${dir}/f`))).text(),
  ]);
  same("has the host's class, and the type that it was given", async (fs, dir) => {
    const blobs = [openSync(fs, `${dir}/f`, { type: "Text/Plain" }), openSync(fs, `${dir}/f`, { type: "ä" })];
    return blobs.map((blob) => [
      blob instanceof Blob,
      blob.constructor === Blob,
      Object.prototype.toString.call(blob),
      blob.type,
      blob.size,
    ]);
  });
  sameEach("slices", async (fs, dir) => {
    const blob = openSync(fs, `${dir}/f`, { type: "a/b" });
    const indexes = [
      undefined,
      null,
      0,
      1,
      5,
      100,
      -1,
      -3,
      -100,
      2.7,
      2.5,
      3.5,
      -2.5,
      Number.NaN,
      "3",
      Number.POSITIVE_INFINITY,
    ];
    const results: Record<string, unknown> = {};
    for (const start of indexes) {
      for (const end of indexes) {
        const slice = blob.slice(start, end, "C/D");
        results[`${start} ${end}`] = [slice.size, slice.type, await slice.text()];
      }
    }
    results.again = await readings(blob.slice(2, 9).slice(1, -1, "\u0001"));
    results.none = await readings(blob.slice());
    for (const given of [[2n], [0, 2n], [Symbol("s")], [0, Symbol("s")], [Object(2n)], [Object.create(null)]]) {
      try {
        blob.slice(...given);
      } catch (error) {
        const { name, code, message } = error as NodeJS.ErrnoException;
        results[given.map(typeOf).join()] = [name, code, message];
      }
    }
    return results;
  });
  same("is part of another one", async (fs, dir) =>
    new Blob(["<", openSync(fs, `${dir}/f`) as unknown as Blob, ">"]).text(),
  );
});

describe("a Blob whose file has changed", () => {
  const changes: Record<string, (fs: FsCalls, path: string) => void> = {
    "in size": (fs, path) => fs.appendFileSync(path, "x"),
    "in its time": (fs, path) => fs.utimesSync(path, 5, 1000.5),
    "in its contents, with the time put back": (fs, path) => {
      const { mtime } = fs.statSync(path);
      fs.writeFileSync(path, "HÄLLO WÖRLD");
      fs.utimesSync(path, mtime, mtime);
    },
    "in its mode": (fs, path) => fs.chmodSync(path, 0o600),
    "in being there": (fs, path) => fs.unlinkSync(path),
  };
  for (const [name, change] of Object.entries(changes)) {
    same(name, async (fs, dir) => {
      fs.utimesSync(`${dir}/f`, 1000, 1000);
      const blob = openSync(fs, `${dir}/f`);
      const slice = blob.slice(1, 4);
      change(fs, `${dir}/f`);
      return [await readings(blob), await readings(slice)];
    });
  }
  test("still has its contents for the host, which cannot be told of the change", async () => {
    const { fs } = tree.vfs;
    fs.writeFileSync("/changed", "before");
    const blob = fs.openAsBlobSync("/changed");
    fs.writeFileSync("/changed", "afterwards");
    await assert.rejects(blob.text(), { name: "NotReadableError" });
    assert.equal(await new Blob([blob]).text(), "before");
    assert.equal(await structuredClone(blob).text(), "before");
  });
});

describe("openAsBlob of a directory", () => {
  same("makes a Blob of its size that cannot be read", async (fs, dir) => {
    fs.mkdirSync(`${dir}/directory`);
    fs.mkdirSync(`${dir}/directory/below`);
    const blob = openSync(fs, `${dir}/directory`);
    return [blob.size === fs.statSync(`${dir}/directory`).size, await readings(blob)];
  });
});

describe("openAsBlob refuses", () => {
  for (const how of ["openAsBlob", "openAsBlobSync"] as const) {
    sameEach(`${how}: wrong arguments`, async (fs, dir) => {
      const call = fs[how as "openAsBlob"] as unknown as (...args: unknown[]) => unknown;
      const results: Record<string, unknown> = {};
      const wrong = [undefined, null, 5, "x", [], () => {}, Symbol("s"), new Uint16Array(1)];
      for (const value of wrong) {
        const key = `${typeof value} ${String(value)}`;
        // Whether it throws or rejects.
        const made = (...args: unknown[]): Promise<unknown> =>
          outcomeOf(async () => {
            let promise: unknown;
            try {
              promise = call(...args);
            } catch (error) {
              return ["thrown", error];
            }
            return ["returned", ((await promise) as Blob).type];
          });
        results[`path ${key}`] = await made(value);
        results[`options ${key}`] = value === undefined || (await made(`${dir}/f`, value));
        results[`type ${key}`] = await made(`${dir}/f`, { type: value });
      }
      results.missing = await outcomeOf(() => call(`${dir}/none`));
      results.nul = await outcomeOf(() => call("a\0b"));
      return results;
    });
  }
});
