"""The allocators under comparison, and the proof that a program really runs with one."""

import glob
import os
import re
import subprocess

# Name, and the sonames it goes by, best first. glibc is preloaded like the others, for the sake of
# programs that are linked with another allocator (redis-server with jemalloc, on Debian).
PEERS = {
    "glibc": ["libc.so.6"],
    "jemalloc": ["libjemalloc.so.2"],
    "mimalloc": ["libmimalloc.so.2", "libmimalloc.so.2.0"],
    "tcmalloc": ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"],
}
REFERENCE = "jemalloc"
CGSLAB_CONF = "group_by:comm,max:16G"

# Settings of the caller's that would change how an allocator behaves.
_FOREIGN_SETTINGS = re.compile(
    r"LD_PRELOAD|GLIBC_TUNABLES|MALLOC_\w*|_RJEM_\w*|MIMALLOC_\w*|TCMALLOC_\w*|PYTHON\w*")


class Allocator:
    """name, the path to preload, and whether it is one of PEERS."""

    def __init__(self, name, path):
        self.name = name
        self.path = path
        self.is_peer = name in PEERS


class NotLoaded(Exception):
    """A program would not run, or would not run with the allocator that was asked for."""


def _library_directories():
    multiarch = sorted(glob.glob("/usr/lib/*-linux-gnu")) + sorted(glob.glob("/lib/*-linux-gnu"))
    return multiarch + ["/usr/lib64", "/usr/lib", "/usr/local/lib"]


def _ldconfig_paths():
    """soname -> path, as the loader's cache has it; of this machine's word size first."""
    for program in ("/sbin/ldconfig", "ldconfig"):
        try:
            text = subprocess.run([program, "-p"], capture_output=True, text=True).stdout
        except OSError:
            continue
        found = {}
        for soname, path in re.findall(r"^\s+(\S+) \(.*\) => (\S+)$", text, re.MULTILINE):
            found.setdefault(soname, path)
        return found
    return {}


def find_peers(among=tuple(PEERS)):
    """Returns the peers that are installed, and the names of those that are not."""
    cache = _ldconfig_paths()
    found, missing = [], []
    for name in among:
        sonames = PEERS[name]
        paths = [cache[s] for s in sonames if s in cache]
        paths += [os.path.join(d, s) for s in sonames for d in _library_directories()]
        paths = [p for p in paths if os.path.exists(p)]
        if paths:
            found.append(Allocator(name, paths[0]))
        else:
            missing.append(name)
    return found, missing


def clean_environment():
    """The caller's environment without what would tilt the comparison."""
    environment = {k: v for k, v in os.environ.items() if not _FOREIGN_SETTINGS.fullmatch(k)}
    environment.setdefault("CGSLAB_CONF", CGSLAB_CONF)
    environment["PYTHONMALLOC"] = "malloc"
    environment["PYTHONHASHSEED"] = "0"
    return environment


def with_preload(environment, allocator):
    return dict(environment, LD_PRELOAD=allocator.path)


def check_provides_malloc(allocator, probe, environment):
    """Runs the probe under the allocator; raises NotLoaded unless all of malloc is its own."""
    done = subprocess.run([probe], env=with_preload(environment, allocator),
                          capture_output=True, text=True)
    if done.returncode or done.stderr:
        message = done.stderr.strip().split("\n")[0] or "status %d" % done.returncode
        raise NotLoaded("%s: a program under it fails: %s" % (allocator.name, message))
    for line in done.stdout.splitlines():
        function, path = line.split(" ", 1)
        if os.path.realpath(path) != os.path.realpath(allocator.path):
            raise NotLoaded("%s: %s comes from %s" % (allocator.name, function, path))


def check_binds_malloc(allocator, command, environment):
    """Runs a program; raises NotLoaded unless the loader gives it the allocator's malloc and free.

    For programs that bring an allocator of their own along.
    """
    environment = dict(with_preload(environment, allocator), LD_DEBUG="bindings", LD_BIND_NOW="1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    bound = re.findall(r"binding file %s \[0\] to (\S+) \[0\]: normal symbol `(malloc|free)'"
                       % re.escape(command[0]), done.stderr)
    if {function for _, function in bound} != {"malloc", "free"}:
        raise NotLoaded("%s does not take malloc from a library" % command[0])
    for path, function in bound:
        if os.path.realpath(path) != os.path.realpath(allocator.path):
            raise NotLoaded("%s: %s takes %s from %s"
                            % (allocator.name, command[0], function, path))


def check_mapped(allocator, pid):
    """Raises NotLoaded unless the library is in the address space of a running process."""
    with open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace") as maps:
        mapped = {line.rstrip("\n").split(None, 5)[5] for line in maps if line.count("/")}
    if os.path.realpath(allocator.path) not in mapped:
        raise NotLoaded("%s is not loaded in process %d" % (allocator.path, pid))
