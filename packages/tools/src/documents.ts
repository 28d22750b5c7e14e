/**
 * Checks the documents against the tree: links and paths must exist, functions and constants that a document names must be in the
 * source, a function named behind its file must be in that file, and so must a test's row; scripts of npm must be in package.json.
 *
 *   node packages/tools/dist/documents.js        prints what is wrong; exit code 1 if anything is
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, posix, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Where a document's paths may start: the repository, the library and its core, and the folder of the document. */
const BASES = ["", "packages/threadfs", "packages/threadfs/core"];
/** Files that npm and the builds make, and files that are fetched: not part of the tree. */
const IGNORED = new Set(["node_modules", "dist", "build", "results", ".git"]);
const SOURCE = /\.(?:ts|js|c|json|md|svg)$/;
/** A path in a code span: it ends like a source file or a folder, or begins in a folder of the repository. */
const PATH =
  /^\.?(?:[\w-][\w.-]*\/)*[\w-][\w.-]*(?:\.(?:ts|js|c|json|md|svg|wasm)|\/)$|^(?:\.ci|packages|core|src|abi|docs|test)\/[\w./-]+$/;
/** Made by the build, so it may be missing. */
const GENERATED = /\.wasm$|^packages\/bench\/results\/|(?:^|\/)(?:dist|build)\/$/;

/** One thing that is wrong: `file:line: message`. */
export type Problem = string;

/** All files of the repository that people write, by their paths. */
export class SourceTree {
  readonly root: string;
  readonly files = new Map<string, string>();
  readonly #basenames = new Map<string, string[]>();
  readonly #words = new Set<string>();

  constructor(root: string) {
    this.root = root;
    this.#read(root);
    for (const [path, text] of this.files) {
      const name = basename(path);
      this.#basenames.set(name, [...(this.#basenames.get(name) ?? []), path]);
      // The checker's own tests name what does not exist.
      if (!path.endsWith(".md") && !path.startsWith("packages/tools/"))
        for (const [word] of text.matchAll(/[\w$]+/g)) this.#words.add(word);
    }
  }

  #read(directory: string): void {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (!IGNORED.has(entry.name)) this.#read(path);
      } else if (SOURCE.test(entry.name) || entry.name === "run") {
        this.files.set(relative(this.root, path).split(sep).join("/"), readFileSync(path, "utf8"));
      }
    }
  }

  /** Whether the word stands in any source file. */
  hasWord(word: string): boolean {
    return this.#words.has(word);
  }

  /** The path of a file or folder that a document calls `name`, or undefined. `from`: the folder of the document. */
  find(name: string, from: string): string | undefined {
    const compiled = fromOutput(name);
    for (const base of [...BASES, from]) {
      for (const candidate of compiled) {
        const path = posix.normalize(posix.join(base, candidate));
        if (this.files.has(path) || this.#isFolder(path)) return path;
      }
    }
    const [only] = name.includes("/") ? [] : (this.#basenames.get(name) ?? []);
    return only;
  }

  #isFolder(path: string): boolean {
    const absolute = join(this.root, path);
    return existsSync(absolute) && statSync(absolute).isDirectory();
  }
}

