/* SPDX-License-Identifier: MIT */
/*
 * Byte stocks: charged in batches, handed out without an atomic.
 *
 * A stock is used by one thread, its owner, and may be revoked by any other.
 * The bytes in it are limit - used. The owner writes used and only reads
 * limit; everybody else reads used and writes limit, under stock->lock. So
 * revoking needs no word from the owner, running, sleeping or gone:
 *
 *   owner (charge)                    obj_stock_revoke()
 *   ------------------------          ------------------------------
 *   used += size                      lock
 *   barrier()                         revoked += limit - used
 *   if (used > limit)                 limit = used
 *       slow path, locks              unlock
 *                                     os_membarrier()
 *                                     lock
 *                                     take back what the owner used
 *                                     beyond limit; uncharge revoked
 *
 * Either the owner's check sees the new limit, or the revoker's second look
 * sees the new used. used counts what was taken minus what was put back, by
 * this owner, and may be negative: the frees of others' allocations are
 * credited here too. Its sum over all stocks is what is live.
 */
#ifndef ACCOUNTING_OBJ_STOCK_H
#define ACCOUNTING_OBJ_STOCK_H

#include "accounting/obj_cgroup.h"
#include "alloc/base/os.h"

/*
 * The most pages that a stock holds, and charges at once: while its owner swings by
 * more than it may hold at first, again and again, and the limits are far.
 */
#define MEMCG_CHARGE_BATCH 1024
#define STOCK_PAGES	   64

/* The same for who swings by spans: up to twice the length of one. */
#define STOCK_PAGES_MOST 8192

struct obj_stock {
	int64_t used;  /* owner writes, all read */
	int64_t limit; /* written under lock, owner reads bare */
	int64_t floor; /* limit - most, likewise */
	/*
	 * Const while attached. No reference: who charges or credits has one, or
	 * an object, or is inside the group. Cleared by obj_stock_detach(), or by
	 * the obj_cgroup's release.
	 */
	struct obj_cgroup *objcg;

	int64_t manual; /* the part of used charged through the API; owner */
	int64_t spans;	/* the part in spans; owner */

	struct lock lock;
	uint32_t batch;	       /* pages of the next charge; lock */
	uint32_t most;	       /* pages that it may hold; lock */
	bool flushed;	       /* since the last charge; lock */
	uint8_t swings;	       /* of large charges, up to SPAN_SWINGS; lock */
	uint32_t flushed_ms;   /* when the last flush was; lock */
	uint32_t swung_ms;     /* when a refill last followed one soon; lock */
	uint32_t published_ms; /* when a small change was told last; owner */
	int64_t revoked;       /* charged, on its way out; lock */
	int64_t published;     /* used but for spans as of the last publication; owner */
	int64_t published_spans;
	int64_t objects;       /* handed out since the last publication; owner */
	int64_t slab_bytes;    /* of slabs, since the last publication; owner */
	struct list_head list; /* objcg->stocks; objcg_lock() */
};

/* What the inline functions of the public header know of it. */
#define SAME_PLACE(field)                                                                          \
	_Static_assert(offsetof(struct obj_stock, field) == offsetof(struct cgslab_stock, field),  \
		       "struct cgslab_stock is ABI: a change needs a new number")
SAME_PLACE(used);
SAME_PLACE(limit);
SAME_PLACE(floor);
SAME_PLACE(objcg);
SAME_PLACE(manual);
#undef SAME_PLACE

/*
 * What the owner finds it attached to, if anything: a stock that is not of its
 * own group may have been detached by the release of the obj_cgroup.
 */
static inline struct obj_cgroup *obj_stock_objcg(const struct obj_stock *stock)
{
	return load_acquire(&stock->objcg);
}

/* The stock must be detached, and @objcg be kept alive for the call. Owner. */
void obj_stock_attach(struct obj_stock *stock, struct obj_cgroup *objcg);

/* Settles the stock, if it is attached; it may be attached again. Owner. */
void obj_stock_detach(struct obj_stock *stock);

/* The same for all stocks of an obj_cgroup that is being released. */
void obj_stocks_detach_all(struct obj_cgroup *objcg);

/*
 * The slow half of a charge: used already contains @size and is beyond limit.
 * Returns 0, or -ENOMEM with @size taken back out of used.
 */
int obj_stock_refill(struct obj_stock *stock, gfp_t gfp, size_t size);

/* The same for a span; afterwards ->spans has it, too. */
int obj_stock_refill_span(struct obj_stock *stock, gfp_t gfp, size_t size);

/* The slow half of an uncharge: used is below floor. */
void obj_stock_flush(struct obj_stock *stock);

/* The same after a span of @size. */
void obj_stock_flush_span(struct obj_stock *stock, size_t size);

