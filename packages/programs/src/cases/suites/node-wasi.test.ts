/**
 * The programs of Node's own tests of node:wasi, as they are compiled in its sources: those of this machine's Debian, or a copy of nodejs/node.
 *
 *   NODE_SOURCE=DIR npm run test:node-wasi
 *
 * Each of them checks itself, and ends with 0 or prints what is expected. How many do with node:wasi on tmpfs and with browser_wasi_shim in memory is printed beside it. Neither of
 * these starts threads by itself.
 */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { unpackDebianSource } from "../../../../tools/dist/install/debian.js";
import { REPOSITORY } from "../support/project.js";
import { countOthers, type Specified, wrongOn } from "./run.js";

/** Node 18 has so many, and each one since has more. */
const PROGRAMS_MIN = 25;
/** Where Debian's sources are unpacked. */
const UNPACKED = join(REPOSITORY, "packages", "programs", "build", "node-source");
const FOLDERS = ["test/wasi", "test/fixtures/wasi"];
const VERSION = "src/node_version.h";

/** The folder of the sources. @throws Error that says what to do */
function nodeSource(): string {
  const given = process.env.NODE_SOURCE;
  const needed = `NODE_SOURCE must name a copy of nodejs/node, with ${FOLDERS.join(" and ")}`;
  if (given === undefined) unpackDebianSource("nodejs", [...FOLDERS, VERSION], UNPACKED, needed);
  const source = given ?? UNPACKED;
  if (!FOLDERS.every((folder) => existsSync(join(source, folder)))) throw new Error(needed);
  return source;
}

const SOURCE = nodeSource();

/** The version of the sources; undefined: a copy does not say it. */
function sourceVersion(): string | undefined {
  const path = join(SOURCE, VERSION);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  return ["MAJOR", "MINOR", "PATCH"].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)?.[1]).join(".");
}
const version = sourceVersion();

/** Programs that find links in their directory. */
const WITH_LINKS = ["create_symlink", "follow_symlink", "link", "symlink_escape", "symlink_loop"];
const IN_SUBDIR = "a file of the directory below";
/** What is to be told of a program besides its name. */
const SPECIAL: Readonly<Record<string, Partial<Specified>>> = {
  create_symlink: { stdout: IN_SUBDIR },
  exitcode: { code: 120 },
  follow_symlink: { stdout: IN_SUBDIR },
  main_args: { args: ["foo", "-bar", "--baz=value"] },
  stdin: { stdin: "a line", stdout: "a line" },
};
/** Programs that print files of their directory, by the names of the files. */
const PRINTS: Readonly<Record<string, readonly string[]>> = {
  freopen: ["input2.txt"],
  read_file: ["input.txt"],
  read_file_twice: ["input.txt", "input.txt"],
};
/** Programs that stop at what they find, by what is right. */
const REFUSED = [
  // It expects a listing without "." and "..", which wasi-testsuite asks for.
  "readdir",
  // In Node 18 it expects that the length of a link's body counts the NUL behind it. Later ones expect what is right.
  ...(version?.startsWith("18.") ? ["create_symlink"] : []),
];

const work = mkdtempSync(join(tmpdir(), "threadfs-node-wasi-"));
after(() => rmSync(work, { recursive: true }));
/** The directory of files of the tests. One of its entries is an empty directory, which a copy may lack. */
const files = join(work, "files");
cpSync(join(SOURCE, "test", "fixtures", "wasi"), files, { recursive: true });
mkdirSync(join(files, "subdir"), { recursive: true });
/** The directory with links. */
const links = join(work, "links");
mkdirSync(join(links, "subdir"), { recursive: true });
writeFileSync(join(links, "input.txt"), "a file");
writeFileSync(join(links, "subdir", "input-in-subdir.txt"), IN_SUBDIR);
for (const [body, name] of [
  ["./input-in-subdir.txt", "input_link.txt"],
  ["../../outside.txt", "outside.txt"],
  ["loop2", "loop1"],
  ["loop1", "loop2"],
] as const)
  symlinkSync(body, join(links, "subdir", name));

function specified(file: string): Specified {
  const name = basename(file, ".wasm");
  const stdout = (PRINTS[name] ?? []).map((each) => readFileSync(join(files, each), "utf8")).join("");
  const preopens = { "/sandbox": WITH_LINKS.includes(name) ? links : files, "/tmp": undefined };
  const env = { NODE_PLATFORM: "linux" };
  return { file, args: [name], env, preopens, stdin: "", code: 0, stdout, ...SPECIAL[name] };
}

const folder = join(SOURCE, "test", "wasi", "wasm");
const all = readdirSync(folder)
  .filter((name) => name.endsWith(".wasm"))
  .sort()
  .map((name) => specified(join(folder, name)));

const others = countOthers(all);

for (const program of all) {
  const name = basename(program.file, ".wasm");
  test(name, async () => {
    const wrong = await wrongOn("threadfs", program);
    if (REFUSED.includes(name)) assert.match(`${wrong}`, /unreachable/);
    else assert.equal(wrong, undefined);
  });
}

test("no program is missing, and others are counted beside", async () => {
  assert.ok(all.length >= PROGRAMS_MIN, `only ${all.length} programs in ${folder}`);
  console.log(`programs of Node ${version ?? "of an unknown version"}`);
  // The reporter prints no diagnostics of tests that pass.
  for (const line of await others) console.log(line);
});
