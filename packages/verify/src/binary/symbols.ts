/**
 * Names and source lines for the shipping core, which has none: the same source is built once more with names and a
 * source map, and the code of that build is compared with the shipping one byte by byte. One byte that differs is an error: a trace
 * with wrong names is worse than one without.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { defined } from "../support/defined.js";
import { Reader, SECTION, sections } from "./wasm.js";

/** The repository, and paths below it: the library, the shipping core, and the files that the checks keep. */
export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
export const LIBRARY = join("packages", "threadfs");
export const SHIPPING = join(LIBRARY, "dist", "core.wasm");
export const KEPT_DIR = join("packages", "verify", "build", "kept");
const BUILD_MS = 300_000;

/** Names and lines of a module. */
export interface Symbols {
  /** Path of each function by its index, "core/mem/lock/lock/lock". */
  functions: Map<number, string>;
  /** "core/mem/lock/lock.ts:30" for a byte offset in the shipping file, or "". */
  line(offset: number): string;
  /** A hash of names and lines: it changes with the comments of the source too, which move lines. */
  version: string;
}

/** The sections that determine the behaviour of the module: all but custom sections. */
function meaning(bytes: Uint8Array) {
  const parts = sections(bytes).filter(({ id }) => id !== SECTION.CUSTOM);
  return parts.map(({ id, start, end }) => ({ id, bytes: Buffer.from(bytes.subarray(start, end)), start }));
}

function sameCode(a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [meaning(a), meaning(b)];
  return (
    left.length === right.length &&
    left.every(({ id, bytes, start }, i) => {
      const other = right[i];
      return other !== undefined && other.id === id && other.start === start && other.bytes.equals(bytes);
    })
  );
}

/**
 * Names of the core's functions and lines of its instructions. The names build is made when it is missing or was made from another source.
 * @param core the shipping core
 * @param root the repository whose source it was built from
 * @throws Error when the source does not give this core
 */
export function symbolsOf(core: Uint8Array, root: string = ROOT): Symbols {
  const file = join(root, KEPT_DIR, "core.names.wasm");
  if (!existsSync(file) || !sameCode(core, readFileSync(file)) || !sameSource(mapOf(file), root)) build(root);
  const named = readFileSync(file);
  if (!sameCode(core, named)) {
    throw new Error("names: core.wasm is not what the source in core/ gives; run `npm run build` first");
  }
  const map = mapOf(file);
  const version = createHash("sha256").update(named).update(JSON.stringify(map)).digest("hex");
  return { functions: functionNames(named), line: lines(map), version };
}

interface SourceMap {
  sources: string[];
  sourcesContent: string[];
  mappings: string;
}

function mapOf(file: string): SourceMap {
  return JSON.parse(readFileSync(`${file}.map`, "utf8"));
}

/** Whether a source map was made from the source as it is; the compiler's own library does not count. */
function sameSource({ sources, sourcesContent }: SourceMap, root: string): boolean {
  return sources.every((source, i) => {
    if (source.startsWith("~lib/")) return true;
    const path = join(root, LIBRARY, source);
    return existsSync(path) && readFileSync(path, "utf8") === sourcesContent[i];
  });
}

/** The release build with names. It is made in a directory of its own and moved, as several processes may build it at once. */
function build(root: string): void {
  const target = join(root, KEPT_DIR);
  mkdirSync(target, { recursive: true });
  const aside = mkdtempSync(join(target, "names-"));
  try {
    const asc = join(root, "node_modules", "assemblyscript", "bin", "asc.js");
    const options = ["--config", "core/asconfig.json", "--target", "release", "--debug", "--sourceMap"];
    const args = [asc, ...options, "--outFile", join(aside, "core.names.wasm")];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: join(root, LIBRARY),
      timeout: BUILD_MS,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`names: the build with names failed\n${stderr}`);
    for (const name of ["core.names.wasm.map", "core.names.wasm"]) renameSync(join(aside, name), join(target, name));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function functionNames(bytes: Uint8Array): Map<number, string> {
  const section = sections(bytes).find(({ id, name }) => id === SECTION.CUSTOM && name === "name");
  const out = new Map<number, string>();
  if (section === undefined) throw new Error("names: the names build holds no names");
  const reader = new Reader(bytes, section.start, section.end);
  while (!reader.done) {
    const kind = reader.byte();
    const size = reader.u32();
    if (kind !== 1) {
      reader.skip(size);
      continue;
    }
    for (let n = reader.u32(); n > 0; n--) {
      const index = reader.u32();
      out.set(index, reader.name());
    }
  }
  return out;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of one segment of a source map's mappings (base 64, five bits a digit, sign in the lowest bit). */
function* vlq(segment: string): Generator<number, void> {
  let value = 0;
  let shift = 0;
  for (const char of segment) {
    const digit = DIGITS.indexOf(char);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    yield value & 1 ? -(value >>> 1) : value >>> 1;
    value = 0;
    shift = 0;
  }
}

/** In a source map of WebAssembly the generated "column" is the byte offset. */
function lines({ mappings, sources }: SourceMap): (at: number) => string {
  const offsets: number[] = [];
  const places: string[] = [];
  let [offset, source, line] = [0, 0, 0];
  for (const segment of mappings.split(",")) {
    const [byOffset = 0, bySource = 0, byLine = 0] = vlq(segment);
    offset += byOffset;
    source += bySource;
    line += byLine;
    offsets.push(offset);
    places.push(`${sources[source]}:${line + 1}`);
  }
  return (at: number) => {
    let [low, high] = [0, offsets.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (defined(offsets[middle], "offset") <= at) low = middle + 1;
      else high = middle;
    }
    return places[low - 1] ?? "";
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { functions } = symbolsOf(readFileSync(join(ROOT, SHIPPING)));
  console.log(`${functions.size} functions of ${SHIPPING} have names: ${join(KEPT_DIR, "core.names.wasm")}`);
}
