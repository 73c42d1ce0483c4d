/* SPDX-License-Identifier: MIT */
#include "accounting/obj_stock.h"

#include <errno.h>

#include "accounting/charge.h"
#include "accounting/memalloc.h"

/*
 * What the record is told: changes of at least this part of what it knows, or
 * of a smaller part, if it was not told for some time.
 */
#define PUBLISH_SHIFT	    2
#define PUBLISH_LATER_SHIFT 5
#define PUBLISH_LATER_MS    8

/* A refill so soon after a flush gets what was given back, or its like. */
#define SWING_MS 8

/* Who asks for more at once gets just that. */
#define LARGE ((size_t)64 << 10)

/* So often in a row before something of a span stays in the stock. */
#define SPAN_SWINGS 4

/* Without another for so long a stock is to hold little again. */
#define LULL_MS 100

static void set_limit(struct obj_stock *stock, int64_t limit)
{
	WRITE_ONCE(stock->limit, limit);
	WRITE_ONCE(stock->floor, limit - ((int64_t)stock->most << PAGE_SHIFT));
}

/* How many pages it may hold: that is in the floor, too. stock->lock. */
static void set_most(struct obj_stock *stock, uint32_t pages)
{
	WRITE_ONCE(stock->most, pages);
	set_limit(stock, stock->limit);
}

static void set_small(struct obj_stock *stock)
{
	set_most(stock, STOCK_PAGES);
	stock->swings = 0;
}

void __obj_stock_publish(struct obj_stock *stock, int64_t objects, int64_t spans)
{
	struct obj_cgroup *objcg = stock->objcg;
	struct counters_record *record = READ_ONCE(objcg->memcg)->memory.record;
	int64_t delta = stock->used - stock->spans + objects - stock->published;

	spans += stock->spans - stock->published_spans;
	stock->published += delta;
	stock->published_spans += spans;
	objcg->published_bytes += delta;
	objcg->published_spans += spans;
	objcg->published_objects += stock->objects;
	objcg->slab_bytes += stock->slab_bytes;
	atomic_add(&record->object_bytes, delta);
	atomic_add(&record->span_bytes, spans);
	atomic_add(&record->objects, stock->objects);
	atomic_add(&record->slab_bytes, stock->slab_bytes);
	stock->objects = 0;
	stock->slab_bytes = 0;
}

/*
 * Tells the record what the owner has used since the last time, and that so many
 * bytes more are to follow. Waits while the stocks are frozen. Owner.
 */
static void publish(struct obj_stock *stock, int64_t objects, int64_t spans)
{
	counters_own();
	lock(objcg_lock(stock->objcg));
	__obj_stock_publish(stock, objects, spans);
	unlock(objcg_lock(stock->objcg));
}

static int64_t distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

/* Numbers that are a few percent old are new enough to look at. */
static void publish_change(struct obj_stock *stock, int64_t objects, int64_t spans)
{
	int64_t delta = distance(stock->used - stock->spans + objects, stock->published) +
			distance(stock->spans + spans, stock->published_spans);
	int64_t known = distance(stock->published, 0) + distance(stock->published_spans, 0);

	if (delta <= known >> PUBLISH_LATER_SHIFT)
		return;
	if (delta <= known >> PUBLISH_SHIFT) {
		uint32_t now = (uint32_t)os_clock_ms();

		if (now - stock->published_ms < PUBLISH_LATER_MS)
			return;
		stock->published_ms = now;
	}
	publish(stock, objects, spans);
}

void obj_stock_tell(struct obj_stock *stock)
{
	if (ACCOUNTING && stock->slab_bytes)
		publish(stock, 0, 0);
}

void obj_stock_account_slab(struct obj_stock *stock, int64_t bytes)
{
	stock->slab_bytes += bytes;
	if (ACCOUNTING && stock->slab_bytes > 0)
		publish(stock, 0, 0);
}

/* stock->lock, or nobody knows of it yet. */
static void reset(struct obj_stock *stock)
{
	WRITE_ONCE(stock->used, 0);
	stock->manual = 0;
	stock->spans = 0;
	stock->revoked = 0;
	set_limit(stock, 0);
}

