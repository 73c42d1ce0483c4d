-- :rows is set by the caller.
CREATE TABLE item (id INTEGER PRIMARY KEY, owner INTEGER, name TEXT, body TEXT);
INSERT INTO item
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
SELECT i, i * 7919 % 997, printf('item %d', i * 104729 % 65537), substr(hex(i * 2654435761), 1, 4 + i % 60)
FROM n;
CREATE INDEX item_owner ON item (owner, name);
UPDATE item SET body = body || '-' || name WHERE id % 5 = 0;
DELETE FROM item WHERE id % 7 = 0;
SELECT 'checksum', count(*), sum(length(body)),
	(SELECT sum(length(g)) FROM (SELECT group_concat(name) AS g FROM item GROUP BY owner))
FROM item;
DROP TABLE item;
