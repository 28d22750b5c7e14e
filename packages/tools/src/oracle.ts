/**
 * The oracle: the Node.js whose `node:fs` threadfs is compared with, whichever Node.js runs the tests. It comes from npm, by the
 * lock file of `packages/oracle`, and is installed when it is missing or of another version.
 *
 *   node packages/tools/dist/oracle.js        installs it if necessary and prints its path
 *
 * `THREADFS_ORACLE_NODE` gives the path of another binary instead.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { npmCi } from "./install/npm-ci.js";

const FOLDER = fileURLToPath(new URL("../../oracle/", import.meta.url));
const PACKAGE = `node-${process.platform}-${process.arch}`;
const BINARY = `${FOLDER}node_modules/${PACKAGE}/bin/node`;

interface Manifest {
  version?: string;
  optionalDependencies?: Record<string, string>;
}

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The version that the tests ask for; undefined where npm has no such package for this machine. */
function wantedVersion(): string | undefined {
  return manifest(`${FOLDER}package.json`).optionalDependencies?.[PACKAGE];
}

function installedVersion(): string | undefined {
  const path = `${FOLDER}node_modules/${PACKAGE}/package.json`;
  return existsSync(path) && existsSync(BINARY) ? manifest(path).version : undefined;
}

/** The path of the oracle's binary. @throws Error that says how to get it */
export function oracleNode(): string {
  const given = process.env.THREADFS_ORACLE_NODE;
  if (given) return given;
  const wanted = wantedVersion();
  if (wanted !== undefined && installedVersion() === wanted) return BINARY;
  throw new Error(
    wanted === undefined
      ? `packages/oracle has no ${PACKAGE}: set THREADFS_ORACLE_NODE to the path of a Node.js 26`
      : `${PACKAGE} ${wanted} is not installed: node packages/tools/dist/oracle.js installs it`,
  );
}

/** Installs the oracle if it is missing or of another version. Returns its path. @throws Error */
export function installOracle(): string {
  const wanted = wantedVersion();
  if (process.env.THREADFS_ORACLE_NODE || wanted === undefined || installedVersion() === wanted) return oracleNode();
  npmCi(FOLDER);
  return oracleNode();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(installOracle());
}
