"""Runs workloads under allocators, one at a time, and measures them."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import allocators

TIME_LIMIT = 120  # seconds for one run
SETTLE = 1.0  # seconds between the end of the load and the last look at the process


class RunFailed(Exception):
    pass


class Sample:
    def __init__(self, seconds, cpu_seconds, peak_rss_kib, checksum):
        self.seconds = seconds
        self.cpu_seconds = cpu_seconds
        self.peak_rss_kib = peak_rss_kib
        self.checksum = checksum


def first_line(text, otherwise):
    """What a program says of its failure."""
    lines = text.strip().splitlines()
    return lines[0] if lines else otherwise


def _checksum(lines):
    for line in lines:
        if line.startswith("checksum"):
            return line
    raise RunFailed("it printed no checksum")


def status_text(status):
    return "killed by signal %d" % -status if status < 0 else "exit status %d" % status


class Runner:
    def __init__(self, launch, environment):
        self._launch = launch
        self._environment = environment
        self._loading = threading.Lock()  # held by the one program that is working

    def timed(self, allocator, command):
        """One run from exec to exit, seen from outside. Returns a Sample."""
        try:
            done = subprocess.run([self._launch, allocator.path] + command, env=self._environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            raise RunFailed("no end after %d s" % TIME_LIMIT) from None
        lines = done.stdout.splitlines()
        if done.returncode or not lines or not lines[-1].startswith("launch "):
            raise RunFailed(first_line(done.stderr, "the launcher failed"))
        seconds, cpu, rss, status = lines[-1].split()[1:]
        if status != "0":
            raise RunFailed(first_line(done.stderr, status_text(int(status))))
        return Sample(float(seconds), float(cpu), int(rss), _checksum(lines))

    def settled_rss(self, runs):
        """KiB that stay resident SETTLE seconds after the load, for each (allocator, command).

        The programs work one after the other, but wait together. The result holds a number, or the
        exception that came instead, in the order of `runs`.
        """
        with ThreadPoolExecutor(max_workers=32) as pool:
            return list(pool.map(lambda run: self._settle(*run), runs))

    def _settle(self, allocator, command):
        try:
            process, guard = self._load(allocator, command)
        except RunFailed as failure:
            return failure
        try:
            time.sleep(SETTLE)
            allocators.check_mapped(allocator, process.pid)
            return _resident_kib(process.pid)
        except (allocators.NotLoaded, OSError) as failure:
            return failure
        finally:
            guard.cancel()
            process.communicate()  # closes its stdin, at which it leaves

    def _load(self, allocator, command):
        """Starts a program and returns when its load is over and it holds."""
        with self._loading:
            process = subprocess.Popen(
                command, env=allocators.with_preload(self._environment, allocator), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            guard = threading.Timer(TIME_LIMIT, process.kill)
            guard.start()
            for line in process.stdout:
                if line == "hold\n":
                    return process, guard
        guard.cancel()
        _, errors = process.communicate()
        raise RunFailed(first_line(errors, status_text(process.returncode)))


def _resident_kib(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise OSError("process %d has ended" % pid)
