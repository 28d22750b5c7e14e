/**
 * Runs binaryen's asyncify over a module: afterwards an import can suspend it. The pass takes seconds, and every check needs
 * the same few modules, so its results are kept beside the build with names, each under the hash of its input.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KEPT_DIR, ROOT } from "./symbols.js";

const PASS_MS = 300_000;
/** Modules that are kept: those of the present core, and some of planted faults. */
const KEPT = 16;

/** Imports that may suspend the core; binaryen need not save the state around any other. */
const SUSPENDING = ["verify.access", "verify.store", "verify.range", "host.wait", "host.clock"];

/** The features that the core uses; binaryen refuses all others. */
const FEATURES = [
  "threads",
  "bulk-memory",
  "bulk-memory-opt",
  "mutable-globals",
  "sign-ext",
  "nontrapping-float-to-int",
];

/** The levels let the pass itself save fewer locals; no other pass is run. */
const OPTIONS = [
  ...FEATURES.map((name) => `--enable-${name}`),
  "--optimize-level=2",
  "--shrink-level=1",
  "--asyncify",
  `--pass-arg=asyncify-imports@${SUSPENDING.join(",")}`,
  "--pass-arg=asyncify-ignore-indirect",
];

/**
 * @param directory where results are kept
 * @throws Error with the message of binaryen
 */
export function asyncify(bytes: Uint8Array<ArrayBuffer>, directory = join(ROOT, KEPT_DIR)): Uint8Array<ArrayBuffer> {
  const key = createHash("sha256").update(bytes).update(OPTIONS.join(" ")).digest("hex").slice(0, 32);
  const kept = join(directory, `asyncify-${key}.wasm`);
  if (existsSync(kept)) return readFileSync(kept);
  mkdirSync(directory, { recursive: true });
  const aside = mkdtempSync(join(directory, "pass-"));
  try {
    const [from, to] = [join(aside, "in.wasm"), join(aside, "out.wasm")];
    writeFileSync(from, bytes);
    const tool = join(ROOT, "node_modules", "binaryen", "bin", "wasm-opt");
    const args = [tool, from, "-o", to, ...OPTIONS];
    const { status, stderr, error } = spawnSync(process.execPath, args, { timeout: PASS_MS, encoding: "utf8" });
    if (status !== 0) throw new Error(`asyncify: ${error?.message ?? stderr}`);
    const out = readFileSync(to);
    // Another process may have made the same file meanwhile; the two are equal, and the later one stays.
    renameSync(to, kept);
    tidy(directory);
    return out;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Removes the oldest results. A process that uses one has read it into its own memory. */
function tidy(directory: string): void {
  const files = readdirSync(directory)
    .filter((name) => name.startsWith("asyncify-"))
    .map((name) => join(directory, name))
    .map((file) => ({ file, made: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.made - a.made);
  for (const { file } of files.slice(KEPT)) rmSync(file, { force: true });
}
