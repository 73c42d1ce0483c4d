/* SPDX-License-Identifier: MIT */
#include "accounting/move.h"

#include <errno.h>

#include "accounting/charge.h"
#include "accounting/swap.h"

/* From where to where, as of now. cgroup_lock. */
struct way {
	struct page_counter *from, *to;
	const struct page_counter *common;
};

static unsigned int depth(const struct page_counter *counter)
{
	unsigned int n = 0;

	for (; counter->parent; counter = counter->parent)
		n++;
	return n;
}

static const struct page_counter *common_ancestor(const struct page_counter *a,
						  const struct page_counter *b)
{
	unsigned int up_a = depth(a), up_b = depth(b);

	for (; up_a > up_b; up_a--)
		a = a->parent;
	for (; up_b > up_a; up_b--)
		b = b->parent;
	for (; a != b; a = a->parent)
		b = b->parent;
	return a;
}

static struct way way_between(struct page_counter *from, struct page_counter *to)
{
	return (struct way){.from = from, .to = to, .common = common_ancestor(from, to)};
}

/* Of memory. */
static struct way find_way(struct obj_cgroup *from, struct obj_cgroup *to)
{
	return way_between(&from->memcg->memory, &to->memcg->memory);
}

/* ---- Spans -------------------------------------------------------------------- */

bool __obj_cgroup_try_move_swap(struct obj_cgroup *from, struct obj_cgroup *to, int64_t bytes,
				struct page_counter **fail)
{
	struct way way = way_between(&from->memcg->swap, &to->memcg->swap);
	int64_t pages = bytes >> PAGE_SHIFT;

	if (!ACCOUNTING)
		return true;
	if (!page_counter_try_charge_below(way.to, way.common, pages, fail))
		return false;
	atomic_sub(&from->memcg->swap_bytes, bytes);
	atomic_add(&to->memcg->swap_bytes, bytes);
	page_counter_uncharge_below(way.from, way.common, pages);
	return true;
}

/* What is counted of packed swap; its pages are among those of memory. */
static void move_zswap(struct obj_cgroup *from, struct obj_cgroup *to,
		       const struct span_charge *what)
{
	lock(objcg_lock(from));
	__obj_cgroup_uncharge_zswap(from, what->packed, what->swap);
	unlock(objcg_lock(from));
	lock(objcg_lock(to));
	__obj_cgroup_charged_zswap(to, what->packed, what->swap);
	unlock(objcg_lock(to));
}

/* The charge, from one to the other; the span is to follow. cgroup_lock. */
static int move_charge(struct charge *charge, struct obj_cgroup *from, struct obj_cgroup *to,
		       const struct span_charge *what, struct page_counter **fail)
{
	int64_t pages = what->memory >> PAGE_SHIFT;
	struct way way = find_way(from, to);

	if (!ACCOUNTING)
		return 0;
	charge->pages = pages;
	/* Not even asked for nothing: there may be more than the limit already. */
	if (pages && !page_counter_try_charge_below(way.to, way.common, pages, &charge->fail))
		return -ENOMEM;
	if (what->swap && !__obj_cgroup_try_move_swap(from, to, what->swap, fail)) {
		page_counter_uncharge_below(way.to, way.common, pages);
		return -ENOSPC;
	}
	obj_cgroup_account_span(from, -what->memory);
	obj_cgroup_account_span(to, what->memory);
	page_counter_uncharge_below(way.from, way.common, pages);
	if (what->packed)
		move_zswap(from, to, what);
	return 0;
}

int obj_cgroup_try_move_span(struct charge *charge, struct obj_cgroup *from, struct mem_cgroup *to,
			     const struct span_charge *what, move_pass_fn *pass, void *arg)
{
	struct page_counter *fail;
	int err = -ENODEV;

	lock(&cgroup_lock);
	if (memcg_is_staying(to)) {
		err = move_charge(charge, from, to->objcg, what, &fail);
		if (!err)
			pass(arg, to->objcg);
	}
	unlock(&cgroup_lock);
	if (err == -ENOSPC)
		memcg_swap_refused(to, fail);
	return err;
}

