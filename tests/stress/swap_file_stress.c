/* SPDX-License-Identifier: MIT */
/*
 * Threads write, read and free slots of the swap file, while it is tidied, trimmed and
 * shared with children, and now and then a call fails. Every slot that is full must
 * read as what was written to it, in the parent and in each child.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/base/atomic.h"
#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_file.h"
#include "alloc/swap/swap_io.h"
#include "tests/stress/check.h"
#include "tests/stress/deadline.h"
#include "tests/stress/random.h"

#define THREADS 4
#define SLOTS	24
#define LARGEST (256ul << 10)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FORKS false /* their runtimes do not bear it in a program with threads */
#else
#define FORKS true
#endif

static struct box {
	struct swap_slot slot;
	size_t bytes;
	uint64_t seed;
	bool full; /* atomic; the rest is const while it is */
} boxes[THREADS][SLOTS];

static struct box *box_at(int i)
{
	return &boxes[i / SLOTS][i % SLOTS];
}

static struct swap_io real;
static unsigned long failures, written, forks; /* atomic */

/* ---- Calls that fail ---------------------------------------------------------- */

static bool unlucky(uint32_t one_in)
{
	static __thread struct random random;

	if (!random.state)
		random_seed(&random, (uintptr_t)&random);
	if (!random_chance(&random, one_in))
		return false;
	atomic_add(&failures, 1);
	return true;
}

static ssize_t bad_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	if (unlucky(50)) {
		errno = unlucky(2) ? ENOSPC : EIO;
		return -1;
	}
	return real.pwrite(fd, data, unlucky(10) ? bytes / 2 + 1 : bytes, offset);
}

static ssize_t bad_pread(int fd, void *data, size_t bytes, off_t offset)
{
	if (unlucky(50)) {
		errno = unlucky(2) ? EINTR : EIO;
		return -1;
	}
	return real.pread(fd, data, unlucky(10) ? bytes / 2 + 1 : bytes, offset);
}

static int bad_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	if (unlucky(50)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return real.fallocate(fd, mode, offset, bytes);
}

static int bad_openat(int dir, const char *name, int flags, mode_t mode)
{
	if (unlucky(50)) {
		errno = EMFILE;
		return -1;
	}
	return real.openat(dir, name, flags, mode);
}

/* ---- Content ------------------------------------------------------------------ */

static void fill(uint64_t *words, size_t bytes, uint64_t seed)
{
	struct random random;

	random_seed(&random, seed);
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = ((uint64_t)random_next(&random) << 32) + i;
}

/* Reads until it can be read. */
static void check(const struct box *box, uint64_t *words, uint64_t *wanted)
{
	int ret;

	do {
		ret = swap_slot_read(&box->slot, words, box->bytes);
	} while (ret == -EIO);
	CHECK(ret == 0, "%d", ret);
	fill(wanted, box->bytes, box->seed);
	CHECK(!memcmp(words, wanted, box->bytes), "%zu bytes at %lu", box->bytes,
	      box->slot.place.offset);
}

static void put(struct box *box, struct random *random, uint64_t *words)
{
	box->bytes = random_size(random, LARGEST / 8) * 8;
	box->seed = random_next(random);
	fill(words, box->bytes, box->seed);
	if (swap_slot_write(&box->slot, words, box->bytes))
		return;
	atomic_add(&written, 1);
	store_release(&box->full, true); /* pairs with check_all() in a child */
}

static void *work(void *arg)
{
	struct box *mine = arg;
	uint64_t *words = malloc(LARGEST), *wanted = malloc(LARGEST);
	struct random random;

	random_seed(&random, (uintptr_t)mine);
	while (!deadline_passed()) {
		struct box *box = &mine[random_below(&random, SLOTS)];

		if (!box->full) {
			put(box, &random, words);
		} else {
			check(box, words, wanted);
			if (random_chance(&random, 2)) {
				WRITE_ONCE(box->full, false);
				swap_slot_free(&box->slot);
			}
		}
		if (random_chance(&random, 20))
			swap_area_tidy();
	}
	free(words);
	free(wanted);
	return NULL;
}

/* ---- Children ----------------------------------------------------------------- */

static void check_all(void)
{
	static uint64_t words[LARGEST / 8], wanted[LARGEST / 8];

	for (int i = 0; i < THREADS * SLOTS; i++) {
		struct box *box = box_at(i);

		if (load_acquire(&box->full))
			check(box, words, wanted);
	}
}

static void live_as_child(void)
{
	static uint64_t words[LARGEST / 8];
	struct random random;

	random_seed(&random, (uint64_t)getpid());
	check_all();
	for (int i = 0; i < THREADS * SLOTS; i += 2) {
		struct box *box = box_at(i);

		/* Not full: a thread may have been about to free it. */
		box->full = false;
		swap_slot_free(&box->slot);
		put(box, &random, words);
	}
	swap_area_tidy();
	swap_area_trim();
	check_all();
	_exit(0);
}

static void fork_one(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		live_as_child();
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "no child");
	CHECK(status == 0, "the child's status is %x", (unsigned int)status);
	forks++;
}

/* main() does. */
static bool comes(void)
{
	return true;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/cgslab_swap_stress.XXXXXX";
	struct swap_area_stats stats;
	pthread_t threads[THREADS];

	CHECK(mkdtemp(dir) && swap_area_set(dir, 8ul << 20) == 0, "%s", dir);
	real = swap_io;
	swap_io = (struct swap_io){bad_openat, bad_pwrite, bad_pread, bad_fallocate};
	swap_decay_comes = comes;
	deadline_start(argc, argv);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, work, boxes[i]), "no thread");
	while (!deadline_passed()) {
		if (FORKS)
			fork_one();
		swap_area_decay();
		usleep(2000);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_all();
	swap_area_stats(&stats);
	for (int i = 0; i < THREADS * SLOTS; i++)
		swap_slot_free(&box_at(i)->slot);
	printf("%lu written, %lu calls failed, %lu forks, %lu KiB moved, %u files\n", written,
	       failures, forks, stats.moved >> 10, stats.files);
	CHECK(written > 100 && failures > 100, "too little was tried");
	swap_area_trim();
	swap_area_stats(&stats);
	CHECK(!stats.slots && !stats.bytes && !stats.held && !stats.spare && !stats.files,
	      "%lu bytes are held", stats.held);
	CHECK(rmdir(dir) == 0, "%s is not empty", dir);
	return 0;
}
