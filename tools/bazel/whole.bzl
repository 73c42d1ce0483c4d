"""Rules that look through a component and everything below it."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _objects(dep):
    """The position-independent objects of dep and of what it depends on, each once."""
    objects = []
    for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            objects += library.pic_objects or library.objects
    return depset(objects).to_list()

def _self_contained_archive_impl(ctx):
    tools = find_cpp_toolchain(ctx)
    objects = _objects(ctx.attr.dep)
    whole = ctx.actions.declare_file("_%s/whole.o" % ctx.label.name)
    local = ctx.actions.declare_file("_%s/cgslab.o" % ctx.label.name)

    ctx.actions.run(
        executable = tools.ld_executable,
        arguments = [ctx.actions.args().add("-r").add("-o", whole).add_all(objects)],
        inputs = depset(objects, transitive = [tools.all_files]),
        outputs = [whole],
        mnemonic = "LinkRelocatable",
    )
    ctx.actions.run(
        executable = tools.objcopy_executable,
        arguments = ["--localize-hidden", whole.path, local.path],
        inputs = depset([whole], transitive = [tools.all_files]),
        outputs = [local],
        mnemonic = "LocalizeHidden",
    )
    ctx.actions.run(
        executable = tools.ar_executable,
        arguments = ["rcsD", ctx.outputs.out.path, local.path],
        inputs = depset([local], transitive = [tools.all_files]),
        outputs = [ctx.outputs.out],
        mnemonic = "Archive",
    )
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

# One object with everything below `dep`, so that malloc comes whole or not at all; hidden symbols
# become local, so that a program may have its own of the same name.
self_contained_archive = rule(
    implementation = _self_contained_archive_impl,
    attrs = {
        "dep": attr.label(mandatory = True, providers = [CcInfo]),
        "out": attr.output(mandatory = True),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def _public_headers_impl(ctx):
    headers = [
        f
        for f in ctx.attr.dep[CcInfo].compilation_context.headers.to_list()
        if "/include/cgslab/" in "/" + f.path
    ]
    return [DefaultInfo(files = depset(headers), runfiles = ctx.runfiles(headers))]

# The headers under <component>/include/cgslab of `dep` and of everything below it.
public_headers = rule(
    implementation = _public_headers_impl,
    attrs = {"dep": attr.label(mandatory = True, providers = [CcInfo])},
)
