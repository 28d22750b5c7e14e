<?php
/** The entries, in a database; and a file that counts the requests, under a lock. */
class Book
{
    private PDO $db;

    public function __construct(private string $dir)
    {
        $this->db = new PDO("sqlite:$dir/book.sqlite");
        $this->db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
        $this->db->exec('pragma busy_timeout = 60000');
        $this->db->exec('create table if not exists entries (number integer primary key, text, worker)');
    }

    /** Two workers that read the same last number would give it out twice. */
    public function add(string $text, string $worker): void
    {
        $this->db->exec('begin immediate');
        $last = $this->db->query('select coalesce(max(number), 0) from entries')->fetchColumn();
        $this->db->prepare('insert into entries values (?, ?, ?)')->execute([$last + 1, $text, $worker]);
        $this->db->exec('commit');
    }

    public function entries(): array
    {
        return $this->db->query('select * from entries order by number')->fetchAll(PDO::FETCH_ASSOC);
    }

    /** Counts this request. */
    public function count(): int
    {
        $file = fopen("$this->dir/requests", 'c+');
        flock($file, LOCK_EX);
        $count = (int) stream_get_contents($file) + 1;
        ftruncate($file, 0);
        rewind($file);
        fwrite($file, (string) $count);
        fclose($file);
        return $count;
    }
}
