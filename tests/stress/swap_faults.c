/* SPDX-License-Identifier: MIT */
#include "tests/stress/swap_faults.h"

#include <errno.h>

#include "alloc/base/os.h"
#include "alloc/swap/swap_io.h"

static struct swap_io real;

/* Atomic: one in so many fails; 0: none. */
static uint32_t writes_fail, reads_fail, calls_are_short, calls_are_slow, holes_fail;
struct swap_faults swap_faults;

static __thread struct random dice;

static bool happens(const uint32_t *one_in)
{
	uint32_t n = __atomic_load_n(one_in, __ATOMIC_RELAXED);

	if (!dice.state)
		random_seed(&dice, (uintptr_t)&dice);
	return n && random_chance(&dice, n);
}

static void count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

static ssize_t fail(int err, unsigned long *what)
{
	count(what);
	errno = err;
	return -1;
}

/* The whole, or less; none by EINTR. */
static bool shorten(size_t *bytes)
{
	if (!happens(&calls_are_short))
		return true;
	*bytes = random_chance(&dice, 3) ? 0 : 1 + random_below(&dice, (uint32_t)*bytes);
	errno = EINTR;
	return *bytes;
}

/* What waits for the disk is BUSY for so long. */
static void dawdle(void)
{
	if (happens(&calls_are_slow))
		os_sleep_us(random_below(&dice, 3000));
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	count(&swap_faults.writes);
	dawdle();
	if (happens(&writes_fail))
		return fail(random_chance(&dice, 2) ? ENOSPC : EIO, &swap_faults.failed_writes);
	return shorten(&bytes) ? real.pwrite(fd, data, bytes, offset) : -1;
}

static ssize_t faulty_pread(int fd, void *data, size_t bytes, off_t offset)
{
	count(&swap_faults.reads);
	dawdle();
	if (happens(&reads_fail))
		return fail(EIO, &swap_faults.failed_reads);
	return shorten(&bytes) ? real.pread(fd, data, bytes, offset) : -1;
}

static int faulty_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	if (!happens(&holes_fail))
		return real.fallocate(fd, mode, offset, bytes);
	errno = EOPNOTSUPP;
	return -1;
}

void swap_faults_install(void)
{
	real = swap_io;
	swap_io.pwrite = faulty_pwrite;
	swap_io.pread = faulty_pread;
	swap_io.fallocate = faulty_fallocate;
}

static void set(uint32_t *one_in, uint32_t n)
{
	__atomic_store_n(one_in, n, __ATOMIC_RELAXED);
}

void swap_faults_change(struct random *random)
{
	static const uint32_t often[] = {0, 50, 20, 10, 2};

	set(&writes_fail, often[random_below(random, 5)]);
	set(&reads_fail, often[random_below(random, 5)]);
	set(&calls_are_short, often[random_below(random, 5)]);
	set(&calls_are_slow, often[random_below(random, 5)]);
	set(&holes_fail, often[random_below(random, 4)]);
}

void swap_faults_end(void)
{
	set(&writes_fail, 0);
	set(&reads_fail, 0);
	set(&calls_are_short, 0);
	set(&calls_are_slow, 0);
	set(&holes_fail, 0);
}
