"""Runs programs under allocators and measures them."""

import subprocess
import threading
import time

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
    """loading: held by the one program that is working, while others only wait."""

    def __init__(self, launch, environment):
        self._launch = launch
        self.environment = environment
        self.loading = threading.Lock()

    def start(self, allocator, command):
        """Starts a program under the launcher, to be measured from exec to exit."""
        return subprocess.Popen([self._launch, allocator.path] + command, env=self.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        """Waits for what start() has started. Returns a Sample that has no checksum, and what the
        program printed, in lines."""
        try:
            output, errors = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RunFailed("no end after %d s" % TIME_LIMIT) from None
        lines = output.splitlines()
        if process.returncode or not lines or not lines[-1].startswith("launch "):
            raise RunFailed(first_line(errors, "the launcher failed"))
        seconds, cpu, rss, status = lines[-1].split()[1:]
        if status != "0":
            raise RunFailed(first_line(errors, status_text(int(status))))
        return Sample(float(seconds), float(cpu), int(rss), None), lines[:-1]

    def timed(self, allocator, command):
        """One run from exec to exit, seen from outside. Returns a Sample."""
        sample, lines = self.finish(self.start(allocator, command))
        sample.checksum = _checksum(lines)
        return sample

    def settled_kib(self, allocator, command):
        """KiB that stay resident SETTLE seconds after the load of a program that holds."""
        with self.loading:
            process, guard = self._load(allocator, command)
        try:
            return settled_kib(allocator, process.pid)
        finally:
            guard.cancel()
            process.communicate()  # closes its stdin, at which it leaves

    def _load(self, allocator, command):
        """Starts a program and returns when its load is over and it holds."""
        process = subprocess.Popen(
            command, env=allocators.with_preload(self.environment, allocator), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        guard = threading.Timer(TIME_LIMIT, process.kill)
        guard.start()
        for line in process.stdout:
            if line == "hold\n":
                return process, guard
        guard.cancel()
        _, errors = process.communicate()
        raise RunFailed(first_line(errors, status_text(process.returncode)))


def settled_kib(allocator, pid):
    """KiB of a process, after a wait; raises NotLoaded if the allocator is not in it."""
    time.sleep(SETTLE)
    try:
        allocators.check_mapped(allocator, pid)
        with open("/proc/%d/status" % pid, encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
    except OSError:
        pass
    raise RunFailed("process %d has ended" % pid)
