"""sqlite3 from several threads and processes; prints what came of it."""

import hashlib
import multiprocessing
import sqlite3
import threading


def digest(rows):
    return hashlib.sha1(repr(list(rows)).encode()).hexdigest()


def fill(path, count):
    db = sqlite3.connect(path)
    db.create_function("twice", 1, lambda text: text * 2)
    db.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, data BLOB)")
    rows = ((i, f"name {i * 7919 % count}", bytes(i % 500)) for i in range(count))
    with db:
        db.executemany("INSERT INTO item VALUES (?, ?, ?)", rows)
        db.execute("CREATE INDEX by_name ON item(name COLLATE backwards)")
    try:
        with db:
            db.execute("DELETE FROM item")
            db.execute("INSERT INTO item(id) VALUES (1), (1)")
    except sqlite3.IntegrityError as error:
        print_lines.append(f"{path}: {error}")
    query = "SELECT twice(name), length(data) FROM item ORDER BY name COLLATE backwards"
    result = digest(db.execute(query))
    copy = sqlite3.connect(":memory:")
    db.backup(copy)
    dump = digest(copy.iterdump())
    copy.close()
    db.close()
    return f"{path}: {result} {dump}"


def worker(path, count):
    print_lines.append(fill(path, count))


print_lines = []
threads = [threading.Thread(target=worker, args=(f"t{i}.db", 2000 + i)) for i in range(4)]
threads += [threading.Thread(target=worker, args=(":memory:", 3000))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print_lines += pool.starmap(fill, [(f"p{i}.db", 1000 + i) for i in range(4)])
print("\n".join(sorted(print_lines)))
