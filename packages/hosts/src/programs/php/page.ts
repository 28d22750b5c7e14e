/**
 * Two workers of a page, each with a PHP of its own, on one tree: what one removes, renames or writes the other finds so with its next call, and both
 * write one database of SQLite.
 *
 * Without lockImports() the database is broken; without its case of a suspending import, as the build with JSPI has them, it throws
 * ERR_THREADFS_LOCKS; with MEMFS in place of the mount no worker finds the other's files.
 */
import { createVfs, type Vfs } from "threadfs";
import { reportOf } from "../report.js";
import { expect } from "../scenario.js";
import type { PhpRequest } from "./page-worker.js";

const COUNT = 40;

/** Adds as many numbers as COUNT, each in a transaction, with the lock from its start on. */
const INSERT = (writer: number) => `
  $db = new PDO('sqlite:/app/book.sqlite');
  $db->exec('pragma busy_timeout = 60000');
  $db->exec('create table if not exists entries (number integer primary key, writer integer)');
  for ($i = 0; $i < ${COUNT}; $i++) {
    $db->exec('begin immediate');
    $last = $db->query('select coalesce(max(number), 0) from entries')->fetchColumn();
    $db->prepare('insert into entries values (?, ?)')->execute([$last + 1, ${writer}]);
    $db->exec('commit');
  }`;

const LOOK = `
  $db = new PDO('sqlite:/app/book.sqlite');
  echo json_encode([
    $db->query('select count(*), max(number), sum(writer = 1), sum(writer = 2) from entries')->fetch(PDO::FETCH_NUM),
    $db->query('pragma integrity_check')->fetchAll(PDO::FETCH_COLUMN),
    scandir('/app'),
  ]);`;

/** Begins a transaction, and goes on until the worker is terminated. */
const BEGIN = `$db = new PDO('sqlite:/app/book.sqlite'); $db->exec('begin immediate'); file_put_contents('/app/begun', ''); for (;;) usleep(1000);`;
const TRY = `
  $db = new PDO('sqlite:/app/book.sqlite');
  $db->exec('pragma busy_timeout = 0');
  try { $db->exec('begin immediate'); $db->exec('rollback'); echo 'begun'; } catch (PDOException $error) { echo $error->getMessage(); }`;

class PhpWorker {
  readonly #worker = new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" });

  #ask(request: PhpRequest): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => (data instanceof Error ? reject(data) : resolve(data));
      this.#worker.onerror = ({ message }) => reject(new Error(message));
      this.#worker.postMessage(request);
    });
  }

  begin(vfs: Vfs, number: number): Promise<string> {
    return this.#ask({ handle: vfs.handle, number });
  }

  run(code: string): Promise<string> {
    return this.#ask({ code });
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

/** What one worker changes, and the page, the other one finds so with its next call. */
async function seeChanges({ fs }: Vfs, one: PhpWorker, two: PhpWorker): Promise<void> {
  const look = `echo json_encode([file_exists('/app/a'), @file_get_contents('/app/a'), @filesize('/app/a'), scandir('/app')]);`;
  const found = async (what: string, wanted: unknown[]) => expect(what, await two.run(look), JSON.stringify(wanted));
  expect("a write", await one.run("echo file_put_contents('/app/a', 'one');"), "3");
  await found("what another worker has written", [true, "one", 3, [".", "..", "a"]]);
  expect("the same in the tree", fs.readFileSync("/work/a", "utf8"), "one");
  await one.run("file_put_contents('/app/b', 'other'); rename('/app/b', '/app/a');");
  await found("what it has replaced", [true, "other", 5, [".", "..", "a"]]);
  expect("an unlink", await one.run("echo json_encode(unlink('/app/a'));"), "true");
  await found("what it has removed", [false, false, false, [".", ".."]]);
  fs.writeFileSync("/work/a", "of the page");
  await found("what the page has written", [true, "of the page", 11, [".", "..", "a"]]);
  expect("a second unlink", await two.run("echo json_encode([unlink('/app/a'), @unlink('/app/a')]);"), "[true,false]");
  expect("the names in the tree", fs.readdirSync("/work").length, 0);
}

const turn = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A transaction that is open keeps the other worker out, until its worker is terminated. */
async function holdAndEnd({ fs }: Vfs, one: PhpWorker, two: PhpWorker): Promise<void> {
  void one.run(BEGIN).catch(() => {});
  while (!fs.existsSync("/work/begun")) await turn(5);
  expect("the lock of another worker", /database is locked/.test(await two.run(TRY)), true);
  one.terminate();
  // The page looks for threads that have ended now and then.
  let said = await two.run(TRY);
  for (; /database is locked/.test(said); said = await two.run(TRY)) await turn(5);
  expect("the lock of a worker that has ended", said, "begun");
}

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  vfs.watchThreads({ everyMs: 20 });
  vfs.fs.mkdirSync("/work");
  const [one, two] = [new PhpWorker(), new PhpWorker()];
  await Promise.all([one.begin(vfs, 1), two.begin(vfs, 2)]);
  await seeChanges(vfs, one, two);
  const said = await Promise.all([one.run(INSERT(1)), two.run(INSERT(2))]);
  expect("what the writers say", said.join(), ",");
  const wanted = [[2 * COUNT, 2 * COUNT, COUNT, COUNT], ["ok"], [".", "..", "book.sqlite"]];
  expect("the database", await two.run(LOOK), JSON.stringify(wanted));
  const start = new TextDecoder().decode(vfs.fs.readFileSync("/work/book.sqlite").subarray(0, 15));
  expect("the same in the tree", start, "SQLite format 3");
  await holdAndEnd(vfs, one, two);
  expect(
    "the database after that",
    await two.run(LOOK.replace("scandir('/app')", "0")),
    JSON.stringify([...wanted.slice(0, 2), 0]),
  );
  two.terminate();
  vfs.close();
});
