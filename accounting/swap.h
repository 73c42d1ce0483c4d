/* SPDX-License-Identifier: MIT */
/*
 * Charges of swap, and of spans that go there and come back.
 *
 * Swap is charged to the obj_cgroup of the span that lies there, in whole pages, by a
 * page counter of its own: so it passes to the parent at rmdir as memory does. A span
 * is charged for the memory that it occupies and for the room that it has in swap; on
 * its way it has both. One that is out, but compressed, occupies the memory for that.
 *
 *	memory, spans	= spans that are charged to memory, and zswap
 *	swap		= spans with room in swap
 *	memory + swap - transit - zswap = all spans
 *
 * What is charged and what the span says of it (SPAN_CHARGED, ->swap) change in one
 * section under objcg_lock(): whoever counts holds that lock, and finds both sides or
 * none.
 */
#ifndef ACCOUNTING_SWAP_H
#define ACCOUNTING_SWAP_H

#include "accounting/memcg_more.h"
#include "accounting/obj_cgroup.h"

/* ---- objcg_lock() is held, and the span's fields are set before it is dropped ---- */

/*
 * Nothing is reclaimed for swap. If it is refused, *@fail is the counter whose max was
 * in the way; see memcg_swap_refused().
 */
bool __obj_cgroup_try_charge_swap(struct obj_cgroup *objcg, int64_t bytes,
				  struct page_counter **fail);
void __obj_cgroup_uncharge_swap(struct obj_cgroup *objcg, int64_t bytes);

/* The books of a span that charge_try() has charged; and the way back, with its pages. */
void __obj_cgroup_charged_span(struct obj_cgroup *objcg, int64_t bytes);
void __obj_cgroup_uncharge_span(struct obj_cgroup *objcg, int64_t bytes);

/*
 * @compressed bytes are, or were, kept for @bytes of swap. That they are charged to memory
 * as part of their span is the caller's; these only count. The first is refused where
 * memory.zswap.max is in the way, of the group or above.
 */
bool __obj_cgroup_try_charge_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes);
void __obj_cgroup_uncharge_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes);

/* The same for what goes to another, as it is: past memory.zswap.max. */
void __obj_cgroup_charged_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes);

/* ---- No lock is held ---------------------------------------------------------- */

/*
 * A span charged to @memcg was not swapped out. The first: as swap.max of @fail's
 * group was in the way. The caller holds a reference of @memcg.
 */
void memcg_swap_refused(struct mem_cgroup *memcg, struct page_counter *fail);
void memcg_swap_failed(struct mem_cgroup *memcg);

/* So much came or went. Where there is no memory for the number it is not counted. */
void memcg_count_swap(struct mem_cgroup *memcg, enum memcg_swap_count count, int64_t pages);

/* ---- Of a group --------------------------------------------------------------- */

/*
 * After all its obj_cgroups are the parent's, what they have in swap is. cgroup_lock.
 */
void memcg_reparent_swap(struct mem_cgroup *memcg);

/* In the child of a fork: what the group has goes to the counters, which are 0. */
void memcg_recount_swap(struct mem_cgroup *memcg);

/*
 * In the child of a fork: what a lost thread had charged and not put down, or the
 * reverse, once the spans of the group are counted. cgroup_lock, stocks frozen.
 */
void memcg_settle_swap(struct mem_cgroup *memcg);

#endif
