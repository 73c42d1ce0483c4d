PRAGMA journal_mode = wal;
PRAGMA cache_size = -8000;
PRAGMA foreign_keys = ON;
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE book (
	id INTEGER PRIMARY KEY,
	author INTEGER NOT NULL REFERENCES author(id) ON DELETE CASCADE,
	title TEXT NOT NULL,
	price REAL,
	body BLOB
);

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO author SELECT i, printf('author %05d', i * 7919 % 2003) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO book
SELECT i, 1 + i * 31 % 2000, printf('title %x %s', i * 2654435761 % 65537, substr('abcdefghijklmnopqrstuvwxyz', i % 20)),
	i % 997 / 10.0, zeroblob(i % 300)
FROM n;
COMMIT;

CREATE INDEX book_author ON book(author, price DESC);
CREATE INDEX book_title ON book(title COLLATE NOCASE);
SELECT count(*), sum(length(body)), round(sum(price), 1) FROM book;
SELECT a.name, count(*) AS books, round(avg(price), 3), min(title), group_concat(b.id)
FROM author a JOIN book b ON b.author = a.id
GROUP BY a.id ORDER BY books DESC, a.name LIMIT 5;
SELECT id, price, rank() OVER w, round(sum(price) OVER w, 1)
FROM book WHERE author = 17
WINDOW w AS (PARTITION BY author ORDER BY price, id) ORDER BY 1 LIMIT 8;

CREATE VIRTUAL TABLE search USING fts5(title);
INSERT INTO search(rowid, title) SELECT id, title FROM book;
SELECT rowid, title FROM search WHERE search MATCH 'abc* OR 1f2*' ORDER BY rowid LIMIT 5;

SELECT json_group_array(json_object('id', id, 'title', title))
FROM (SELECT id, title FROM book WHERE price = 42.0 AND id < 9000 ORDER BY id);
SELECT sum(length(value)) FROM book b, json_each(json_array(b.title, b.price, b.id));

WITH RECURSIVE fib(a, b) AS (SELECT 1, 1 UNION ALL SELECT b, a + b FROM fib WHERE b < 1000000000000)
SELECT max(a) FROM fib;

SAVEPOINT gone;
DELETE FROM author WHERE id % 3 = 0;
SELECT count(*) FROM book;
ROLLBACK TO gone;
RELEASE gone;
DELETE FROM author WHERE id % 10 = 0;
SELECT count(*) FROM book;
UPDATE book SET title = upper(title) || title, body = zeroblob(id % 50) WHERE id % 4 = 0;
SELECT count(DISTINCT title), max(length(title)) FROM book;
VACUUM;
PRAGMA integrity_check;
