// What do FS.stat() and FS.open() of a path of four components cost on a tree, and on MEMFS? The tree walks a plain path at once; one with a dot in it is walked as FS does
// it, name by name.

import type { Vfs } from "threadfs";
import { threadfs } from "threadfs/emscripten";
import type { BenchOptions } from "../../lib/question.js";
import type { Result } from "../../lib/result.js";
import { interleave, type Loop } from "../../lib/rounds.js";
import type { ProgramFs } from "./program.js";

/** Length of one measurement. */
const ROUND_MS = 100;
const DIRECTORY = "/bench/src/wasm";
const PLACES = { threadfs: `/tree${DIRECTORY}`, MEMFS: `/plain${DIRECTORY}`, "name by name": `/tree/.${DIRECTORY}` };

/** What a program does with a file in a directory. */
const CALLS: Readonly<Record<string, (FS: ProgramFs, directory: string) => void>> = {
  "FS.stat()": (FS, directory) => void FS.stat(`${directory}/names.ts`),
  "FS.stat() of a missing file": (FS, directory) => {
    try {
      FS.stat(`${directory}/missing.ts`);
    } catch {
      return;
    }
    throw new Error("the file is there");
  },
  "FS.open() and FS.close()": (FS, directory) => FS.close(FS.open(`${directory}/names.ts`, "r")),
};

function makeFiles(FS: ProgramFs, place: string): void {
  FS.mkdir(place);
  if (place === "/tree") return;
  let path = place;
  for (const name of DIRECTORY.slice(1).split("/")) {
    path += `/${name}`;
    FS.mkdir(path);
  }
  FS.writeFile(`${path}/names.ts`, new Uint8Array(10));
}

/** Measures in one program of this thread, which has both. */
export function measureNames(result: Result, FS: ProgramFs, vfs: Vfs, options: BenchOptions): void {
  makeFiles(FS, "/plain");
  makeFiles(FS, "/tree");
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  vfs.fs.writeFileSync(`${DIRECTORY}/names.ts`, new Uint8Array(10));
  FS.mount(threadfs, { vfs, FS }, "/tree");
  for (const [what, call] of Object.entries(CALLS)) {
    const loops = Object.entries(PLACES).map(([who, directory]): [string, Loop] => [
      who,
      (times) => {
        for (let i = 0; i < times; i++) call(FS, directory);
      },
    ]);
    const series = interleave(new Map(loops), { rounds: options.rounds, ms: ROUND_MS });
    const [ours, ...others] = Object.keys(PLACES).map((who) => result.measure(what, who, "ns", series.get(who) ?? []));
    for (const other of others) result.ratio(what, other, ours);
  }
}
