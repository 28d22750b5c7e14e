/**
 * Puts files of the repository into a package while npm packs it. npm runs this in the package's folder:
 *
 *   "prepack": "node ../tools/dist/pack-files.js README.md LICENSE"      "postpack": "node ../tools/dist/pack-files.js --remove README.md LICENSE"
 *
 * A link to a file of the repository leads nowhere from npm's page, so only its text stays.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const REPOSITORY = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** Markdown without its relative links: their texts stay. */
export function withoutRelativeLinks(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]+)\]\((?!\w+:)[^)\s]+\)/g, "$1");
}

function packFile(name: string): void {
  const text = readFileSync(join(REPOSITORY, name), "utf8");
  writeFileSync(name, name.endsWith(".md") ? withoutRelativeLinks(text) : text);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const names = process.argv.slice(2).filter((argument) => argument !== "--remove");
  if (resolve() === REPOSITORY) throw new Error("pack-files.js runs in the folder of a package");
  for (const name of names) {
    if (process.argv.includes("--remove")) rmSync(name, { force: true });
    else packFile(name);
  }
}
