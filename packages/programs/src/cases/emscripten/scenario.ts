/** What a worker's program does with a tree that it shares with another worker's. */
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs, type Vfs } from "threadfs";
import type { WorkerSetup } from "../support/worker.js";
import { type Database, mountTree, type Program, type ProgramFs, start } from "./program.js";

let vfs: Vfs;
let program: Program;
let FS: ProgramFs;
let database: Database;

/** Starts a program, with the tree at /mnt. Its SQLite locks files of the tree. */
export async function begin(): Promise<void> {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) throw new Error("there is no tree");
  vfs = await attachVfs(handle, { closeOnExit: true });
  program = await start("sql-wasm-debug", true);
  FS = mountTree(program, vfs);
}

export const write = (_fs: Fs, path: string, text: string): void => FS.writeFile(path, text);
export const rename = (_fs: Fs, from: string, to: string): void => FS.rename(from, to);
export const unlink = (_fs: Fs, path: string): void => FS.unlink(path);

/** The contents of a file; a number: the error. */
export function read(_fs: Fs, path: string): string | number {
  try {
    return FS.readFile(path, { encoding: "utf8" });
  } catch (error) {
    return (error as { errno: number }).errno;
  }
}

/** Appends lines, each with one call. */
export function append(_fs: Fs, path: string, writer: number, count: number): void {
  const stream = FS.open(path, "a");
  for (let i = 0; i < count; i++) {
    const line = new TextEncoder().encode(`${writer} ${String(i).padStart(6, "0")}\n`);
    FS.write(stream, line, 0, line.length);
  }
  FS.close(stream);
}

/** Creates files that another worker creates too. */
export function create(_fs: Fs, dir: string, count: number): void {
  for (let i = 0; i < count; i++) FS.close(FS.open(`${dir}/${i}`, "a"));
}

/** Writes, renames and removes files until its thread is terminated. */
export function churn(_fs: Fs, dir: string, started: Int32Array): void {
  const held = FS.open(`${dir}/held`, "w+");
  for (let i = 0; ; i++) {
    FS.writeFile(`${dir}/new`, `text ${i}`);
    FS.rename(`${dir}/new`, `${dir}/file`);
    FS.write(held, new Uint8Array(5000), 0, 5000, 0);
    FS.unlink(`${dir}/file`);
    if (i === 10) {
      Atomics.store(started, 0, 1);
      Atomics.notify(started, 0);
    }
  }
}

/** Runs SQL, again as long as another worker has the database. Counts how often it had. */
function run(sql: string, counts = { waits: 0 }): unknown[][] {
  for (;;) {
    try {
      return database.exec(sql)[0]?.values ?? [];
    } catch (error) {
      if (!/database is locked/.test((error as Error).message)) throw error;
      counts.waits++;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

export function open(_fs: Fs, path: string): void {
  database = new program.Database(path, { filename: true });
  run("create table if not exists entries (id integer primary key, writer integer, number integer unique)");
}

/** Adds entries, each in a transaction that reads the last number first. Returns how often another worker had the database. */
export function insert(_fs: Fs, writer: number, count: number): number {
  const counts = { waits: 0 };
  for (let i = 0; i < count; i++) {
    run("begin immediate", counts);
    const [[last] = []] = run("select coalesce(max(number), 0) from entries", counts);
    run(`insert into entries (writer, number) values (${writer}, ${Number(last) + 1})`, counts);
    run("commit", counts);
  }
  return counts.waits;
}

/** Begins a transaction and leaves it open. */
export function leave(): void {
  run("begin immediate");
  run("delete from entries");
}

/** Whether another worker's transaction keeps this one from writing, at this moment. */
export function refused(): boolean {
  try {
    database.exec("begin immediate; rollback");
    return false;
  } catch (error) {
    return /database is locked/.test((error as Error).message);
  }
}

export function look(fs: Fs): unknown {
  return {
    rows: run("select writer, count(*) from entries group by writer order by writer"),
    numbers: run("select count(distinct number), max(number) from entries"),
    integrity: run("pragma integrity_check"),
    files: fs.readdirSync("/work"),
  };
}
