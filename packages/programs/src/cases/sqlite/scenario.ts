/** SQLite in WebAssembly, whose files are those of `node:fs`, which is replaced for it. It locks a database by a directory beside it. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Database } from "node-sqlite3-wasm";
import type { Fs } from "threadfs";

let database: Database | undefined;

function opened(): Database {
  if (database === undefined) throw new Error("no database is open");
  return database;
}

/** Opens the database of the directory. Several threads may. */
export function open(fs: Fs, dir: string): void {
  const require = createRequire(import.meta.url);
  const program = require.resolve("node-sqlite3-wasm").replace(/\.js$/, ".wasm");
  if (!fs.existsSync(program)) {
    // It reads itself by `node:fs` too. That of the disk is what no hook has replaced.
    fs.mkdirSync(dirname(program), { recursive: true });
    fs.writeFileSync(program, process.getBuiltinModule("node:fs").readFileSync(program));
  }
  const sqlite = require("node-sqlite3-wasm") as typeof import("node-sqlite3-wasm");
  database = new sqlite.Database(`${dir}/test.sqlite`);
  database.run("pragma busy_timeout = 600000");
  database.run("create table if not exists entries (id integer primary key, writer integer, number integer unique)");
}

/** Adds entries, each in a transaction that reads the last number first: two that ran at a time would give it out twice. */
export function insert(_fs: Fs, _dir: string, writer: number, count: number): void {
  const db = opened();
  for (let i = 0; i < count; i++) {
    db.run("begin immediate");
    const row = db.get("select coalesce(max(number), 0) as last from entries") as { last: number };
    db.run("insert into entries (writer, number) values (?, ?)", [writer, row.last + 1]);
    db.run("commit");
  }
}

/** A transaction that is given up, and an error of SQLite. */
export function refuse(): unknown {
  const db = opened();
  db.run("begin");
  db.run("delete from entries");
  db.run("rollback");
  try {
    return db.run("insert into entries (writer, number) values (0, 1)");
  } catch (error) {
    return (error as Error).message;
  }
}

export function look(fs: Fs, dir: string): unknown {
  const db = opened();
  return {
    rows: db.all("select writer, count(*) as entries from entries group by writer order by writer"),
    numbers: db.get("select count(distinct number) as different, max(number) as last from entries"),
    integrity: db.all("pragma integrity_check"),
    files: fs.readdirSync(dir),
    size: fs.statSync(`${dir}/test.sqlite`).size,
  };
}

export function close(): void {
  opened().close();
}
