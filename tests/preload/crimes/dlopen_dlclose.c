/* SPDX-License-Identifier: MIT */
/* Libraries come and go, and with them their TLS and their constructors. */
#include "crime.h"

#include <dlfcn.h>
#include <pthread.h>

static const char *const libraries[] = {
	"libstdc++.so.6", "libresolv.so.2", "libm.so.6",
	"libutil.so.1",	  "libanl.so.1",    "libnss_compat.so.2",
};

static void *thread_main(void *unused)
{
	for (int i = 0; i < 100; i++)
		for (size_t j = 0; j < sizeof(libraries) / sizeof(*libraries); j++) {
			void *library = dlopen(libraries[j], RTLD_NOW | RTLD_LOCAL);

			CHECK(library);
			free(opaque(malloc(j * 100)));
			CHECK(dlclose(library) == 0);
			CHECK(!dlopen("no such library", RTLD_NOW));
			CHECK(dlerror());
		}
	return unused;
}

int main(void)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, NULL) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
