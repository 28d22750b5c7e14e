/**
 * The commands: `threadfs job [DIR]` and `threadfs walk PATH`.
 */
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { MAX_THREADS } from "threadfs";
import { runJob } from "./job/job.js";
import { memoryLimits } from "./job/memory-limits.js";
import { CliError, codeOf, EXIT_FAILED, EXIT_USAGE } from "./support/errors.js";
import { MOUNT_FLAGS } from "./walk/mount-text.js";
import { VALIDITIES, type Validity } from "./walk/tree-driver.js";
import { runWalk } from "./walk.js";

const KIB = 1024;
/** Threads of the job that look nothing up: the main thread and the mutator. */
const OTHER_THREADS = 2;
const MIB = 1 << 20;

/** Returns a parser for a number option with these limits. */
function between(least: number, most: number, integer = true): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const usable = text.trim() !== "" && value >= least && value <= most && (!integer || Number.isInteger(value));
    if (!usable)
      throw new InvalidArgumentError(`It must be a${integer ? "n integer" : " number"} from ${least} to ${most}.`);
    return value;
  };
}

/** A path that is not empty: an empty one would be taken for the working directory. */
function somePath(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}

/** The nearest directory upwards that has a package.json; the directory itself when there is none. */
function projectDirectory(from: string): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "package.json"))) return directory;
    if (dirname(directory) === directory) return from;
  }
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

interface JobFlags {
  seconds: number;
  threads: number;
  contentLimit: number;
  contentTotal?: number;
  maxEntries?: number;
  maxMemory: number;
  seed: number;
  json?: string;
  selfTest: boolean;
}

function jobCommand(): Command {
  return new Command("job")
    .description("load a directory into one shared tree and look everything up while it changes")
    .argument("[DIR]", "the directory; default: the project that the working directory is in", somePath)
    .option("--seconds <n>", "time of looking up beside the mutator", between(0.1, 3600, false), 5)
    .option("--threads <n>", "threads that look up", between(1, MAX_THREADS - OTHER_THREADS), availableParallelism())
    .option("--content-limit <KiB>", "contents of larger files are not loaded", between(0, 1 << 20), 64)
    .option("--content-total <MiB>", "contents loaded in all; default: 256, less with little memory", between(0, 3072))
    .option(
      "--max-entries <n>",
      "entries loaded in all; default: 1000000, less with little memory",
      between(1, 1 << 22),
    )
    .option("--max-memory <MiB>", "largest size of the shared memory", between(16, 4095), 2048)
    .option("--seed <n>", "which directories move, and the order of lookups", between(0, 2 ** 31 - 1), 1)
    .option("--json <FILE>", "write the result as JSON too", somePath)
    .option(
      "--self-test",
      "plant a wrong answer, to see that the check finds it (exit status 1; 3 when it does not)",
      false,
    )
    .action(async (directory: string | undefined, flags: JobFlags) => {
      const { seconds, threads, seed, json, selfTest } = flags;
      const maxBytes = flags.maxMemory * MIB;
      const contentTotal = flags.contentTotal === undefined ? undefined : flags.contentTotal * MIB;
      const limits = memoryLimits({
        maxBytes,
        threads: threads + OTHER_THREADS,
        contentTotal,
        maxEntries: flags.maxEntries,
      });
      process.exitCode = await runJob({
        directory: resolve(directory ?? projectDirectory(process.cwd())),
        seconds,
        threads,
        ...limits,
        maxBytes,
        seed,
        selfTest,
        contentLimit: flags.contentLimit * KIB,
        ...(json === undefined ? {} : { json }),
      });
    });
}

interface WalkFlags {
  dir: string;
  uid: number;
  gid?: number;
  json: boolean;
  ref: boolean;
  follow: boolean;
  mount: string[];
  resolve?: string[];
  acl: string[];
  driver: string[];
  driverValidity: Validity;
  cold: boolean;
  snapshot?: string;
}

/** A parser for an option that may be given again. */
const several = (value: string, all: string[]): string[] => [...all, somePath(value)];

function walkCommand(): Command {
  const id = between(0, 2 ** 32 - 2);
  return new Command("walk")
    .description("explain one lookup step by step")
    .argument("<PATH>", "a path from the directory on, which is the root of the tree: /src/index.ts or src/index.ts")
    .option("--dir <DIR>", "the directory whose names, modes, owners and links are loaded", somePath, ".")
    .addOption(
      new Option("--snapshot <FILE>", "walk in the tree of a snapshot instead of a directory")
        .argParser(somePath)
        .conflicts("dir"),
    )
    .option("--uid <n>", "look up as this user", id, 0)
    .option("--gid <n>", "look up with this group; default: the same number as the user", id)
    .option(
      "--mount <PATH[:FLAGS]>",
      `mount an empty tmpfs there first, or the directory itself (bind), with some of the flags ${MOUNT_FLAGS.join(",")}; may be given again`,
      several,
      [],
    )
    .option(
      "--acl <PATH=TEXT>",
      "set an ACL first, as setfacl -m: /dir=u:1000:r-x,d:g::rx; may be given again",
      several,
      [],
    )
    .option("--driver <PATH>", "a driver has the files below that directory; may be given again", several, [])
    .addOption(
      new Option("--driver-validity <how>", "how long what a driver has told of a name is good")
        .choices(VALIDITIES)
        .default("always"),
    )
    .option("--cold", "explain the first walk, before which drivers have told nothing; default: the second one", false)
    .option(
      "--resolve <FLAGS>",
      "what the walk may not pass, as in openat2: some of beneath,in-root,no-xdev,no-symlinks,no-magiclinks,cached",
      (text) => text.split(","),
    )
    .option("--ref", "force ref-walk", false)
    .addOption(new Option("--no-follow", "do not follow a link at the end"))
    .option("--json", "print one JSON document", false)
    .action(async (path: string, flags: WalkFlags) => {
      process.exitCode = await runWalk({
        path,
        directory: resolve(flags.dir),
        uid: flags.uid,
        gid: flags.gid ?? flags.uid,
        json: flags.json,
        ref: flags.ref,
        follow: flags.follow,
        mounts: flags.mount,
        acls: flags.acl,
        drivers: flags.driver,
        validity: flags.driverValidity,
        cold: flags.cold,
        resolve: flags.resolve,
        snapshot: flags.snapshot,
      });
    });
}

function complain(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  process.stderr.write(`threadfs: ${message.startsWith(code) ? "" : `${code}: `}${message}\n`);
  process.exitCode = error instanceof CliError ? error.exitStatus : EXIT_FAILED;
}

const program = new Command("threadfs")
  .description("One file tree in shared memory, with Linux's path lookup")
  .version(version())
  .addCommand(jobCommand())
  .addCommand(walkCommand());
for (const command of [program, ...program.commands]) {
  // Commander exits with 1 for bad arguments; here 1 means a wrong answer.
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE));
}
await program.parseAsync().catch(complain);
