/* SPDX-License-Identifier: MIT */
/* The whole family is the library's, not the C library's; or memory of one would go to the other.
 */
#include "crime.h"

#include <dlfcn.h>

static const char *const symbols[] = {
	"malloc",
	"calloc",
	"realloc",
	"reallocarray",
	"free",
	"cfree",
	"memalign",
	"posix_memalign",
	"aligned_alloc",
	"valloc",
	"pvalloc",
	"malloc_usable_size",
	"malloc_trim",
	"mallinfo",
	"mallinfo2",
	"malloc_info",
	"malloc_stats",
	"mallopt",
	"free_sized",
	"free_aligned_sized",
	"__libc_malloc",
	"__libc_free",
	"__libc_calloc",
	"__libc_realloc",
	"__libc_memalign",
	"__libc_valloc",
	"__libc_pvalloc",
	/* operator new and new[]: plain, nothrow, aligned, both */
	"_Znwm",
	"_ZnwmRKSt9nothrow_t",
	"_ZnwmSt11align_val_t",
	"_ZnwmSt11align_val_tRKSt9nothrow_t",
	"_Znam",
	"_ZnamRKSt9nothrow_t",
	"_ZnamSt11align_val_t",
	"_ZnamSt11align_val_tRKSt9nothrow_t",
	/* operator delete and delete[]: also with the size */
	"_ZdlPv",
	"_ZdlPvm",
	"_ZdlPvRKSt9nothrow_t",
	"_ZdlPvSt11align_val_t",
	"_ZdlPvmSt11align_val_t",
	"_ZdlPvSt11align_val_tRKSt9nothrow_t",
	"_ZdaPv",
	"_ZdaPvm",
	"_ZdaPvRKSt9nothrow_t",
	"_ZdaPvSt11align_val_t",
	"_ZdaPvmSt11align_val_t",
	"_ZdaPvSt11align_val_tRKSt9nothrow_t",
};

static const char *file_of(const char *symbol)
{
	void *address = dlsym(RTLD_DEFAULT, symbol);
	Dl_info info;

	return address && dladdr(address, &info) ? info.dli_fname : "nothing";
}

int main(void)
{
	const char *library = file_of("malloc");
	int wrong = 0;

	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		const char *file = file_of(symbols[i]);

		if (strcmp(file, library)) {
			dprintf(2, "%s is of %s, not of %s\n", symbols[i], file, library);
			wrong++;
		}
	}
	return wrong != 0;
}
