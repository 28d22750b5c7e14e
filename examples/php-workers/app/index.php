<?php
// A guest book: POST adds an entry, GET shows all of them.
require __DIR__ . '/book.php';
require __DIR__ . '/page.php';

$book = new Book(__DIR__ . '/data');
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $book->add(file_get_contents('php://input'), $_SERVER['WORKER']);
}
echo page($book->entries(), $book->count());
