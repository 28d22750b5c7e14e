/** Installs packages of Debian, for tests that need a browser or a compiler, and fetches the sources of one. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** apt writes here when it fetches the lists of packages. */
const LISTS = "/var/lib/apt/lists/partial";
/** Lists that are younger are good enough. */
const FRESH_MS = 3_600_000;
const LIMIT_MS = 300_000;
/** The index of the manual would be made anew for each package that has pages in it, for ten seconds. */
const NO_MANUAL = ["-o", "Dpkg::Options::=--path-exclude=/usr/share/man/*"];
/** With them Debian signs its releases. */
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Runs a program of Debian's. Returns what it prints. @throws Error */
function run(program: string, args: readonly string[], timeout = LIMIT_MS, cwd = "/"): string {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Room for what it prints: apt tells of every step.
  const maxBuffer = 1 << 26;
  return execFileSync(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    ...{ cwd, timeout, env, maxBuffer },
  });
}

const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Installs packages, as root.
 * @param what is missing, for the error
 * @param how else the user may help
 * @throws Error that says what to install
 */
export function installFromDebian(packages: readonly string[], what: string, how = ""): void {
  const todo = `install ${packages.join(", ")}${how}`;
  if (!isRoot()) throw new Error(`${what} is missing: ${todo}`);
  try {
    const { mtimeMs = 0 } = statSync(LISTS, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > FRESH_MS) run("apt-get", ["update"]);
    run("apt-get", ["install", "--yes", "--no-install-recommends", ...NO_MANUAL, ...packages]);
  } catch (cause) {
    throw new Error(`${what} is missing, and could not be installed: ${todo}`, { cause });
  }
}

/** A release of Debian, where this machine has it from. */
export interface Release {
  readonly uri: string;
  readonly name: string;
  readonly component: string;
}

/** Those that this machine has lists of, but for updates of security: these are soon replaced by others. */
function listedReleases(): Release[] {
  const format = ["--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"];
  const lines = run("apt-get", [
    "indextargets",
    ...format,
    "Created-By: Packages",
    "Origin: Debian",
    "Label: Debian",
  ]).split("\n");
  return [...new Set(lines)].flatMap((line): Release[] => {
    const [uri, name, component] = line.split(" ");
    return uri && name && component ? [{ uri, name, component }] : [];
  });
}

/** Those from which this machine has its packages. Who else it has packages from is left out. @throws Error: there are none */
export function debianReleases(): [Release, ...Release[]] {
  let [first, ...others] = listedReleases();
  // Only a list tells whose it is, and only root may fetch the machine's lists.
  if (first === undefined && isRoot()) {
    run("apt-get", ["update"]);
    [first, ...others] = listedReleases();
  }
  if (first === undefined) throw new Error("apt has no list of Debian's packages: run apt-get update");
  return [first, ...others];
}

/** An apt whose lists, packages and settings are in a folder of its own: what this machine has installed is nothing to it. */
export class PrivateApt {
  readonly archives: string;
  readonly #options: string[];
  readonly #timeout: number;

  /** @param type of the lists: packages or sources */
  constructor(folder: string, type: "deb" | "deb-src", releases: readonly Release[], timeout = LIMIT_MS) {
    this.#timeout = timeout;
    this.archives = join(folder, "archives");
    const [sources, status] = [join(folder, "sources.list"), join(folder, "status")];
    mkdirSync(join(folder, "lists", "partial"), { recursive: true });
    mkdirSync(join(this.archives, "partial"), { recursive: true });
    writeFileSync(status, "");
    const lines = releases.map(
      ({ uri, name, component }) => `${type} [signed-by=${KEYS}] ${uri} ${name} ${component}\n`,
    );
    writeFileSync(sources, lines.join(""));
    this.#options = [
      `Dir::Etc::sourcelist=${sources}`,
      "Dir::Etc::sourceparts=/dev/null",
      `Dir::State=${folder}`,
      `Dir::State::status=${status}`,
      `Dir::Cache=${folder}`,
      "APT::Install-Recommends=false",
      "APT::Sandbox::User=root",
      "Acquire::Retries=3",
    ].flatMap((setting) => ["-o", setting]);
    this.run("update");
  }

  /** Runs a command of apt-get in {@link archives}. @throws Error */
  run(...args: string[]): void {
    run("apt-get", [...this.#options, ...args], this.#timeout, this.archives);
  }
}

/**
 * Fetches the sources of a package of this machine's Debian and unpacks folders of them, unless they are there. It needs no root.
 * @param folders of the sources, as the package's authors name them
 * @param into the folder that gets them, which is made as a whole
 * @throws Error that says what to do
 */
export function unpackDebianSource(name: string, folders: readonly string[], into: string, how: string): void {
  if (statSync(into, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(dirname(into), { recursive: true });
  const work = mkdtempSync(join(tmpdir(), "threadfs-source-"));
  const unpacked = mkdtempSync(`${into}-`);
  try {
    const apt = new PrivateApt(work, "deb-src", debianReleases());
    apt.run("source", "--tar-only", "--only-source", name);
    const archive = readdirSync(apt.archives).find((file) => /\.orig\.tar\.\w+$/.test(file));
    if (archive === undefined) throw new Error(`apt has fetched no sources of ${name}`);
    const patterns = folders.map((folder) => `*/${folder}`);
    const options = ["--no-same-owner", "--strip-components=1", "--wildcards", "--no-wildcards-match-slash"];
    run("tar", ["-xf", join(apt.archives, archive), "-C", unpacked, ...options, ...patterns]);
    renameSync(unpacked, into);
  } catch (cause) {
    rmSync(unpacked, { recursive: true, force: true });
    throw new Error(`the sources of ${name} could not be had from Debian: ${how}`, { cause });
  } finally {
    rmSync(work, { recursive: true });
  }
}