void obj_stock_attach(struct obj_stock *stock, struct obj_cgroup *objcg)
{
	lock_init(&stock->lock, LOCK_RANK_STOCK);
	stock->batch = 1;
	set_small(stock);
	stock->flushed = false;
	stock->published = 0;
	stock->published_spans = 0;
	stock->objects = 0;
	stock->slab_bytes = 0;
	reset(stock);
	/* All at once: a forked child finds a stock attached, or not. */
	lock(objcg_lock(objcg));
	WRITE_ONCE(stock->objcg, objcg);
	list_add_tail(&stock->list, &objcg->stocks);
	WRITE_ONCE(objcg->nr_stocks, objcg->nr_stocks + 1);
	unlock(objcg_lock(objcg));
}

/* Nothing stays in the stock. objcg_lock(). */
static void empty(struct obj_stock *stock)
{
	struct obj_cgroup *objcg = stock->objcg;
	int64_t spare;

	lock(&stock->lock);
	spare = stock->limit + stock->revoked - stock->used;
	atomic_add(&objcg->live_base, stock->used);
	atomic_add(&objcg->manual_base, stock->manual);
	atomic_add(&objcg->span_base, stock->spans);
	reset(stock);
	obj_cgroup_return_bytes(objcg, spare);
	unlock(&stock->lock);
}

/* objcg_lock(). */
static void __detach(struct obj_stock *stock)
{
	struct obj_cgroup *objcg = stock->objcg;

	__obj_stock_publish(stock, 0, 0);
	list_del_init(&stock->list);
	WRITE_ONCE(objcg->nr_stocks, objcg->nr_stocks - 1);
	empty(stock);
	/* Last: the owner may use it for another. Pairs with obj_stock_objcg(). */
	store_release(&stock->objcg, NULL);
}

void obj_stock_detach(struct obj_stock *stock)
{
	struct obj_cgroup *objcg = obj_stock_objcg(stock);

	if (!objcg)
		return;
	counters_own();
	lock(objcg_lock(objcg)); /* which looks at the address only */
	if (READ_ONCE(stock->objcg) == objcg)
		__detach(stock);
	unlock(objcg_lock(objcg));
}

void obj_stocks_detach_all(struct obj_cgroup *objcg)
{
	struct obj_stock *stock, *tmp;

	lock(objcg_lock(objcg));
	list_for_each_entry_safe (stock, tmp, &objcg->stocks, list)
		__detach(stock);
	unlock(objcg_lock(objcg));
}

/* ---- The owner ---------------------------------------------------------- */

/* A stock may have grown since memcg_drain_idle_stocks() looked; atomic. */
static bool some_grown;

/* How many pages it may get to hold, for charges of @size at once. */
static uint32_t most_for(size_t size)
{
	size_t pages = size >> PAGE_SHIFT;

	return (uint32_t)min_t(size_t, max_t(size_t, 2 * pages, MEMCG_CHARGE_BATCH),
			       STOCK_PAGES_MOST);
}

/* Who charges again what was just uncharged may hold more of it. stock->lock. */
static void let_grow(struct obj_stock *stock, size_t size)
{
	uint32_t now;

	if (!stock->flushed)
		return;
	stock->flushed = false;
	now = (uint32_t)os_clock_ms();
	if (now - stock->flushed_ms >= SWING_MS) {
		stock->swings = 0;
		return;
	}
	if (size > LARGE && stock->swings < SPAN_SWINGS) {
		stock->swings++;
		return;
	}
	if (stock->most < most_for(size))
		set_most(stock, min_t(uint32_t, stock->most * 2, most_for(size)));
	WRITE_ONCE(some_grown, true);
	WRITE_ONCE(stock->swung_ms, now);
}

/*
 * The pages beyond what is needed for @size that one charge may take: growing from one,
 * and none for a span, or where the stocks could hold all that is left below the limit.
 * stock->lock.
 */
