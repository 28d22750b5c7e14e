/** The limits of the sources' sizes: files in a folder, and lines in a file. Biome holds the third limit, the lines of a function. */
import { dirname } from "node:path";
import type { Problem, SourceTree } from "./documents.js";

const FILES_MAX = 15;
const LINES_MAX = 500;

const CODE = /\.(?:ts|js|c)$/;

/** Every folder with too many source files, and every source file with too many lines. */
export function checkSizes({ files }: Pick<SourceTree, "files">): Problem[] {
  const problems: Problem[] = [];
  const inFolder = new Map<string, number>();
  for (const [path, text] of files) {
    if (!CODE.test(path)) continue;
    const folder = dirname(path);
    inFolder.set(folder, (inFolder.get(folder) ?? 0) + 1);
    const lines = text.split("\n").length - 1;
    if (lines > LINES_MAX) problems.push(`${path}: ${lines} lines, at most ${LINES_MAX}`);
  }
  for (const [folder, count] of inFolder)
    if (count > FILES_MAX) problems.push(`${folder}: ${count} source files, at most ${FILES_MAX}`);
  return problems;
}
