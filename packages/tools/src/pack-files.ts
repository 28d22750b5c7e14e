/**
 * Puts files of the repository into a package while npm packs it. npm runs this in the package's folder:
 *
 *   "prepack": "node ../tools/dist/pack-files.js README.md LICENSE"      "postpack": "node ../tools/dist/pack-files.js --remove README.md LICENSE"
 *
 * A package whose code is not built is refused. A link to a file of the repository leads nowhere from npm's page, so only its text stays.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** Markdown without its relative links: their texts stay. */
export function withoutRelativeLinks(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]+)\]\((?!\w+:)[^)\s]+\)/g, "$1");
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

function packFile(name: string): void {
  const text = readFileSync(join(REPOSITORY, name), "utf8");
  writeFileSync(name, name.endsWith(".md") ? withoutRelativeLinks(text) : text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const names = process.argv.slice(2).filter((argument) => argument !== "--remove");
  if (resolve() === REPOSITORY) throw new Error("pack-files.js runs in the folder of a package");
  if (!process.argv.includes("--remove")) checkBuilt(".");
  for (const name of names) {
    if (process.argv.includes("--remove")) rmSync(name, { force: true });
    else packFile(name);
  }
}
