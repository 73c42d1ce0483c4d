/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc/base/atomic.h"
#include "alloc/base/os.h"

#define LEN   (1ul << 20)
#define LONG  (256ul << 20) /* other gaps of the address space are shorter */
#define MOVES 3000

static struct os_area area;

static bool in_area(const void *addr)
{
	return (size_t)((const char *)addr - area.base) < area.reserved;
}

Test(os_move, moves_pages_and_leaves_zeroes)
{
	cr_assert_eq(os_area_init(&area, 1ul << 30, 4 * LEN), 0);
	cr_assert_eq(os_area_commit(&area, 2 * LEN), 0);
	memset(area.base, 1, LEN);
	cr_assert_eq(os_move(area.base, area.base + LEN, LEN), 0);
	for (size_t i = 0; i < LEN; i += 512) {
		cr_assert_eq(area.base[LEN + i], 1);
		cr_assert_eq(area.base[i], 0);
	}
	memset(area.base, 2, LEN); /* still usable */
	cr_assert_eq(area.base[LEN], 1);
}

/* Asks for address space all the time; none of it may be the area's. */
static void *map_and_look(void *arg)
{
	bool *stop = arg;

	while (!READ_ONCE(*stop)) {
		char *addr = mmap(NULL, LONG, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (addr == MAP_FAILED)
			return "no address space";
		if (in_area(addr))
			return "a piece of the area was given to somebody else";
		munmap(addr, LONG);
	}
	return NULL;
}

/* The place that is left stays the area's at every moment. */
Test(os_move, gives_no_address_space_away)
{
	bool stop = false;
	pthread_t thread;
	void *error;

	cr_assert_eq(os_area_init(&area, 1ul << 40, 4 * LONG), 0);
	cr_assert_eq(os_area_commit(&area, 2 * LONG), 0);
	cr_assert_eq(pthread_create(&thread, NULL, map_and_look, &stop), 0);
	for (int i = 0; i < MOVES; i++) {
		cr_assert_eq(os_move(area.base, area.base + LONG, LONG), 0);
		cr_assert_eq(os_move(area.base + LONG, area.base, LONG), 0);
	}
	WRITE_ONCE(stop, true);
	cr_assert_eq(pthread_join(thread, &error), 0);
	cr_assert_null(error, "%s", (char *)error);
}
