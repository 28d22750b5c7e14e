/** A copy of just-bash's repository in which its tests run, with the packages that its lock file names. */
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { REPOSITORY } from "../../support/project.js";

/** What the repository builds for its sqlite3, and the package has too. */
const WORKER = "dist/commands/sqlite3/worker.js";
const PACKAGE = join(REPOSITORY, "packages", "programs", "node_modules", "just-bash");
const LEFT_OUT = new Set(["node_modules", ".git"]);
const INSTALL_MS = 900_000;
const RUN_MS = 3_000_000;
const CONFIG = "vitest.threadfs.config.mjs";
const MEMORY_FS = new URL("./memory-fs.js", import.meta.url).pathname;
/** Compiled modules of ours, which Vitest is to leave as they are. */
const OURS = [join(REPOSITORY, "packages", "threadfs"), dirname(MEMORY_FS)];

interface Manifest {
  readonly version?: string;
  readonly packageManager?: string;
}

/** How a test has ended, by its file, its name, and its number among those of that name. */
export type Results = ReadonlyMap<string, string>;

/** A group of tests: the configuration of the repository that has it, and parts of the paths of its files. */
export interface Group {
  readonly config: string;
  readonly paths: readonly string[];
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

export class BashCopy {
  readonly #root = mkdtempSync(join(tmpdir(), "threadfs-just-bash-"));
  readonly #folder = join(this.#root, "packages", "just-bash");
  readonly version: string | undefined;
  /** Whether sqlite3 runs, in a worker that the package of the same version has. */
  readonly hasSqlite: boolean;

  /** Copies the repository and installs what it needs. @throws Error that says what to do */
  constructor(from: string | undefined) {
    if (from === undefined || !existsSync(join(from, "packages", "just-bash", "src", "fs")))
      throw new Error("JUST_BASH must name a copy of vercel-labs/just-bash");
    cpSync(from, this.#root, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
    const { packageManager } = manifestOf(this.#root);
    const [manager = "pnpm"] = packageManager?.split("+") ?? [];
    const options = ["--frozen-lockfile", "--ignore-scripts", "--filter", "just-bash"];
    this.#run(
      "npm",
      ["exec", "--yes", "--package", manager, "--", "pnpm", "install", ...options],
      this.#root,
      INSTALL_MS,
    );
    this.version = manifestOf(this.#folder).version;
    this.hasSqlite = this.version === manifestOf(PACKAGE).version;
    if (this.hasSqlite) {
      const to = join(this.#folder, WORKER);
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(join(PACKAGE, WORKER), to);
    }
  }

  #run(program: string, args: readonly string[], cwd: string, timeout: number): void {
    const env = { ...process.env, NO_COLOR: "1", CI: "1", NODE_TEST_CONTEXT: undefined };
    execFileSync(program, args, { cwd, env, timeout, stdio: ["ignore", "ignore", 2] });
  }

  /** Runs a group of tests, with a tree in the place of InMemoryFs or without. */
  test({ config, paths }: Group, onTrees: boolean): Results {
    const output = join(this.#root, "results.json");
    rmSync(output, { force: true });
    writeFileSync(join(this.#folder, CONFIG), configuration(config, onTrees));
    const vitest = join("node_modules", "vitest", "vitest.mjs");
    const options = ["run", "--config", CONFIG, "--reporter=json", `--outputFile=${output}`];
    try {
      this.#run(process.execPath, [vitest, ...options, ...paths], this.#folder, RUN_MS);
    } catch (cause) {
      // It ends with 1 when a test fails.
      if (!existsSync(output)) throw new Error("just-bash's tests did not run", { cause });
    }
    return resultsIn(output, this.#folder);
  }

  remove(): void {
    rmSync(this.#root, { recursive: true });
  }
}

/** A configuration of Vitest that takes that of the repository, and loads a module of ours for that of InMemoryFs. */
function configuration(base: string, onTrees: boolean): string {
  const contents = JSON.stringify(`export { InMemoryFs } from ${JSON.stringify(MEMORY_FS)};`);
  const replace = `{
  name: "threadfs",
  enforce: "pre",
  load: (id) => (/\\/fs\\/in-memory-fs\\/in-memory-fs\\.ts$/.test(id) ? ${contents} : undefined),
}`;
  return `import { mergeConfig } from "vitest/config";
import base from "./${base}";
export default mergeConfig(base, {
  plugins: [${onTrees ? replace : ""}],
  test: { server: { deps: { external: ${JSON.stringify(OURS)}.map((path) => new RegExp(path)) } } },
});
`;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function resultsIn(file: string, folder: string): Results {
  const results = new Map<string, string>();
  const { testResults } = JSON.parse(readFileSync(file, "utf8")) as Report;
  for (const { name, assertionResults } of testResults) {
    for (const { fullName, status } of assertionResults) {
      const key = `${name.slice(folder.length + 1)}: ${fullName}`;
      let number = 1;
      while (results.has(`${key} #${number}`)) number++;
      results.set(`${key} #${number}`, status);
    }
  }
  return results;
}
