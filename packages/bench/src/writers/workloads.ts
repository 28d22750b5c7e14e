// What the writers of the bench do: one turn of each workload, made in the thread that is measured.

import { join } from "node:path";
import type { VfsHandle } from "threadfs";

/** The most threads of a workload. */
export const TWO = 2;
/** The directory that all threads use; each has another one, named by its number. */
export const SHARED = "shared";
const PAGE = 4096;
/** Files that a turn makes and removes. */
const BATCH = 64;

type Fs = typeof import("node:fs");
/** The calls of a batch, which returns how many it has made. */
type Batch = () => number;

interface Workload {
  /** Two threads against one. */
  target: number;
  /** @param base the path that begins all others */
  make(fs: Fs, base: string, thread: number): Batch;
}

/** What every worker is started with. Without a handle it uses node:fs. */
export interface WriterStart {
  handle?: VfsHandle;
  base: string;
  /** Words: 0 the run ends, 1 threads that are ready. */
  control: Int32Array;
}

/** Runs a workload in a thread, together with as many as there are `threads`. */
export type WriterRequest = { task: "run"; name: string; thread: number; threads: number };

function created(fs: Fs, directory: string, thread: number): Batch {
  const paths = Array.from({ length: BATCH }, (_, n) => join(directory, `file-${thread}-${n}`));
  return () => {
    for (const path of paths) fs.closeSync(fs.openSync(path, "w"));
    for (const path of paths) fs.unlinkSync(path);
    return 2 * BATCH;
  };
}

export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "creating and removing, a directory for each": {
    target: 1.8,
    make: (fs, base, thread) => created(fs, join(base, `${thread}`), thread),
  },
  "creating and removing, one directory": {
    target: 1.5,
    make: (fs, base, thread) => created(fs, join(base, SHARED), thread),
  },
  "renaming, a directory for each": {
    target: 1.8,
    make(fs, base, thread) {
      const [a, b] = [join(base, `${thread}`, "one"), join(base, `${thread}`, "two")];
      fs.writeFileSync(a, "");
      return () => {
        for (let n = 0; n < BATCH; n++) {
          fs.renameSync(a, b);
          fs.renameSync(b, a);
        }
        return 2 * BATCH;
      };
    },
  },
  "writing 4 KiB, a file for each": {
    target: 1.8,
    make(fs, base, thread) {
      const fd = fs.openSync(join(base, `${thread}`, "written"), "w");
      const bytes = Buffer.alloc(PAGE, thread);
      return () => {
        for (let n = 0; n < BATCH; n++) fs.writeSync(fd, bytes, 0, PAGE, 0);
        return BATCH;
      };
    },
  },
  "reading 4 KiB, one file": {
    target: 1.8,
    make(fs, base) {
      const fd = fs.openSync(join(base, SHARED, "file"), "r");
      const bytes = Buffer.alloc(PAGE);
      return () => {
        for (let n = 0; n < BATCH; n++) fs.readSync(fd, bytes, 0, PAGE, 0);
        return BATCH;
      };
    },
  },
  "readFile of 4 KiB, one file": {
    target: 1.8,
    make(fs, base) {
      const path = join(base, SHARED, "file");
      return () => {
        for (let n = 0; n < BATCH; n++) fs.readFileSync(path, "utf8");
        return BATCH;
      };
    },
  },
};
