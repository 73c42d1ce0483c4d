"""redis-server under an allocator, loaded by redis-benchmark, which runs without."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack

import allocators
from runner import TIME_LIMIT, RunFailed, first_line, settled_kib, status_text

PROGRAMS = ["redis-server", "redis-benchmark"]

_KEYS = 20000
_HASHES = 2000
_LISTS = 500
_COUNTERS = 1000
_REQUESTS = 10000  # of each of these, a round. redis-benchmark puts a number below -r for %
_MIX = [
    (_KEYS, ["SET", "key:%", "x" * 16]),
    (_LISTS, ["LPUSH", "list:%", "element of some length"]),
    (_KEYS, ["SET", "key:%", "x" * 900]),
    (_HASHES, ["HSET", "hash:%", "field:%", "x" * 40]),
    (_COUNTERS, ["INCR", "counter:%"]),
    (_KEYS, ["SET", "key:%", "x" * 150]),
    (_KEYS, ["EXPIRE", "key:%", "1000"]),
    (_KEYS, ["APPEND", "key:%", "x" * 70]),
    (_LISTS, ["LRANGE", "list:%", "0", "20"]),
    (_KEYS, ["DEL", "key:%"]),
    (_KEYS, ["SET", "key:%", "x" * 3000, "PX", "100"]),
    (_HASHES, ["UNLINK", "hash:%"]),
]


def missing_programs():
    return [program for program in PROGRAMS if not shutil.which(program)]


class Connection:
    """Asks a server one thing at a time."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIME_LIMIT)
        self._socket.connect(path)
        self._replies = self._socket.makefile("rb")

    def peer_pid(self):
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], "little")

    def tell(self, *words):
        request = "*%d\r\n" % len(words)
        request += "".join("$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self._socket.sendall(request.encode())

    def ask(self, *words):
        """Returns the reply: a number, a string, or None."""
        self.tell(*words)
        reply = self._replies.readline().decode().rstrip("\r\n")
        kind, text = reply[:1], reply[1:]
        if kind == ":":
            return int(text)
        if kind == "+":
            return text
        if kind == "$":
            size = int(text)
            return None if size < 0 else self._replies.read(size + 2)[:-2].decode()
        raise RunFailed("redis: %s: %s" % (" ".join(words), text or "no reply"))

    def close(self):
        self._replies.close()
        self._socket.close()


class Server:
    """A server under the launcher, in a directory of its own; gone when the `with` is."""

    def __init__(self, runner, allocator):
        self._runner = runner
        self._directory = tempfile.TemporaryDirectory(prefix="bench.", dir="/tmp")
        self.path = os.path.join(self._directory.name, "socket")
        self._process = runner.start(allocator, [
            "redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
            "--appendonly", "no", "--dir", self._directory.name, "--loglevel", "warning"])

    def __enter__(self):
        try:
            self.connection = self._connect()
            self.pid = self.connection.peer_pid()
        except Exception:
            self.__exit__()
            raise
        return self

    def _connect(self):
        limit = time.monotonic() + TIME_LIMIT
        while self._process.poll() is None and time.monotonic() < limit:
            try:
                return Connection(self.path)
            except OSError:
                time.sleep(0.002)  # it does not listen yet
        raise RunFailed("redis-server does not listen")

    def stop(self):
        """Returns the server's Sample."""
        self.connection.tell("SHUTDOWN", "NOSAVE")
        return self._runner.finish(self._process)[0]

    def __exit__(self, *exception):
        self._process.kill()  # takes the server along
        self._process.communicate()
        self._directory.cleanup()


def _request(runner, server, keys, command):
    """One command, again and again, from 8 connections at a time."""
    benchmark = ["redis-benchmark", "-s", server.path, "-q", "-c", "8", "-P", "32",
                 "-n", str(_REQUESTS), "-r", str(keys)]
    try:
        done = subprocess.run(benchmark + command, env=runner.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise RunFailed("redis-benchmark: no end after %d s" % TIME_LIMIT) from None
    if done.returncode:
        raise RunFailed(first_line(done.stderr, status_text(done.returncode)))


class Redis:
    """The server is what is measured; the time is that of the load, up to and with FLUSHALL."""

    name = "redis"
    about = "redis-server under redis-benchmark"

    def timed(self, runner, allocator, scale):
        with Server(runner, allocator) as server:
            start = time.monotonic()
            self._load(runner, server, scale)
            loaded = time.monotonic() - start
            checksum = self._checksum(server.connection)
            start = time.monotonic()
            server.connection.ask("FLUSHALL")
            flushed = time.monotonic() - start
            allocators.check_mapped(allocator, server.pid)
            sample = server.stop()
        # The launcher's is the life of the server.
        sample.seconds = loaded + flushed
        sample.checksum = checksum
        return sample

    def settled_kib(self, runner, allocator, scale):
        allocators.check_binds_malloc(allocator, ["redis-server", "--version"], runner.environment)
        with ExitStack() as stack:
            with runner.loading:
                server = stack.enter_context(Server(runner, allocator))
                self._load(runner, server, scale)
                server.connection.ask("FLUSHALL")
            return settled_kib(allocator, server.pid)

    @staticmethod
    def _load(runner, server, scale):
        for _ in range(max(1, round(12 * scale))):
            for keys, command in _MIX:
                _request(runner, server, keys, [w.replace("%", "__rand_int__") for w in command])

    @staticmethod
    def _checksum(connection):
        """Which keys there are is up to dice; how much was counted and listed is not."""
        listed = sum(connection.ask("LLEN", "list:%012d" % i) for i in range(_LISTS))
        counted = sum(int(connection.ask("GET", "counter:%012d" % i) or 0)
                      for i in range(_COUNTERS))
        return "checksum %d %d" % (listed, counted)
