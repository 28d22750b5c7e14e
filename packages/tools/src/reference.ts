/**
 * The API reference: TypeDoc makes it of the published types and of docs/, into packages/reference/build/. What is exported without a
 * comment, and a link that leads nowhere, is an error.
 *
 *   node packages/tools/dist/reference.js        installs TypeDoc, by the lock file of packages/reference, unless it is there
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { npmCi } from "./install/npm-ci.js";

const FOLDER = fileURLToPath(new URL("../../reference/", import.meta.url));
const TYPEDOC = `${FOLDER}node_modules/typedoc`;

function versionIn(path: string): string | undefined {
  const manifest: { version?: string; devDependencies?: Record<string, string> } = JSON.parse(
    readFileSync(path, "utf8"),
  );
  return manifest.version ?? manifest.devDependencies?.typedoc;
}

const installed = existsSync(`${TYPEDOC}/package.json`) ? versionIn(`${TYPEDOC}/package.json`) : undefined;
if (installed !== versionIn(`${FOLDER}package.json`)) npmCi(FOLDER);
const { status } = spawnSync(process.execPath, [`${TYPEDOC}/bin/typedoc`], { cwd: FOLDER, stdio: "inherit" });
process.exitCode = status ?? 1;
