/** Options that code of the same realm may have put on Object.prototype, and what calls made then are tried on. */
import type { FsCalls } from "../../../support/fs-calls.js";

/** Options of any call, each with a value that changes what a call does. */
export const OPTIONS: Readonly<Record<string, unknown>> = {
  bigint: true,
  bufferSize: "x",
  buffer: 5,
  dereference: true,
  encoding: "hex",
  errorOnExist: true,
  filter: () => false,
  flag: "wx",
  flush: "x",
  force: true,
  length: 2,
  maxRetries: -1,
  mode: 0o4700,
  offset: 2,
  position: 3,
  preserveTimestamps: "x",
  recursive: true,
  retryDelay: -1,
  signal: "x",
  throwIfNoEntry: false,
  verbatimSymlinks: true,
  withFileTypes: true,
};

/** Everything below a directory, in words. */
export function treeState(fs: FsCalls, dir: string): string[] {
  const shown = (name: string) => {
    const stat = fs.lstatSync(`${dir}/${name}`);
    const contents = stat.isFile() ? fs.readFileSync(`${dir}/${name}`, "latin1") : "";
    return `${name.replace(/^new.{6}$/, "new*")} ${stat.mode.toString(8)} ${contents}`;
  };
  return fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).map(shown).sort();
}

/** Makes what calls are tried on. Returns a descriptor. */
export function prepareTree(fs: FsCalls, dir: string): number {
  fs.mkdirSync(`${dir}/d/sub`, { recursive: true });
  fs.mkdirSync(`${dir}/e`);
  fs.writeFileSync(`${dir}/f`, "contents");
  fs.symlinkSync("f", `${dir}/l`);
  return fs.openSync(`${dir}/f`, "r+");
}