static int64_t batch_pages(struct obj_stock *stock, const struct mem_cgroup *memcg, size_t size)
{
	int64_t margin = page_counter_margin(&memcg->memory);
	int64_t stocks = (int64_t)READ_ONCE(stock->objcg->nr_stocks) + 1;
	int64_t batch;

	let_grow(stock, size);
	if (stock->most > STOCK_PAGES &&
	    min_t(int64_t, margin, page_counter_margin_high(&memcg->memory)) <
		    stocks * 2 * stock->most)
		set_small(stock);
	if (size > LARGE || margin < stocks * 2 * STOCK_PAGES)
		return 0;
	batch = min_t(uint32_t, stock->batch, min_t(uint32_t, stock->most, MEMCG_CHARGE_BATCH) / 2);
	stock->batch = (uint32_t)batch * 2;
	return batch;
}

/* How many pages are missing for @size more bytes. stock->lock. */
int64_t __obj_stock_short(struct obj_stock *stock, size_t size)
{
	int64_t limit = stock->limit + stock->revoked;
	int64_t want = stock->used + (int64_t)size;

	stock->revoked = 0;
	if (want > limit && READ_ONCE(stock->objcg->nr_charged_bytes) > 0)
		limit += atomic_xchg(&stock->objcg->nr_charged_bytes, 0);
	set_limit(stock, limit);
	if (want <= limit)
		return 0;
	return (want - limit + (int64_t)PAGE_SIZE - 1) >> PAGE_SHIFT;
}

void __obj_stock_supply(struct obj_stock *stock, int64_t pages, size_t size)
{
	set_limit(stock, stock->limit + (pages << PAGE_SHIFT));
	WRITE_ONCE(stock->used, stock->used + (int64_t)size);
}

int64_t __obj_stock_take_rest(struct obj_stock *stock)
{
	int64_t rest = stock->limit - stock->used;

	set_limit(stock, stock->used);
	return rest;
}

/* Charges and hands out @size bytes, @spans of them in spans, or nothing. stock->lock. */
static bool fill(struct obj_stock *stock, struct charge *charge, size_t size, size_t spans)
{
	int64_t pages = __obj_stock_short(stock, size);

	if (pages) {
		int64_t batch = charge->force ? 0 : batch_pages(stock, charge->memcg, size);

		if (batch && charge_try(charge, pages + batch))
			pages += batch;
		else if (!charge_try(charge, pages))
			return false;
	}
	__obj_stock_supply(stock, pages, size);
	WRITE_ONCE(stock->spans, stock->spans + (int64_t)spans);
	return true;
}

/*
 * The first try, without a reference of the group. The read section begins
 * before the lock: see rcu_take_in_thread().
 */
static bool fill_at_once(struct obj_stock *stock, gfp_t gfp, size_t size, size_t spans)
{
	struct charge charge = {.gfp = gfp, .force = memalloc_is_noreclaim()};
	bool charged;

	rcu_read_lock();
	lock(&stock->lock);
	charge.memcg = obj_cgroup_memcg(stock->objcg);
	charged = fill(stock, &charge, size, spans);
	unlock(&stock->lock);
	rcu_read_unlock();
	return charged;
}

/* @spans of the bytes are in spans: all, or none. */
static int refill(struct obj_stock *stock, gfp_t gfp, size_t size, size_t spans)
{
	struct charge charge;
	bool charged;

	/* Not ours yet: others must not see it while we wait for the lock. */
	obj_stock_untake(stock, size);
	/* Now: between taking and handing out nothing may wait for a count. */
	publish_change(stock, (int64_t)(size - spans), (int64_t)spans);
	if (likely(fill_at_once(stock, gfp, size, spans)))
		return 0;
	charge_begin(&charge, stock->objcg, gfp, size);
	do {
		lock(&stock->lock);
		charged = fill(stock, &charge, size, spans);
		unlock(&stock->lock);
	} while (!charged && charge_again(&charge));
	charge_end(&charge);
	if (likely(charged))
		return 0;
	publish(stock, 0, 0);
	return -ENOMEM;
}

int obj_stock_refill(struct obj_stock *stock, gfp_t gfp, size_t size)
{
	return refill(stock, gfp, size, 0);
}

