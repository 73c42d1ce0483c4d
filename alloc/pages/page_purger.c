/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_purger.h"

#include <sys/single_threaded.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"

#define PAUSE_MS 100

uint32_t page_purger;

/* Asked for early. Atomic; two that ask at once do no harm, it starts only once. */
static bool prepared;

static bool change(uint32_t from, uint32_t to)
{
	return cmpxchg_acq_rel(&page_purger, &from, to);
}

void page_purger_want(void)
{
	if (change(PURGER_IDLE, PURGER_WANTED))
		os_futex_wake(&page_purger);
}

void page_purger_rest(void)
{
	change(PURGER_RUNS, PURGER_IDLE);
}

/* False: it shall end. */
static bool wait_for_work(void)
{
	while (page_purger_rests())
		os_futex_wait(&page_purger, PURGER_IDLE);
	return change(PURGER_WANTED, PURGER_RUNS);
}

void page_purger_run(bool (*decay)(void))
{
	while (wait_for_work()) {
		page_runs_decay(!decay());
		while (page_purger_runs()) {
			os_futex_wait_for(&page_purger, PURGER_RUNS, PAUSE_MS);
			page_runs_decay(!decay());
		}
		/*
		 * Pairs with may_keep(): who saw it run has put its pages where they
		 * are found now, as both have had the lock of the heap.
		 */
		if (page_purger_rests() && decay())
			page_purger_want();
	}
	change(PURGER_ENDS, PURGER_IDLE);
}

void page_purger_stop(void)
{
	WRITE_ONCE(page_purger, PURGER_ENDS);
	os_futex_wake(&page_purger);
}

void page_purger_prepare(void)
{
	if (READ_ONCE(prepared) || __libc_single_threaded)
		return;
	WRITE_ONCE(prepared, true);
	page_purger_want();
}

void page_purger_lost(void)
{
	WRITE_ONCE(prepared, false);
	WRITE_ONCE(page_purger, PURGER_IDLE);
}
