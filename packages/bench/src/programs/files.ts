// A real node_modules for the bench of programs: that of packages/programs, which `npm run test:programs` installs. All names are
// kept; contents of what the measured programs read.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchFs } from "../lib/rivals.js";

/** From dist/programs/. */
export const MODULES = fileURLToPath(new URL("../../../programs/node_modules", import.meta.url));

/** Packages whose files keep their contents: what TypeScript checks, and what webpack bundles. */
const READ = ["typescript/lib", "@types/node", "undici-types", "fast-glob"];
const READ_CONTENTS = /\.(?:d\.ts|[cm]?js|json)$/;

/** A file of the tree. */
export interface ProgramFile {
  /** Below node_modules. */
  name: string;
  kept: boolean;
}

/** What a program asks a resolver for: from a directory, by a name. */
export interface ResolveRequest {
  from: string;
  request: string;
}

export interface Programs {
  files: ProgramFile[];
  requests: ResolveRequest[];
}

interface Manifest {
  main?: unknown;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

function manifestOf(file: string): Manifest {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch {
    return {}; // Packages have broken ones among their fixtures.
  }
}

/** All dependencies of a package, wherever they are, with the package's own main file and a file that is missing. */
function requestsOf(name: string): ResolveRequest[] {
  const from = path.posix.dirname(name);
  const { main, dependencies = {}, peerDependencies = {} } = manifestOf(path.join(MODULES, name));
  const requests = [...Object.keys(dependencies), ...Object.keys(peerDependencies), "./missing"];
  if (typeof main === "string") requests.push(`./${main}`);
  return requests.map((request) => ({ from, request }));
}

/** The packages that are installed; undefined if none are. */
export function listPrograms(): Programs | undefined {
  if (!existsSync(path.join(MODULES, ".package-lock.json"))) return undefined;
  const bundled = dependenciesOf("fast-glob");
  const keeps = (name: string) => [...READ, ...bundled].some((start) => name.startsWith(`${start}/`));
  const files: ProgramFile[] = [];
  for (const entry of readdirSync(MODULES, { recursive: true, withFileTypes: true })) {
    const name = path.relative(MODULES, path.join(entry.parentPath, entry.name));
    if (!entry.isFile() || name.startsWith(".")) continue;
    const kept = entry.name === "package.json" || (keeps(name) && READ_CONTENTS.test(name) && !/tsc?\.js$/.test(name));
    files.push({ name, kept });
  }
  const manifests = files.filter(({ name }) => /^(?:@[^/]+\/)?[^/]+\/package\.json$/.test(name));
  return { files, requests: manifests.flatMap(({ name }) => requestsOf(name)) };
}

/** All packages that a package needs, by their names in node_modules. */
function dependenciesOf(name: string, found = new Set<string>()): Set<string> {
  for (const each of Object.keys(manifestOf(path.join(MODULES, name, "package.json")).dependencies ?? {})) {
    if (found.has(each)) continue;
    found.add(each);
    dependenciesOf(each, found);
  }
  return found;
}

/** Copies the files below `root`/node_modules. Returns the bytes of their contents. */
export function copyPrograms(fs: BenchFs, files: readonly ProgramFile[], root: string): number {
  let bytes = 0;
  let last = "";
  for (const { name, kept } of files) {
    const target = `${root}/node_modules/${name}`;
    const directory = path.posix.dirname(target);
    if (directory !== last) fs.mkdirSync(directory, { recursive: true });
    last = directory;
    const contents = kept ? readFileSync(path.join(MODULES, name)) : new Uint8Array();
    bytes += contents.length;
    fs.writeFileSync(target, contents);
  }
  return bytes;
}
