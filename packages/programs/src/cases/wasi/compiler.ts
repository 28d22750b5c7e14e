/** C programs of this folder, compiled for WASI and for this machine, by Debian's compiler. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installFromDebian } from "../../../../tools/dist/install/debian.js";
import { REPOSITORY } from "../support/project.js";

export const SOURCES = join(REPOSITORY, "packages", "programs", "src", "cases", "wasi", "c");
const PACKAGES = ["clang", "lld", "wasi-libc", "libclang-rt-14-dev-wasm32"];
/** What each of them has, beside the compiler itself. */
const FILES = ["/usr/bin/clang", "/usr/bin/wasm-ld", "/usr/include/wasm32-wasi/stdio.h"];
const LIMIT_MS = 300_000;

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"], timeout: LIMIT_MS });
}

/** Installs the compiler, where it is missing. @throws Error that says what to install */
export function installCompiler(): void {
  if (!FILES.every((file) => existsSync(file))) installFromDebian(PACKAGES, "a compiler for WASI");
}

/** The most pages of a program with threads. */
export const THREADS_MAXIMUM = 1024;
/** Options for a program with threads: without a C library, which has none, and with a memory that threads share. */
const THREADS = [
  ...["-nostdlib", "-matomics", "-mbulk-memory"],
  `-Wl,--no-entry,--import-memory,--shared-memory,--max-memory=${THREADS_MAXIMUM * 65_536}`,
];

const COMMON = ["-O1", "-Wall", "-Werror"];

/** Compiles a program into a folder. Returns its two files. */
export function compileC(name: string, folder: string, threaded = false): { wasm: string; native: string } {
  const wasm = join(folder, `${name}.wasm`);
  const source = join(SOURCES, `${name}.c`);
  run("clang", ["--target=wasm32-wasi", ...COMMON, ...(threaded ? THREADS : []), "-o", wasm, source]);
  return { wasm, native: compileNative(name, folder, threaded ? ["-pthread"] : []) };
}

/** Compiles a program for this machine into a folder. Returns its file. */
export function compileNative(name: string, folder: string, options: readonly string[]): string {
  const native = join(folder, name);
  run("clang", [...COMMON, ...options, "-o", native, join(SOURCES, `${name}.c`)]);
  return native;
}
