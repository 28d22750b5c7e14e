/** wa-sqlite, whose files and locks are those of a tree. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs } from "threadfs";
import { Factory, SQLITE_BUSY } from "wa-sqlite";
import type { WorkerSetup } from "../support/worker.js";
import { TreeVfs } from "./tree-vfs.js";

const require = createRequire(import.meta.url);

async function start() {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) throw new Error("node:fs has no locks");
  const { default: make } = (await import("wa-sqlite/dist/wa-sqlite.mjs")) as unknown as {
    default: (options: { wasmBinary: Uint8Array }) => Promise<unknown>;
  };
  const sqlite = Factory(await make({ wasmBinary: readFileSync(require.resolve("wa-sqlite/dist/wa-sqlite.wasm")) }));
  sqlite.vfs_register(new TreeVfs(await attachVfs(handle, { closeOnExit: true })), true);
  return sqlite;
}

let started: ReturnType<typeof start> | undefined;
let database = 0;

/** Runs SQL, again as long as another thread has the database. Returns the rows; counts the waits. */
async function run(sql: string, counts = { waits: 0 }): Promise<unknown[][]> {
  const sqlite = await started;
  for (;;) {
    const rows: unknown[][] = [];
    try {
      await sqlite?.exec(database, sql, (row) => rows.push([...row]));
      return rows;
    } catch (error) {
      if ((error as { code?: unknown }).code !== SQLITE_BUSY) throw error;
      counts.waits++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

export async function open(_fs: Fs, dir: string): Promise<void> {
  started ??= start();
  database = await (await started).open_v2(`${dir}/test.sqlite`);
  await run("create table if not exists entries (id integer primary key, writer integer, number integer unique)");
}

/** Adds entries, each in a transaction that reads the last number first. Returns how often another thread was in the way. */
export async function insert(_fs: Fs, _dir: string, writer: number, count: number): Promise<number> {
  const counts = { waits: 0 };
  for (let i = 0; i < count; i++) {
    await run("begin immediate", counts);
    const [[last] = []] = await run("select coalesce(max(number), 0) from entries", counts);
    await run(`insert into entries (writer, number) values (${writer}, ${Number(last) + 1})`, counts);
    await run("commit", counts);
  }
  return counts.waits;
}

/** Begins a transaction and leaves it open: its thread is going to be terminated. */
export async function leave(): Promise<void> {
  await run("begin immediate");
  await run("delete from entries");
}

/** Whether another thread's transaction keeps this one from writing, at this moment. */
export async function refused(): Promise<boolean> {
  try {
    await (await started)?.exec(database, "begin immediate; rollback");
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === SQLITE_BUSY;
  }
}

export async function look(fs: Fs, dir: string): Promise<unknown> {
  return {
    rows: await run("select writer, count(*) from entries group by writer order by writer"),
    numbers: await run("select count(distinct number), max(number) from entries"),
    integrity: await run("pragma integrity_check"),
    files: fs.readdirSync(dir),
  };
}
