/* SPDX-License-Identifier: MIT */
/* Thread names that no group and no JSON string can take as they are. */
#include "crime.h"

#include <pthread.h>

static const char *const names[] = {
	"",
	".",
	"..",
	"/",
	"a/b",
	"../../x",
	" ",
	"quote\"",
	"back\\slash",
	"new\nline",
	"tab\t\x01",
	"\xff\xfe\x80",
	"\xc3\xa4\xc3",
	"{\"a\":1}",
	"a,b:c",
	"%s%n%d",
	"0123456789abcde",
	"caf\xc3\xa9",
};

static void *thread_main(void *name)
{
	free(malloc(1));
	CHECK(pthread_setname_np(pthread_self(), name) == 0);
	exercise();
	return malloc(1000);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		pthread_t thread;
		void *block;

		/* The thread has the name from the start, by inheritance. */
		CHECK(pthread_setname_np(pthread_self(), names[i]) == 0);
		CHECK(pthread_create(&thread, NULL, thread_main, (void *)names[i]) == 0);
		CHECK(pthread_join(thread, &block) == 0);
		free(block);
	}
	return 0;
}