/* Leaves nothing in the stock; what is no whole page is a leftover. Owner. */
void obj_stock_settle(struct obj_stock *stock);

/* Revokes every stock of the subtree, parked, running or asleep. */
void memcg_drain_stocks(struct mem_cgroup *memcg);

/*
 * Revokes the stocks that have grown, but have not swung for a while. Returns
 * whether others have grown. Any thread, also one that liburcu does not know.
 */
bool memcg_drain_idle_stocks(void);

/*
 * Slabs came or went. The record is told of more at once, and of less later: it
 * never shows less than there is. Owner.
 */
void obj_stock_account_slab(struct obj_stock *stock, int64_t bytes);

/* Tells the record of slabs that went: for when nobody may do so soon. Owner. */
void obj_stock_tell(struct obj_stock *stock);

/*
 * The steps of a charge, for pages from elsewhere: how many are missing for @size
 * more bytes; hands out @size after @pages came. Owner, stock->lock.
 */
int64_t __obj_stock_short(struct obj_stock *stock, size_t size);
void __obj_stock_supply(struct obj_stock *stock, int64_t pages, size_t size);

/* Leaves nothing in the stock; returns what was. Likewise. */
int64_t __obj_stock_take_rest(struct obj_stock *stock);

/* Tells the record what is used, and that so many bytes follow. Owner, objcg_lock(). */
void __obj_stock_publish(struct obj_stock *stock, int64_t objects, int64_t spans);

/*
 * Takes bytes out. If it returns false they are taken all the same, and beyond
 * limit: obj_stock_refill() must follow.
 */
static __always_inline_fn bool obj_stock_take(struct obj_stock *stock, size_t size)
{
	int64_t used = stock->used + (int64_t)size;

	if (!ACCOUNTING)
		return true;
	WRITE_ONCE(stock->used, used);
	barrier(); /* pairs with os_membarrier() in memcg_drain_stocks() */
	return used <= READ_ONCE(stock->limit);
}

/* Takes back what obj_stock_take() refused. */
static __always_inline_fn void obj_stock_untake(struct obj_stock *stock, size_t size)
{
	WRITE_ONCE(stock->used, stock->used - (int64_t)size);
}

static __always_inline_fn int obj_stock_charge(struct obj_stock *stock, gfp_t gfp, size_t size)
{
	return likely(obj_stock_take(stock, size)) ? 0 : obj_stock_refill(stock, gfp, size);
}

/* Puts bytes back. Returns whether the stock holds too much now. */
static __always_inline_fn bool obj_stock_credit(struct obj_stock *stock, size_t size)
{
	int64_t used = stock->used - (int64_t)size;

	if (!ACCOUNTING)
		return false;
	WRITE_ONCE(stock->used, used);
	barrier(); /* likewise */
	return used < READ_ONCE(stock->floor);
}

/* The same for a span of so many bytes. */
static __always_inline_fn int obj_stock_charge_span(struct obj_stock *stock, gfp_t gfp, size_t size)
{
	if (unlikely(!obj_stock_take(stock, size)))
		return obj_stock_refill_span(stock, gfp, size);
	WRITE_ONCE(stock->spans, stock->spans + (int64_t)size);
	return 0;
}

/* Whether the owner swings: else what a span was charged does not stay. */
static __always_inline_fn bool obj_stock_keeps_spans(const struct obj_stock *stock)
{
	return READ_ONCE(stock->most) > STOCK_PAGES;
}

/* Likewise; obj_stock_flush_span() follows if it is too much. */
static __always_inline_fn bool obj_stock_credit_span(struct obj_stock *stock, size_t size)
{
	WRITE_ONCE(stock->spans, stock->spans - (int64_t)size);
	if (!ACCOUNTING)
		return false;
	return obj_stock_credit(stock, size) || !obj_stock_keeps_spans(stock);
}

/* ---- Stopping everybody at their next charge or credit ------------------ */

struct obj_stock_totals {
	int64_t stock;	  /* bytes in stocks */
	int64_t leftover; /* nr_charged_bytes */
	int64_t live;	  /* bytes handed out, spans included */
	int64_t span;	  /* of them, in spans */
	int64_t manual;	  /* of them, charged through the API */
};

/*
 * Holds all stocks of the subtree: whoever charges or credits waits until the
 * thaw. What was under way ends by itself soon. The caller holds cgroup_lock
 * until then.
 */
void memcg_freeze_stocks(struct mem_cgroup *memcg);
void memcg_thaw_stocks(struct mem_cgroup *memcg);

/* Adds what one objcg has; exact between freeze and thaw. objcg_lock(). */
void obj_cgroup_sum_stocks(struct obj_cgroup *objcg, struct obj_stock_totals *totals);

#endif
