/* SPDX-License-Identifier: MIT */
/* As daemons do: an empty root directory and another user, before most of the work. */
#include "crime.h"

#include <grp.h>
#include <pthread.h>
#include <sys/stat.h>

static void *thread_main(void *unused)
{
	exercise();
	return unused;
}

int main(void)
{
	pthread_t thread;
	pid_t child;

	CHECK(mkdir("empty", 0755) == 0);
	/* Only the superuser can; others have the rest of the test. */
	if (geteuid() == 0) {
		CHECK(chroot("empty") == 0 && chdir("/") == 0);
		CHECK(setgroups(0, NULL) == 0);
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	}
	exercise();
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	child = fork();
	if (child == 0) {
		exercise();
		exit(0);
	}
	expect_success(child);
	return 0;
}