int obj_stock_refill_span(struct obj_stock *stock, gfp_t gfp, size_t size)
{
	return refill(stock, gfp, size, size);
}

/* How many go, after @size bytes of a span came back, if any. stock->lock. */
static int64_t too_many_pages(const struct obj_stock *stock, size_t size)
{
	int64_t spare = (stock->limit - stock->used) >> PAGE_SHIFT;
	int64_t pages = spare - stock->most / 2;

	if (obj_stock_keeps_spans(stock))
		return pages;
	return max_t(int64_t, pages, min_t(int64_t, spare, (int64_t)(size >> PAGE_SHIFT)));
}

static void flush(struct obj_stock *stock, size_t size)
{
	int64_t pages;

	counters_own();
	lock(&stock->lock);
	stock->flushed = true;
	stock->flushed_ms = (uint32_t)os_clock_ms();
	if (obj_stock_keeps_spans(stock) && stock->flushed_ms - stock->swung_ms >= LULL_MS)
		set_small(stock);
	set_limit(stock, stock->limit + stock->revoked);
	stock->revoked = 0;
	pages = too_many_pages(stock, size);
	if (pages > 0) {
		set_limit(stock, stock->limit - (pages << PAGE_SHIFT));
		obj_cgroup_uncharge_pages(stock->objcg, pages);
	}
	unlock(&stock->lock);
	publish_change(stock, 0, 0);
}

/* Leaves half of what it may hold. */
void obj_stock_flush(struct obj_stock *stock)
{
	flush(stock, 0);
}

void obj_stock_flush_span(struct obj_stock *stock, size_t size)
{
	flush(stock, size);
}

void obj_stock_settle(struct obj_stock *stock)
{
	int64_t spare;

	lock(&stock->lock);
	spare = stock->limit + stock->revoked - stock->used;
	stock->revoked = 0;
	stock->batch = 1;
	set_small(stock);
	set_limit(stock, stock->used);
	obj_cgroup_return_bytes(stock->objcg, spare);
	unlock(&stock->lock);
	publish(stock, 0, 0);
}

/* ---- Revocation --------------------------------------------------------- */

/* The first half; afterwards the owner's next charge takes the slow path. */
static void revoke_begin(struct obj_stock *stock)
{
	int64_t used, spare;

	lock(&stock->lock);
	used = READ_ONCE(stock->used);
	spare = stock->limit - used;
	set_small(stock);
	if (spare > 0) {
		stock->revoked += spare;
		set_limit(stock, used);
		stock->batch = 1;
	}
	unlock(&stock->lock);
}

/* The second half, after the barrier: how many bytes are really free. */
static int64_t revoke_end(struct obj_stock *stock)
{
	int64_t overdrawn, bytes = 0;

	lock(&stock->lock);
	overdrawn = READ_ONCE(stock->used) - stock->limit;
	if (overdrawn > 0) {
		/* Checked against the old limit, which covered it. */
		overdrawn = min_t(int64_t, overdrawn, stock->revoked);
		set_limit(stock, stock->limit + overdrawn);
		stock->revoked -= overdrawn;
	}
	bytes = stock->revoked;
	stock->revoked = 0;
	unlock(&stock->lock);
	return bytes;
}

static void revoke_begin_all(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;

	(void)arg;
	lock(objcg_lock(objcg));
	list_for_each_entry (stock, &objcg->stocks, list)
		revoke_begin(stock);
	unlock(objcg_lock(objcg));
}

/* cgroup_lock. */
static void revoke_end_all(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;
	int64_t bytes = 0;

	(void)arg;
	lock(objcg_lock(objcg));
	list_for_each_entry (stock, &objcg->stocks, list)
		bytes += revoke_end(stock);
	unlock(objcg_lock(objcg));
	__obj_cgroup_return_bytes(objcg, bytes);
}

