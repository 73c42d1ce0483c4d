/* SPDX-License-Identifier: MIT */
/*
 * liburcu, flavour bp: no registration, survives fork. The program shares the
 * library with us, so its read sections hold off our grace periods too.
 */
#ifndef ALLOC_BASE_RCU_H
#define ALLOC_BASE_RCU_H

#include <errno.h>
#include <urcu-bp.h>

/*
 * liburcu takes a thread in at its first read section or call_rcu(), under a
 * lock that fork_prepare() holds before it takes ours. So whoever will do either
 * under a lock of ours, and may be a thread that has not yet or is no longer
 * known to liburcu, calls this first, without any. errno is kept: liburcu tries to
 * have its table of threads grow where it is, and takes another place if it cannot.
 */
static inline void rcu_take_in_thread(void)
{
	int saved_errno = errno;

	rcu_read_lock();
	rcu_read_unlock();
	errno = saved_errno;
}

#endif