int obj_cgroup_move_span(struct obj_cgroup *from, struct mem_cgroup *to, size_t bytes,
			 move_pass_fn *pass, void *arg)
{
	const struct span_charge what = {.memory = (int64_t)bytes};
	struct charge charge;
	int err;

	charge_begin(&charge, to->objcg, GFP_NOFS, bytes);
	do {
		err = obj_cgroup_try_move_span(&charge, from, to, &what, pass, arg);
	} while (err == -ENOMEM && charge_again(&charge));
	charge_end(&charge);
	return err;
}

/* ---- Bytes -------------------------------------------------------------------- */

/*
 * @from will get @bytes back, and gives up to @pages for them: as many as leave it
 * short of less than a page, which is all or all but one. Returns how many.
 */
static int64_t give_pages(struct obj_cgroup *from, int64_t pages, size_t bytes)
{
	int64_t left = READ_ONCE(from->nr_charged_bytes);
	int64_t give;

	do {
		give = pages;
		while (give && left + (int64_t)bytes - (give << PAGE_SHIFT) <= -(int64_t)PAGE_SIZE)
			give--;
	} while (!cmpxchg_relaxed(&from->nr_charged_bytes, &left, left - (give << PAGE_SHIFT)));
	return give;
}

/* Pages for the new owner: the old one's, and perhaps a new one. */
static bool move_pages(struct charge *charge, struct obj_cgroup *from, struct obj_cgroup *to,
		       int64_t pages, size_t bytes)
{
	struct way way = find_way(from, to);
	int64_t given = give_pages(from, pages, bytes);

	charge->pages = pages;
	if (given < pages && !page_counter_try_charge(way.to, pages - given, &charge->fail))
		goto no_room;
	if (given && !page_counter_try_charge_below(way.to, way.common, given, &charge->fail)) {
		page_counter_uncharge(way.to, pages - given);
		goto no_room;
	}
	page_counter_uncharge_below(way.from, way.common, given);
	return true;

no_room:
	atomic_add(&from->nr_charged_bytes, given << PAGE_SHIFT);
	return false;
}

/* cgroup_lock. */
static bool try_move_bytes(struct charge *charge, struct obj_cgroup *from, struct obj_stock *stock,
			   size_t bytes)
{
	struct obj_cgroup *to = stock->objcg;
	int64_t pages;
	bool moved;

	if (!ACCOUNTING)
		return true;
	lock(objcg_lock(to));
	lock(&stock->lock);
	pages = __obj_stock_short(stock, bytes);
	moved = !pages || move_pages(charge, from, to, pages, bytes);
	if (moved)
		__obj_stock_supply(stock, pages, bytes);
	if (moved && pages) /* the next may move from here */
		obj_cgroup_return_bytes(to, __obj_stock_take_rest(stock));
	unlock(&stock->lock);
	__obj_stock_publish(stock, 0, 0);
	unlock(objcg_lock(to));
	if (moved)
		obj_cgroup_lose_bytes(from, bytes);
	return moved;
}

int obj_cgroup_move_bytes(struct obj_cgroup *from, struct obj_stock *stock, size_t bytes,
			  bool (*ready)(void *arg), void *arg)
{
	struct charge charge;
	bool is_ready, moved;

	charge_begin(&charge, stock->objcg, GFP_NOFS, bytes);
	do {
		is_ready = ready(arg);
		lock(&cgroup_lock);
		moved = is_ready && try_move_bytes(&charge, from, stock, bytes);
		unlock(&cgroup_lock);
	} while (is_ready && !moved && charge_again(&charge));
	charge_end(&charge);
	return moved ? 0 : -ENOMEM;
}
