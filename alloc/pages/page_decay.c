/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_decay.h"

#include "alloc/base/os.h"

/* What is allowed beyond the peak: where free runs fit badly, fresh pages are used. */
#define SLACK_LEAST ((16ul << 20) >> PAGE_SHIFT)
#define SLACK_SHIFT 2

uint32_t page_ticks(void)
{
	return (uint32_t)(os_clock_ms() >> TICK_SHIFT) & TICK_MASK;
}

void page_decay_roll(struct page_decay *decay, uint32_t now, size_t used)
{
	if (!ticks_passed(now, decay->since, DECAY_TICKS))
		return;
	/* Not a single free in a whole period: the peak is as of now. */
	decay->peak_before =
		ticks_passed(now, decay->since, 2 * DECAY_TICKS) ? used : decay->peak_now;
	decay->peak_now = used;
	decay->since = now;
}

size_t page_decay_limit(const struct page_decay *decay, size_t used)
{
	size_t peak = max_t(size_t, decay->peak_now, decay->peak_before);

	return peak - min_t(size_t, used, peak) + max_t(size_t, SLACK_LEAST, peak >> SLACK_SHIFT);
}

bool page_decay_due(struct page_decay *decay, uint32_t now)
{
	if (!ticks_passed(now, decay->looked, DECAY_TICKS / 4))
		return false;
	decay->looked = now;
	return true;
}