/** The path itself, or the sources that a path of the build may come from: src/ makes dist/, test/ makes build/. */
function fromOutput(path: string): string[] {
  const source = path.replace(/(^|\/)dist\/(?:src\/)?/, "$1src/").replace(/(^|\/)build\//, "$1test/");
  return source === path ? [path] : [path, source, source.replace(/\.js$/, ".ts")];
}

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

/** Links of markdown: the target exists, and so does its heading. */
function checkLinks(tree: SourceTree, file: string, line: string): string[] {
  const problems: string[] = [];
  for (const [, target = ""] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^\w+:/.test(target)) continue;
    const [path = "", anchor] = target.split("#");
    const full = path === "" ? file : posix.normalize(posix.join(dirname(file), path));
    const text = tree.files.get(full);
    if (text === undefined && !existsSync(join(tree.root, full))) problems.push(`no file ${target}`);
    else if (anchor !== undefined) {
      const headings = [...(text ?? "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));
      if (!headings.includes(anchor)) problems.push(`no heading for ${target}`);
    }
  }
  return problems;
}

/** Commands: what `npm run` and `npm` start is a script of the repository, what `node` starts is a file of it. */
function checkCommands(tree: SourceTree, scripts: Set<string>, line: string): string[] {
  const problems: string[] = [];
  for (const [, name = ""] of line.matchAll(/npm run ([\w:-]+)/g))
    if (!scripts.has(name)) problems.push(`no script ${name}`);
  for (const [, path = ""] of line.matchAll(/\bnode (packages\/[\w./-]+\.js)/g))
    if (tree.find(path, "") === undefined) problems.push(`no file ${path}`);
  return problems;
}

/**
 * Names in code spans: functions and constants are words of the source; those behind a file's path are in that file, and so are rows
 * and, behind a test's path, titles in quotes, which "..." may cut off.
 */
function checkNames(tree: SourceTree, from: string, line: string): string[] {
  const problems: string[] = [];
  let text: string | undefined;
  let isTest = false;
  for (const [token, span, row, title] of line.matchAll(/`([^`]+)`|\b(row \d+)\b|"([^"]+?)(?: ?\.\.\.)?"|[;|]/g)) {
    if (token === ";" || token === "|") text = undefined;
    else if (row !== undefined) {
      if (text !== undefined && !new RegExp(`\\b${row}\\b`).test(text)) problems.push(`no test of ${row} there`);
    } else if (title !== undefined) {
      if (isTest && text !== undefined && !text.includes(title)) problems.push(`no test "${title}" there`);
    } else if (span !== undefined) {
      isTest = /\.test\.[jt]s$/.test(span) || (isTest && !PATH.test(span));
      const path = PATH.test(span) ? tree.find(span, from) : undefined;
      if (PATH.test(span) && path === undefined && !GENERATED.test(span)) problems.push(`no file ${span}`);
      if (PATH.test(span)) text = path === undefined ? undefined : tree.files.get(path);
      const name = /^#?(\w+)\((?:\w+)?\)$/.exec(span)?.[1] ?? /^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.exec(span)?.[0];
      if (name === undefined) continue;
      if (!tree.hasWord(name)) problems.push(`nothing is called ${name}`);
      else if (text !== undefined && span.endsWith(")") && !new RegExp(`\\b${name}\\b`).test(text))
        problems.push(`${name} is not in the file named before it`);
    }
  }
  return problems;
}

/** Everything that is wrong in the text of one document. `scripts`: npm's, of the repository. */
export function checkDocument(tree: SourceTree, file: string, text: string, scripts: Set<string>): Problem[] {
  const from = dirname(file) === "." ? "" : dirname(file);
  const problems: Problem[] = [];
  let fenced = false;
  text.split("\n").forEach((line, at) => {
    const isFence = line.startsWith("```");
    if (isFence) fenced = !fenced;
    const found = checkCommands(tree, scripts, line);
    if (!fenced && !isFence) found.push(...checkLinks(tree, file, line), ...checkNames(tree, from, line));
    problems.push(...found.map((problem) => `${file}:${at + 1}: ${problem}`));
  });
  return problems;
}

/** Everything that is wrong in the repository's documents. */
export function checkDocuments(tree: SourceTree): Problem[] {
  const manifest: unknown = JSON.parse(tree.files.get("package.json") ?? "{}");
  const scripts = new Set(Object.keys((manifest as { scripts?: Record<string, string> }).scripts ?? {}));
  return [...tree.files]
    .filter(([path]) => path.endsWith(".md"))
    .flatMap(([path, text]) => checkDocument(tree, path, text, scripts));
}

/** The repository that this file is part of. */
export const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const problems = checkDocuments(new SourceTree(REPOSITORY));
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
