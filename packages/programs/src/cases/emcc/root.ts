/**
 * Emscripten, as Debian's testing has it, in a root directory of its own: the one of a stable Debian is older than the calls of WASMFS's Node backend. What it
 * compiles of its own libraries is kept there.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { debianReleases, PrivateApt } from "../../../../tools/dist/install/debian.js";
import { REPOSITORY } from "../support/project.js";

const HOME = join(REPOSITORY, "packages", "programs", "build", "emcc");
const ROOT = join(HOME, "root");
/** The folder in which programs are compiled, as this machine sees it and as the compiler does. */
export const WORK = join(ROOT, "work");
const WORK_INSIDE = "/work";
const PACKAGES = ["emscripten", "dash", "coreutils", "sed"];
const RELEASE = { name: "testing", component: "main" };
const FETCH_MS = 900_000;
/** The first program that needs one of Emscripten's libraries has it compiled, which takes minutes each. */
const COMPILE_MS = 3_600_000;

function run(program: string, args: readonly string[], timeout: number): string {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return execFileSync(program, args, { stdio: ["ignore", "pipe", 2], timeout, env, encoding: "utf8" });
}

/** Fetches the packages and unpacks them. */
function unpack(into: string): void {
  const [from] = debianReleases();
  const folder = join(HOME, "apt");
  const apt = new PrivateApt(folder, "deb", [{ ...from, ...RELEASE }], FETCH_MS);
  apt.run("install", "--yes", "--download-only", ...PACKAGES);
  for (const name of readdirSync(apt.archives).filter((one) => one.endsWith(".deb"))) {
    run("dpkg-deb", ["--extract", join(apt.archives, name), into], FETCH_MS);
  }
  rmSync(folder, { recursive: true });
}

/** What the scripts of the packages would do. */
function complete(root: string): void {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const name of ["tmp", "dev", "root", WORK_INSIDE]) mkdirSync(join(root, name), { recursive: true });
  if (!existsSync(join(root, "usr/bin/sh"))) symlinkSync("dash", join(root, "usr/bin/sh"));
  run("mknod", ["-m", "666", join(root, "dev/null"), "c", "1", "3"], FETCH_MS);
}

/** Installs the compiler, unless it is there. @throws Error: as another user than root, or without the packages */
export function installEmcc(): void {
  if (existsSync(ROOT)) return;
  if (process.getuid?.() !== 0)
    throw new Error("Emscripten is installed, and runs, in a root directory: run this as root");
  const made = `${ROOT}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  unpack(made);
  complete(made);
  renameSync(made, ROOT);
}

/** Runs the compiler in {@link WORK}. @throws Error */
export function emcc(args: readonly string[]): void {
  const env = ["env", "-C", WORK_INSIDE, "HOME=/root", "PATH=/usr/bin:/bin"];
  run("chroot", [ROOT, ...env, "emcc", ...args], COMPILE_MS);
}
