"""The compile options of cgslab, and the macros its targets are made with.

Visibility is private unless given. A test says with `sanitizers` under which of asan, ubsan and tsan
it runs; tests of other kinds (sh_test and the like) run under none.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

CGSLAB_VERSION = "0.1.0"

# For C and C++ alike.
COPTS = [
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_GNU_SOURCE",
    "-fvisibility=hidden",
    "-fno-semantic-interposition",
    "-ftls-model=initial-exec",
] + select({
    "//tools/bazel:opt": [
        "-O2",
        "-fno-plt",
        "-fomit-frame-pointer",
    ],
    "//conditions:default": [],
})

C_COPTS = COPTS + [
    "-std=gnu11",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
]

CXX_COPTS = COPTS + ["-std=gnu++17"]

def _private(kwargs):
    if kwargs.get("visibility") == None:
        kwargs["visibility"] = ["//visibility:private"]
    return kwargs

def cgslab_library(name, copts = [], alwayslink = True, **kwargs):
    """A component. It is linked whole: the exported API may be called by nobody inside.

    Args:
      name: the target; one per component.
      copts: after the common ones.
      alwayslink: False for helpers that never go into libcgslab.so.
      **kwargs: as cc_library's.
    """
    cc_library(
        name = name,
        copts = C_COPTS + copts,
        alwayslink = alwayslink,
        linkstatic = True,
        **_private(kwargs)
    )

def cgslab_binary(name, copts = [], linkopts = [], **kwargs):
    """A C program."""
    cc_binary(
        name = name,
        copts = C_COPTS + copts,
        linkopts = ["-pthread"] + linkopts,
        **_private(kwargs)
    )

def _test(name, copts, linkopts, tags, sanitizers, **kwargs):
    for s in sanitizers:
        if s not in ["asan", "ubsan", "tsan"]:
            fail("%s: no sanitizer %s" % (name, s))
    cc_test(
        name = name,
        # An assertion in a test always counts.
        copts = C_COPTS + ["-UNDEBUG"] + copts,
        linkopts = ["-pthread"] + linkopts,
        linkstatic = True,
        tags = tags + sanitizers,
        **_private(kwargs)
    )

def cgslab_test(
        name,
        copts = [],
        linkopts = [],
        tags = [],
        sanitizers = ["asan", "ubsan"],
        size = "small",
        **kwargs):
    """A Criterion test program."""

    # Criterion finds its tests in sections that nothing refers to.
    criterion = ["-lcriterion", "-Wl,--no-gc-sections"]
    _test(name, copts, criterion + linkopts, tags, sanitizers, size = size, **kwargs)

def cgslab_stress(
        name,
        copts = [],
        linkopts = [],
        tags = [],
        sanitizers = ["tsan"],
        size = "medium",
        **kwargs):
    """A plain program that passes by returning 0."""
    _test(name, copts, linkopts, tags, sanitizers, size = size, **kwargs)

def cgslab_benchmark_shim(name, linkopts = [], copts = [], **kwargs):
    """The C++ library between C benchmarks and Google Benchmark."""
    cc_library(
        name = name,
        copts = CXX_COPTS + copts,
        linkopts = ["-lbenchmark", "-lstdc++", "-lm"] + linkopts,
        linkstatic = True,
        **_private(kwargs)
    )
