/**
 * Puts files of the repository into a package while npm packs it. npm runs this in the package's folder:
 *
 *   "prepack": "node ../tools/dist/pack-files.js README.md examples"      "postpack": "node ../tools/dist/pack-files.js --remove README.md examples"
 *
 * Of a folder all files are packed.
 * A package whose code is not built is refused. Of a link to a file that is not packed only the text stays.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** The pages in docs/ that the library's package has. */
export const PACKED_PAGES: readonly string[] = [
  ...["api", "browser", "containment", "differences", "drivers", "emscripten", "from-memfs"],
  ...["just-bash", "node-vfs"],
  ...["loading-and-saving", "node-fs", "recipes", "trust", "wasi", "workers"],
].map((page) => `docs/${page}.md`);

/** The section of the README that is about the repository, not about the package. */
const OF_THE_REPOSITORY = /^## The repository\n[\s\S]*?(?=^## |^MIT\.$)/m;

/** A path in a code span that begins in a folder of the repository. */
const REPOSITORY_PATH = /`((?:packages|core|src|abi|test|docs)\/[\w./-]+)`/g;

/** A block of code, which is packed as it is. */
const CODE_BLOCK = /(^```[\s\S]*?^```$)/m;

/** A code span, or a link that leads to no other site. What looks like a link in a span (`list[i](x)`) is none. */
const SPAN_OR_LINK = /`[^`\n]*`|\[([^\]]+)\]\((?!\w+:)([^)\s]+)\)/g;

/** Markdown in parts: blocks of code, and the prose between them. */
const partsOf = (markdown: string) =>
  markdown.split(CODE_BLOCK).map((text) => ({ text, isCode: CODE_BLOCK.test(text) }));

/** The targets of the links in Markdown that lead to no other site. */
export function linksOf(markdown: string): string[] {
  const prose = partsOf(markdown).filter(({ isCode }) => !isCode);
  return prose.flatMap(({ text }) => [...text.matchAll(SPAN_OR_LINK)].flatMap(([, , target]) => target ?? []));
}

/**
 * Markdown as it is packed: without the section about the repository; of links to files that are not packed the text alone; and of
 * paths of such files the last part. Code stays as it is.
 * @param name the file's path in the package
 * @param packed the paths of all files that are packed with it
 */
export function packedMarkdown(markdown: string, name: string, packed: readonly string[]): string {
  const isPacked = (target: string) => packed.includes(posix.join(posix.dirname(name), target.replace(/#.*/, "")));
  const prose = (text: string) =>
    text
      .replaceAll(SPAN_OR_LINK, (whole, shown, target) => (target === undefined || isPacked(target) ? whole : shown))
      .replaceAll(REPOSITORY_PATH, (span, path) =>
        packed.includes(path) ? span : `\`${posix.basename(path)}\` of the repository`,
      );
  const parts = partsOf(markdown.replace(OF_THE_REPOSITORY, ""));
  return parts.map(({ text, isCode }) => (isCode ? text : prose(text))).join("");
}

/** The files that a package.json names as its code. */
export function filesNamed({ exports = {}, bin = {} }: { exports?: unknown; bin?: unknown }): string[] {
  if (typeof exports === "string") return [exports];
  return [exports, bin].flatMap((part) =>
    Object.values(part as object).flatMap((value) =>
      typeof value === "string" ? [value] : filesNamed({ exports: value }),
    ),
  );
}

/** @throws Error when code that package.json names is not there: then the package would be published without it */
export function checkBuilt(folder: string): void {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as object;
  const missing = filesNamed(manifest).filter((file) => !existsSync(join(folder, file)));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}; run \`npm ci && npm run build\` first`);
}

/** The paths of a file or of all files in a folder. */
export function filesOf(name: string): string[] {
  if (!statSync(join(REPOSITORY, name)).isDirectory()) return [name];
  return readdirSync(join(REPOSITORY, name)).flatMap((entry) => filesOf(posix.join(name, entry)));
}

function packFile(name: string, packed: readonly string[]): void {
  const text = readFileSync(join(REPOSITORY, name), "utf8");
  mkdirSync(dirname(name), { recursive: true });
  writeFileSync(name, name.endsWith(".md") ? packedMarkdown(text, name, packed) : text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const names = process.argv.slice(2).filter((argument) => argument !== "--remove");
  if (resolve() === REPOSITORY) throw new Error("pack-files.js runs in the folder of a package");
  if (!process.argv.includes("--remove")) checkBuilt(".");
  if (process.argv.includes("--remove")) for (const name of names) rmSync(name, { recursive: true, force: true });
  else {
    const files = names.flatMap(filesOf);
    for (const name of files) packFile(name, files);
  }
}
