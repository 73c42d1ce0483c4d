/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_decay.h"

#define MIB (1ul << (20 - PAGE_SHIFT))

static struct page_decay decay;

/* So much is in use, and then nothing is. Returns how much may stay. */
static size_t limit_after(size_t npages, uint32_t now)
{
	page_decay_note(&decay, npages);
	page_decay_roll(&decay, now, npages);
	return page_decay_limit(&decay, 0);
}

Test(page_decay, keeps_what_was_used_a_moment_ago)
{
	uint32_t now = 1000;

	cr_expect_geq(limit_after(1000 * MIB, now), 1000 * MIB);
	cr_expect_lt(limit_after(1000 * MIB, now), 1500 * MIB);
	cr_expect_lt(page_decay_limit(&decay, 1000 * MIB), 500 * MIB, "the rest only");
	now += DECAY_TICKS;
	cr_expect_geq(limit_after(0, now), 1000 * MIB, "the period before counts");
}

Test(page_decay, forgets)
{
	uint32_t now = 1000;

	limit_after(1000 * MIB, now);
	now += DECAY_TICKS;
	limit_after(0, now);
	now += DECAY_TICKS;
	cr_expect_lt(limit_after(0, now), 100 * MIB);
}

Test(page_decay, forgets_in_a_pause)
{
	uint32_t now = 1000;

	limit_after(1000 * MIB, now);
	now += 10 * DECAY_TICKS;
	cr_expect_lt(limit_after(0, now), 100 * MIB);
}

/* What was not freed in a pause is as good as new. */
Test(page_decay, counts_what_outlived_a_pause)
{
	uint32_t now = 1000;

	limit_after(MIB, now);
	page_decay_note(&decay, 1000 * MIB);
	now += 10 * DECAY_TICKS;
	cr_expect_geq(limit_after(1000 * MIB, now), 1000 * MIB);
}

Test(page_decay, survives_the_end_of_the_clock)
{
	uint32_t now = TICK_MASK - 2;

	limit_after(1000 * MIB, now);
	cr_expect(page_decay_due(&decay, now));
	now = (now + DECAY_TICKS) & TICK_MASK;
	cr_expect_geq(limit_after(0, now), 1000 * MIB);
	cr_expect(page_decay_due(&decay, now));
	cr_expect(!page_decay_due(&decay, now));
}
