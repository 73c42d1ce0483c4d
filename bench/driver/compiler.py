"""A compiler on a large C++ file. It ends with its load: nothing is left to look at afterwards."""

import os
import shutil
import time

import allocators
from runner import RunFailed
from workload import Workload

COMPILERS = ["clang++", "g++"]
_PROCESSES = ("clang", "cc1plus")  # how the processes are called that do the work


def find_compiler():
    return next((c for c in COMPILERS if shutil.which(c)), None)


def _children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as children:
            return [int(child) for child in children.read().split()]
    except OSError:
        return []  # it has ended


def _descendants(pid):
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _compiles_with(allocator, pid):
    """Whether the process is a compiler, and has loaded the allocator."""
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8") as comm:
            if not comm.read().startswith(_PROCESSES):
                return False
        allocators.check_mapped(allocator, pid)
        return True
    except (allocators.NotLoaded, OSError):
        return False  # not yet, or no longer


class Compiler(Workload):
    """Every process of the compilation runs under the allocator."""

    def __init__(self, compiler, programs):
        super().__init__("compile", "%s on templates and standard containers" % compiler,
                         self._compile)
        self._fixed = [os.path.join(programs, "compile.sh"), compiler]

    def _compile(self, scale, hold):
        del hold
        return self._fixed + [str(max(1, round(6 * scale)))]

    def settled_kib(self, runner, allocator, scale):
        """Watches a compilation until the allocator is seen in the compiler."""
        with runner.loading:
            process = runner.start(allocator, self._compile(scale, False))
            seen = False
            while not seen and process.poll() is None:
                seen = any(_compiles_with(allocator, pid) for pid in _descendants(process.pid))
                time.sleep(0.001)
            runner.finish(process)
        if not seen:
            raise RunFailed("%s is not loaded in the compiler" % allocator.path)
