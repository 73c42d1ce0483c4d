/* SPDX-License-Identifier: MIT */
/*
 * probe		prints which object each function of the malloc family comes from,
 *			a line "NAME PATH" each
 * probe --optimised	fails if the programs of this build were compiled without optimisation
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifdef __OPTIMIZE__
static const int optimised = 1;
#else
static const int optimised = 0;
#endif

static int print_origins(void)
{
	static const char *const names[] = {
		"malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign",
	};
	int missing = 0;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		Dl_info info;

		if (dladdr(dlsym(RTLD_DEFAULT, names[i]), &info)) {
			printf("%s %s\n", names[i], info.dli_fname);
		} else {
			fprintf(stderr, "probe: %s is not defined\n", names[i]);
			missing = 1;
		}
	}
	return missing;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--optimised"))
		return !optimised;
	return print_origins();
}