void memcg_drain_stocks(struct mem_cgroup *memcg)
{
	struct mem_cgroup *pos;

	counters_own();
	lock(&cgroup_lock);
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, revoke_begin_all, NULL);
	/*
	 * Pairs with barrier() in obj_stock_charge(). A kernel without it
	 * leaves the revoked bytes with their stocks.
	 */
	if (os_membarrier() == 0)
		for_each_memcg (pos, memcg)
			memcg_for_each_objcg(pos, revoke_end_all, NULL);
	unlock(&cgroup_lock);
}

/* What memcg_drain_idle_stocks() has found. */
struct idle {
	bool some;
	bool others;
};

static void revoke_begin_idle(struct obj_cgroup *objcg, void *arg)
{
	struct idle *idle = arg;
	struct obj_stock *stock;

	lock(objcg_lock(objcg));
	list_for_each_entry (stock, &objcg->stocks, list) {
		if (READ_ONCE(stock->most) == STOCK_PAGES)
			continue;
		if ((uint32_t)os_clock_ms() - READ_ONCE(stock->swung_ms) < LULL_MS) {
			idle->others = true;
			continue;
		}
		revoke_begin(stock);
		idle->some = true;
	}
	unlock(objcg_lock(objcg));
}

bool memcg_drain_idle_stocks(void)
{
	struct idle idle = {0};
	struct mem_cgroup *pos;

	if (!ACCOUNTING || !READ_ONCE(some_grown)) /* there may be many groups */
		return false;
	WRITE_ONCE(some_grown, false);
	lock(&cgroup_lock);
	for_each_memcg (pos, &root_memcg)
		memcg_for_each_objcg(pos, revoke_begin_idle, &idle);
	if (idle.others)
		WRITE_ONCE(some_grown, true);
	if (idle.some && os_membarrier() == 0) /* as in memcg_drain_stocks() */
		for_each_memcg (pos, &root_memcg)
			memcg_for_each_objcg(pos, revoke_end_all, NULL);
	unlock(&cgroup_lock);
	return idle.others;
}

/* ---- Freezing ----------------------------------------------------------- */

/*
 * A frozen stock's lock is held, its limit is out of reach below and its floor
 * above, so both slow paths end up waiting for the lock. The true limit waits
 * in ->revoked.
 */
static void freeze_all(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;

	(void)arg;
	list_for_each_entry (stock, &objcg->stocks, list) {
		lock_nested(&stock->lock);
		stock->revoked += stock->limit;
		WRITE_ONCE(stock->limit, INT64_MIN);
		WRITE_ONCE(stock->floor, INT64_MAX);
	}
}

static void thaw_all(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;

	(void)arg;
	list_for_each_entry (stock, &objcg->stocks, list) {
		int64_t limit = stock->revoked;

		stock->revoked = 0;
		set_limit(stock, limit);
		unlock(&stock->lock);
	}
}

void memcg_freeze_stocks(struct mem_cgroup *memcg)
{
	struct mem_cgroup *pos;

	obj_cgroups_fork_prepare(); /* no stock comes or goes */
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, freeze_all, NULL);
	os_membarrier(); /* pairs with barrier() in obj_stock_charge() */
}

void memcg_thaw_stocks(struct mem_cgroup *memcg)
{
	struct mem_cgroup *pos;

	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, thaw_all, NULL);
	obj_cgroups_fork_done();
}

__racy_fn void obj_cgroup_sum_stocks(struct obj_cgroup *objcg, struct obj_stock_totals *totals)
{
	struct obj_stock *stock;

	totals->leftover += READ_ONCE(objcg->nr_charged_bytes);
	totals->live += READ_ONCE(objcg->live_base);
	totals->span += READ_ONCE(objcg->span_base);
	totals->manual += READ_ONCE(objcg->manual_base);
	list_for_each_entry (stock, &objcg->stocks, list) {
		int64_t limit = READ_ONCE(stock->limit);
		int64_t used = READ_ONCE(stock->used);

		if (limit == INT64_MIN) /* frozen: it waits in revoked */
			limit = 0;
		totals->stock += limit + READ_ONCE(stock->revoked) - used;
		totals->live += used;
		totals->span += READ_ONCE(stock->spans);
		totals->manual += READ_ONCE(stock->manual);
	}
}
