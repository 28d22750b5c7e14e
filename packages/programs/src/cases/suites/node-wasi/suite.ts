/** The programs of Node's own tests of node:wasi in its sources, and what each is to do. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Specified } from "../run.js";

/** The folders of the sources that are needed, and the file that has their version. */
export const FOLDERS = ["test/wasi", "test/fixtures/wasi"];
export const VERSION = "src/node_version.h";

/** The version of the sources; undefined: a copy does not say it. */
function sourceVersion(source: string): string | undefined {
  const path = join(source, VERSION);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  return ["MAJOR", "MINOR", "PATCH"].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)?.[1]).join(".");
}

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
export interface Suite {
  /** undefined: the sources do not say it. */
  readonly version: string | undefined;
  readonly programs: readonly Specified[];
  /** Programs that stop at what they find, by what is right. */
  readonly refused: readonly string[];
}

/** The directory of files of the tests. One of its entries is an empty directory, which a copy may lack. */
function makeFiles(source: string, files: string): void {
  cpSync(join(source, "test", "fixtures", "wasi"), files, { recursive: true });
  mkdirSync(join(files, "subdir"), { recursive: true });
}

/** The directory with links. */
function makeLinks(links: string): void {
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
}

/** @param work a directory for what the programs find */
export function readSuite(source: string, work: string): Suite {
  const [files, links] = [join(work, "files"), join(work, "links")];
  makeFiles(source, files);
  makeLinks(links);
  const specified = (file: string): Specified => {
    const name = basename(file, ".wasm");
    const stdout = (PRINTS[name] ?? []).map((each) => readFileSync(join(files, each), "utf8")).join("");
    const preopens = { "/sandbox": WITH_LINKS.includes(name) ? links : files, "/tmp": undefined };
    const env = { NODE_PLATFORM: "linux" };
    return { file, args: [name], env, preopens, stdin: "", code: 0, stdout, ...SPECIAL[name] };
  };
  const folder = join(source, "test", "wasi", "wasm");
  const version = sourceVersion(source);
  return {
    version,
    programs: readdirSync(folder)
      .filter((name) => name.endsWith(".wasm"))
      .sort()
      .map((name) => specified(join(folder, name))),
    refused: [
      // It expects a listing without "." and "..", which wasi-testsuite asks for.
      "readdir",
      // In Node 18 it expects that the length of a link's body counts the NUL behind it. Later ones expect what is right.
      ...(version?.startsWith("18.") ? ["create_symlink"] : []),
    ],
  };
}
