/**
 * The programs of Node's own tests of node:wasi, as they are compiled in its sources: those of this machine's Debian, or a copy of nodejs/node.
 *
 *   NODE_SOURCE=DIR npm run test:node-wasi
 *
 * Each of them checks itself, and ends with 0 or prints what is expected. How many do with node:wasi on tmpfs and with browser_wasi_shim in memory is printed beside it. Neither of
 * these starts threads by itself. Without a copy, and where Debian's archive cannot be reached, they are skipped.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { unpackDebianSource } from "../../../../tools/dist/install/debian.js";
import { REPOSITORY } from "../support/project.js";
import { FOLDERS, readSuite, VERSION } from "./node-wasi/suite.js";
import { countOthers, wrongOn } from "./run.js";

/** Node 18 has so many, and each one since has more. */
const PROGRAMS_MIN = 25;
/** Where Debian's sources are unpacked. */
const UNPACKED = join(REPOSITORY, "packages", "programs", "build", "node-source");
const NEEDED = `NODE_SOURCE must name a copy of nodejs/node, with ${FOLDERS.join(" and ")}`;

/** Why there are no sources of Debian's; undefined: there are. */
function debianMisses(): string | undefined {
  try {
    unpackDebianSource("nodejs", [...FOLDERS, VERSION], UNPACKED, NEEDED);
    return undefined;
  } catch (error) {
    return `${(error as Error).message}\n${(error as Error).cause}`;
  }
}

function testPrograms(source: string): void {
  if (!FOLDERS.every((folder) => existsSync(join(source, folder)))) throw new Error(NEEDED);
  const work = mkdtempSync(join(tmpdir(), "threadfs-node-wasi-"));
  after(() => rmSync(work, { recursive: true }));
  const { programs, refused, version } = readSuite(source, work);
  const others = countOthers(programs);

  for (const program of programs) {
    const name = basename(program.file, ".wasm");
    test(name, async () => {
      const wrong = await wrongOn("threadfs", program);
      if (refused.includes(name)) assert.match(`${wrong}`, /unreachable/);
      else assert.equal(wrong, undefined);
    });
  }

  test("no program is missing, and others are counted beside", async () => {
    assert.ok(programs.length >= PROGRAMS_MIN, `only ${programs.length} programs in ${source}`);
    console.log(`programs of Node ${version ?? "of an unknown version"}`);
    // The reporter prints no diagnostics of tests that pass.
    for (const line of await others) console.log(line);
  });
}

const given = process.env.NODE_SOURCE;
const missing = given === undefined ? debianMisses() : undefined;
if (missing === undefined) testPrograms(given ?? UNPACKED);
else
  test("the programs of Node's tests", (t) => {
    console.log(missing);
    t.skip(missing);
  });
