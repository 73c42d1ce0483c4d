"""Four threads at ordinary work, each under a name of its own, for quickstart to show."""

import ctypes
import json
import re
import sqlite3
import threading
import zlib

PR_SET_NAME = 15
TEXT = "the quick brown fox jumps over the lazy dog " * 20000


def json_thread():
    return json.loads(json.dumps([{"id": i, "tags": ["a", "b"]} for i in range(50000)]))


def zlib_thread():
    return [zlib.compress(TEXT.encode(), level) for level in range(1, 10)]


def sqlite_thread():
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.execute("create table words (position integer, word text)")
    db.executemany("insert into words values (?, ?)", enumerate(TEXT.split()))
    print(*db.execute("select word, count(*) from words group by word order by word limit 3"))
    return db


def regex_thread():
    return [match.span() for match in re.finditer(r"\w+", TEXT)]


def run(work, results):
    ctypes.CDLL(None).prctl(PR_SET_NAME, work.__name__.encode(), 0, 0, 0)
    results.append(work())


def main():
    results = []
    works = (json_thread, zlib_thread, sqlite_thread, regex_thread)
    threads = [threading.Thread(target=run, args=(work, results)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
