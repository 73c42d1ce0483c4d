/* SPDX-License-Identifier: MIT */
/*
 * Charges that move from one group to another, as what they are for does.
 *
 * The new owner is charged, and the old one uncharged, from each up to below
 * their nearest common ancestor. There and above nothing is added, so no limit
 * there is in the way, and no number changes. Both is done under cgroup_lock:
 * whoever counts finds the charge in one of the two.
 */
#ifndef ACCOUNTING_MOVE_H
#define ACCOUNTING_MOVE_H

#include "accounting/obj_stock.h"

struct charge;

/* Makes what moves one of @to's; cgroup_lock. */
typedef void move_pass_fn(void *arg, struct obj_cgroup *to);

/*
 * A span of @bytes, whole pages, of @from's. If its charge has moved @pass is called.
 * Returns 0, -ENODEV if @to is offline, or -ENOMEM.
 */
int obj_cgroup_move_span(struct obj_cgroup *from, struct mem_cgroup *to, size_t bytes,
			 move_pass_fn *pass, void *arg);

/* All that a span is charged for, in bytes of whole pages. */
struct span_charge {
	int64_t memory;
	int64_t swap;
	int64_t packed; /* what of @memory is packed swap */
};

/*
 * One try, after charge_begin() for @to: for who may not hold what he holds while others are
 * reclaimed. Also -ENOSPC: there is no room for its swap, which is an event.
 */
int obj_cgroup_try_move_span(struct charge *charge, struct obj_cgroup *from, struct mem_cgroup *to,
			     const struct span_charge *what, move_pass_fn *pass, void *arg);

/*
 * @bytes of swap, whole pages, of a span whose owner the caller changes under the same
 * lock. If @to's group, or one above it that is not above both, has no room for them,
 * nothing has changed, and *@fail is what was in the way. cgroup_lock.
 */
bool __obj_cgroup_try_move_swap(struct obj_cgroup *from, struct obj_cgroup *to, int64_t bytes,
				struct page_counter **fail);

/*
 * @bytes of a live object of @from's become ones of @stock's. The caller owns the
 * stock. For each try, @ready(@arg) sees to it that the object can be handed out
 * at once. Returns 0 or -ENOMEM.
 *
 * Bytes are charged by the page. So that none has to be added in the common
 * ancestor, @from gives whole pages for the bytes that go, and may be short of
 * less than one until it gets other bytes back. If it is short of that already,
 * one page is charged as for any allocation.
 */
int obj_cgroup_move_bytes(struct obj_cgroup *from, struct obj_stock *stock, size_t bytes,
			  bool (*ready)(void *arg), void *arg);

#endif
