/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_decay.h"

#define MIB (1ul << (20 - PAGE_SHIFT))

static struct page_decay decay;

/* As page runs do: the peak is noted, then everything freed. */
static void peak_of(size_t npages)
{
	page_decay_note(&decay, npages);
}

Test(page_decay, keeps_what_was_used_a_moment_ago)
{
	uint32_t now = 1000;

	page_decay_limit(&decay, now, 0);
	peak_of(1000 * MIB);
	cr_expect_geq(page_decay_limit(&decay, now, 0), 1000 * MIB);
	cr_expect_lt(page_decay_limit(&decay, now, 0), 1500 * MIB);
	cr_expect_lt(page_decay_limit(&decay, now, 1000 * MIB), 500 * MIB, "the rest only");
	now += DECAY_TICKS;
	cr_expect_geq(page_decay_limit(&decay, now, 0), 1000 * MIB, "the period before counts");
}

Test(page_decay, forgets)
{
	uint32_t now = 1000;

	page_decay_limit(&decay, now, 0);
	peak_of(1000 * MIB);
	now += DECAY_TICKS;
	page_decay_limit(&decay, now, 0);
	now += DECAY_TICKS;
	cr_expect_lt(page_decay_limit(&decay, now, 0), 100 * MIB);
}

/* After a pause without any free, the old peak is not "the period before". */
Test(page_decay, forgets_in_a_pause)
{
	uint32_t now = 1000;

	page_decay_limit(&decay, now, 0);
	peak_of(1000 * MIB);
	now += 10 * DECAY_TICKS;
	cr_expect_lt(page_decay_limit(&decay, now, 0), 100 * MIB);
}

Test(page_decay, survives_the_end_of_the_clock)
{
	uint32_t now = TICK_MASK - 2;

	page_decay_limit(&decay, now, 0);
	cr_expect(page_decay_due(&decay, now));
	peak_of(1000 * MIB);
	now = (now + DECAY_TICKS) & TICK_MASK;
	cr_expect_geq(page_decay_limit(&decay, now, 0), 1000 * MIB);
	cr_expect(page_decay_due(&decay, now));
	cr_expect(!page_decay_due(&decay, now));
}
