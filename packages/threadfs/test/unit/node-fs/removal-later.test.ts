/**
 * `rm` with a callback and with a promise, whose errors in Node are not those of rmSync: they are those of the calls that Node's
 * asynchronous forms are made of. removal.test.ts has what differs from Node on purpose in all forms.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import type { FsCalls } from "../../support/fs-calls.js";
import { calledBack, settled } from "./arguments/called-back.js";
import { suite } from "./both.js";

const { sameEach, asUser } = suite(import.meta.url, () => {});

type Call = (...given: readonly unknown[]) => unknown;
interface Later {
  readonly rm: Call;
  readonly promises: { readonly rm: Call };
}

const OPTIONS = [
  {},
  { force: true },
  { recursive: true },
  { recursive: true, force: true, maxRetries: 1, retryDelay: 1 },
];

/** Removes paths in both asynchronous forms, with every option. `make` makes what they lead to, where it is not there. */
async function removeAll(fs: FsCalls, dir: string, paths: readonly string[], make: () => void): Promise<object> {
  const { rm, promises } = fs as unknown as Later;
  const outcomes: Record<string, unknown> = {};
  for (const path of paths) {
    for (const options of OPTIONS) {
      const title = `${path.slice(0, 40)} ${JSON.stringify(options)}`;
      const given = [`${dir}/${path}`, options];
      make();
      outcomes[`${title} callback`] = await calledBack(rm, [...given, () => {}], (value) => value);
      make();
      outcomes[`${title} promise`] = await settled(promises.rm, given, (value) => value);
      outcomes[`${title} left`] = fs.readdirSync(dir, { recursive: true }).sort();
    }
  }
  return outcomes;
}

describe("rm with a callback and with a promise", () => {
  sameEach("of paths that lead nowhere, through files and in circles", (fs, dir) => {
    fs.symlinkSync("loop", `${dir}/loop`);
    const paths = [
      "missing",
      "missing/x",
      "f",
      "f/",
      "f/x",
      "loop",
      "loop/",
      "loop/x",
      "dead",
      "dead/",
      "x".repeat(256),
    ];
    return removeAll(fs, dir, paths, () => {
      fs.writeFileSync(`${dir}/f`, "");
      fs.rmSync(`${dir}/dead`, { force: true });
      fs.symlinkSync("gone", `${dir}/dead`);
      fs.rmSync(`${dir}/loop`, { force: true });
      fs.symlinkSync("loop", `${dir}/loop`);
    });
  });
  sameEach("of a directory by a path that ends in a dot", (fs, dir) => {
    fs.mkdirSync(`${dir}/d/s`, { recursive: true });
    fs.symlinkSync("d", `${dir}/l`);
    return removeAll(fs, dir, ["d/.", "d/./", "l/.", "d/s/."], () => {});
  });
  sameEach("in directories that may not be changed, read or searched", (fs, dir) =>
    asUser(fs, dir, async (own) => {
      const modes = { fixed: 0o555, unread: 0o300, unsearched: 0o600 };
      for (const name of Object.keys(modes)) {
        own.mkdirSync(`${dir}/${name}/d`, { recursive: true });
        own.mkdirSync(`${dir}/above ${name}/${name}/d`, { recursive: true });
      }
      own.writeFileSync(`${dir}/fixed/f`, "");
      own.symlinkSync("f", `${dir}/fixed/l`);
      const places = Object.entries(modes).flatMap(([name, mode]) =>
        [name, `above ${name}/${name}`].map((place) => [`${dir}/${place}`, mode] as const),
      );
      for (const [place, mode] of places) own.chmodSync(place, mode);
      const paths = ["fixed/f", "fixed/l", "fixed/d", "fixed/missing", "unsearched/d", "unsearched/missing"];
      const trees = ["above fixed", "above fixed//", "above unread", "above unread/unread", "above unsearched"];
      const { rm, promises } = own as unknown as Later;
      const outcomes: unknown[] = [];
      for (const path of [...paths, ...trees]) {
        for (const options of OPTIONS) {
          const given = [`${dir}/${path}`, options];
          outcomes.push(await calledBack(rm, [...given, () => {}], (value) => value));
          outcomes.push(await settled(promises.rm, given, (value) => value));
        }
      }
      for (const [place] of places) own.chmodSync(place, 0o755);
      return { ...outcomes, left: own.readdirSync(dir, { recursive: true }).sort() };
    }),
  );
  sameEach("of a temporary directory in one that may not be changed any more", (fs, dir) =>
    asUser(fs, dir, async (own) => {
      const { promises } = own as unknown as { promises: { mkdtempDisposable: Call } };
      const made = (await promises.mkdtempDisposable(`${dir}/t`)) as { path: string; remove: Call };
      own.chmodSync(dir, 0o555);
      const error = (await settled(made.remove, [], (value) => value)) as object;
      own.chmodSync(dir, 0o755);
      return JSON.parse(JSON.stringify({ error }).replaceAll(made.path, "made"));
    }),
  );
});

sameEach("of a directory that is given as bytes, or by its URL, without the option for trees", async (fs, dir) => {
  const { rm, promises } = fs as unknown as Later;
  fs.mkdirSync(`${dir}/d`);
  const outcomes: Record<string, unknown> = {};
  for (const path of [Buffer.from(`${dir}/d`), new URL(`file://${dir}/d`)]) {
    const name = path.constructor.name;
    outcomes[`${name} callback`] = await calledBack(rm, [path, {}, () => {}], (value) => value);
    outcomes[`${name} promise`] = await settled(promises.rm, [path, {}], (value) => value);
    outcomes[`${name} info`] = await failureInfo(promises.rm, path);
  }
  return outcomes;
});

/** The fields of a compound error that are its own. */
async function failureInfo(call: Call, path: unknown): Promise<unknown> {
  try {
    return await call(path);
  } catch (error) {
    return (error as { info?: unknown }).info;
  }
}

test("of another owner's file in a sticky directory: Node lists what it takes for a directory", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  vfs.fs.mkdirSync("/t/d", { recursive: true });
  vfs.fs.writeFileSync("/t/f", "");
  vfs.fs.chmodSync("/t", 0o1777);
  const { promises } = vfs.context({ uid: 1000, gid: 1000, groups: [] }).fs;
  await assert.rejects(promises.rm("/t/f"), { message: "ENOTDIR: not a directory, scandir '/t/f'" });
  await assert.rejects(promises.rm("/t/d", { recursive: true }), {
    message: "EPERM: operation not permitted, rmdir '/t/d'",
    errno: -1,
  });
  vfs.close();
});

test("of a mount point, and of everything on a read-only mount", async () => {
  const vfs = await createVfs({ maxBytes: 1 << 24 });
  const { fs } = vfs;
  fs.mkdirSync("/d/s", { recursive: true });
  fs.mkdirSync("/m");
  fs.writeFileSync("/d/s/f", "");
  vfs.mount("/d", "/m", "none", { bind: true, readonly: true });
  const refused = (path: string, message: string) =>
    assert.rejects(fs.promises.rm(path, { recursive: true, force: true }), { message });
  await refused("/m", "EBUSY: resource busy or locked, rmdir '/m'");
  await refused("/m/s", "EROFS: read-only file system, rmdir '/m/s'");
  await refused("/m/s/f", "EROFS: read-only file system, unlink '/m/s/f'");
  assert.deepEqual(fs.readdirSync("/m", { recursive: true }), ["s", "s/f"]);
  vfs.close();
});
