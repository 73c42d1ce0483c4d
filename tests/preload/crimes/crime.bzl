"""A test of one crime."""

load("@rules_cc//cc:defs.bzl", "cc_binary")

def crime_test(name, source):
    """Runs the program of `source` under the library and checks how it ends.

    Args:
      name: the crime, as in the file "expected"; the test is called NAME_test.
      source: its program. It knows nothing of cgslab, and links nothing of it.
    """
    cxx = source.endswith(".cc")
    cc_binary(
        name = name,
        testonly = True,
        srcs = [
            source,
            "crime.h",
            "limit.h",
            "purge.h",
        ],
        copts = [
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
        ] + (["-std=gnu++17", "-fsized-deallocation"] if cxx else ["-std=gnu11"]),
        linkopts = ["-pthread"] + (["-lstdc++"] if cxx else []),
    )
    native.sh_test(
        name = name + "_test",
        size = "small",
        srcs = ["crime_test.sh"],
        args = [
            name,
            "$(rootpath :%s)" % name,
        ],
        data = [
            "expected",
            ":" + name,
            "//tests/preload:harness",
        ],
    )
