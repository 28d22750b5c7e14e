/** Two workers, each with a PHP of its own, on one tree: files, locks, SQLite. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onTree, type Run } from "../support/sides.js";

const SCENARIO = new URL("./php-scenario.js", import.meta.url).href;
const COUNT = 30;

const COUNT_UP = `
  for ($i = 0; $i < ${COUNT}; $i++) {
    $file = fopen('/app/counter', 'c+');
    flock($file, LOCK_EX);
    $count = (int) stream_get_contents($file) + 1;
    ftruncate($file, 0);
    rewind($file);
    fwrite($file, (string) $count);
    fclose($file);
  }`;

const INSERT = `
  $db = new PDO('sqlite:/app/book.sqlite');
  $db->exec('pragma busy_timeout = 60000');
  $db->exec('create table if not exists entries (number integer primary key)');
  for ($i = 0; $i < ${COUNT}; $i++) {
    $db->exec('begin immediate');
    $last = $db->query('select coalesce(max(number), 0) from entries')->fetchColumn();
    $db->prepare('insert into entries values (?)')->execute([$last + 1]);
    $db->exec('commit');
  }`;

const LOOK = `
  $db = new PDO('sqlite:/app/book.sqlite');
  echo json_encode([
    $db->query('select count(*), max(number) from entries')->fetch(PDO::FETCH_NUM),
    $db->query('pragma integrity_check')->fetchColumn(),
    file_get_contents('/app/counter'),
    scandir('/app'),
  ]);`;

const HOLD = `$file = fopen('/app/lock', 'c'); var_dump(flock($file, LOCK_EX)); file_put_contents('/app/held', ''); for (;;) usleep(1000);`;
const TRY = `$file = fopen('/app/lock', 'c'); var_dump(flock($file, LOCK_EX | LOCK_NB));`;

/** Files in PHP: each line is a result. */
const FILES = `
  mkdir('/app/dir/sub', 0755, true);
  file_put_contents('/app/dir/log', "one\\n");
  file_put_contents('/app/dir/log', "two\\n", FILE_APPEND | LOCK_EX);
  symlink('log', '/app/dir/link');
  $file = fopen('/app/dir/link', 'r+');
  unlink('/app/dir/log');
  file_put_contents('/app/dir/log', 'another');
  ftruncate($file, 5);
  clearstatcache();
  echo json_encode([
    fread($file, 10), fstat($file)['size'], fstat($file)['nlink'], filesize('/app/dir/link'), readlink('/app/dir/link'),
    scandir('/app/dir'), rename('/app/dir', '/app/moved'), is_dir('/app/dir'), rmdir('/app/moved/sub'),
    touch('/app/moved/log', 1000), filemtime('/app/moved/log'), disk_free_space('/app') > 0, glob('/app/moved/l*'),
  ]);`;

async function begin(run: Run): Promise<void> {
  await Promise.all([run(1, "begin", 1), run(2, "begin", 2)]);
}

test("PHP in two workers: files, flock(), SQLite; what one replaces the other includes at once", async () => {
  await onTree(SCENARIO, async (run, _dir, end, vfs) => {
    await begin(run);
    const files = [
      ...["one\nt", 5, 0, 7, "log", [".", "..", "link", "log", "sub"], true, false, true],
      ...[true, 1000, true, ["/app/moved/link", "/app/moved/log"]],
    ];
    assert.deepEqual(JSON.parse(String(await run(1, "run", FILES))), files);
    vfs.fs.rmSync("/work/moved", { recursive: true });

    await Promise.all([run(1, "run", COUNT_UP), run(2, "run", COUNT_UP)]);
    assert.deepEqual(await Promise.all([run(1, "run", INSERT), run(2, "run", INSERT)]), ["", ""]);
    const look = JSON.parse(String(await run(2, "run", LOOK)));
    assert.deepEqual(look, [[2 * COUNT, 2 * COUNT], "ok", String(2 * COUNT), [".", "..", "book.sqlite", "counter"]]);

    for (const text of ["one", "two"]) {
      await run(
        1,
        "run",
        `file_put_contents('/app/new', '<?php return "${text}";'); rename('/app/new', '/app/page.php');`,
      );
      assert.equal(await run(2, "run", "echo require '/app/page.php';"), text);
    }

    void run(1, "runForever", HOLD).catch(() => {});
    while (!vfs.fs.existsSync("/work/held")) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.match(String(await run(2, "run", TRY)), /false/);
    await end(1);
    assert.match(String(await run(2, "run", TRY)), /true/);
  });
});
