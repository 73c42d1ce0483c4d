/* SPDX-License-Identifier: MIT */
#include "tools/cgslab/launch_env.h"

#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cgslab/command.h"

#define LIBRARY "libcgslab.so"

/* Beside the directory of the executable when installed, and when built by Bazel. */
static const char *const places[] = {
	"../lib/" LIBRARY,
	LIBRARY,
	"../../" LIBRARY,
};

static const char *not_null(const char *text)
{
	return text ? text : "";
}

static void set_env(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		error(EXIT_FAILED, errno, "%s", name);
}

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		error(EXIT_FAILED, ENOMEM, "environment");
	return text;
}

/* ---- The library -------------------------------------------------------- */

static char *library_of_user(const char *path)
{
	char *library = realpath(path, NULL);

	if (!library)
		error(EXIT_FAILED, errno, "CGSLAB_LIBRARY '%s'", path);
	return library;
}

static char *library_beside(const char *executable)
{
	int dir_len = (int)(strrchr(executable, '/') - executable);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = format("%.*s/%s", dir_len, executable, places[i]);
		char *library = realpath(path, NULL);

		free(path);
		if (library)
			return library;
	}
	return NULL;
}

char *find_library(void)
{
	const char *of_user = getenv("CGSLAB_LIBRARY");
	char *executable, *library;

	if (of_user && *of_user) {
		library = library_of_user(of_user);
	} else {
		executable = realpath("/proc/self/exe", NULL);
		if (!executable)
			error(EXIT_FAILED, errno, "/proc/self/exe");
		library = library_beside(executable);
		if (!library)
			error(EXIT_FAILED, 0,
			      "no " LIBRARY " was found near '%s'; CGSLAB_LIBRARY can name it",
			      executable);
		free(executable);
	}
	/* The loader knows no quotes. */
	if (strpbrk(library, " \t\n:"))
		error(EXIT_FAILED, 0, "the path '%s' has a space or colon, which LD_PRELOAD cannot",
		      library);
	return library;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int is_preloaded(const char *preloaded, const char *library)
{
	char *copy = format("%s", preloaded), *save;
	int found = 0;

	for (char *path = strtok_r(copy, " :", &save); path; path = strtok_r(NULL, " :", &save))
		found |= !strcmp(last_component(path), last_component(library));
	free(copy);
	return found;
}

void preload(const char *library)
{
	const char *old = not_null(getenv("LD_PRELOAD"));
	char *value;

	/* Two of them would each serve half of the program. */
	if (is_preloaded(old, library))
		return;
	value = format("%s%s%s", library, *old ? ":" : "", old);
	set_env("LD_PRELOAD", value);
	free(value);
}

/* ---- Configuration ------------------------------------------------------ */

void configure(const char *defaults, const char *explicit)
{
	/* Empty pairs are allowed. */
	char *value = format("%s,%s,%s", defaults, not_null(getenv("CGSLAB_CONF")), explicit);

	set_env("CGSLAB_CONF", value);
	free(value);
}
