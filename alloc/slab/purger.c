/* SPDX-License-Identifier: MIT */
#include "alloc/slab/purger.h"

#include <sys/single_threaded.h>

#include "alloc/slab/helper_thread.h"
#include "alloc/slab/task.h"
#include "alloc/swap/swap_area.h"

static bool enabled; /* const after purger_enable() */

/* Returns whether something is left that may be idle later. */
static bool decay(void)
{
	bool slabs = heaps_decay();
	bool heaps = heaps_retire();
	bool swap = swap_area_decay();

	return memcg_drain_idle_stocks() || slabs || heaps || swap;
}

static void purge(void)
{
	page_purger_run(decay);
}

static struct helper_thread purger = {
	.name = "cgslab-purge",
	.run = purge,
	.stop = page_purger_stop,
	.stack_size = 256ul << 10,
	.modest = true,
};

/* Under any lock. */
static bool come_for_swap(void)
{
	page_purger_want();
	return helper_thread_is_started(&purger);
}

void purger_enable(void)
{
	enabled = true;
	swap_decay_comes = come_for_swap;
}

void purger_start(void)
{
	if (enabled)
		helper_thread_start(&purger);
}

void purger_start_in_free(void)
{
	if (page_purger_is_wanted() && __libc_single_threaded)
		purger_start();
}

void purger_lost(void)
{
	if (!enabled)
		return;
	heaps_purger_lost();
	page_purger_lost();
}
