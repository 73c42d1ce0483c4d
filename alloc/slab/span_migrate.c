/* SPDX-License-Identifier: MIT */
/*
 * mem_cgroup_migrate(): the content of one span goes to another, and the charge with it.
 *
 *   old         new         charge                              counters
 *   charged     uncharged   passes to new; old has none         none changes
 *   charged     charged     each keeps its own                  none changes
 *   uncharged   any         as they are                         none changes
 *
 * In the first case new may be longer: the difference is charged first, which may take
 * reclaim. Nothing is BUSY then, so all is looked at anew afterwards.
 *
 * The owner passes from one span to the other in one section under objcg_lock(), which
 * whoever counts holds. It is never charged twice nor uncharged in between, and a limit is
 * not even asked. Neither is pinned, so nobody knows where they lie: if new's content fits
 * into the run of old, the two exchange their runs, and no byte moves.
 */
#include <errno.h>

#include "accounting/charge.h"
#include "accounting/high.h"
#include "accounting/swap.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"
#include "alloc/slab/span_move.h"

struct migration {
	struct slab *old, *new;
	struct obj_cgroup *objcg; /* old's; a reference, or NULL */
	int64_t more;		  /* bytes that new is longer by */
};

/* ---- The content ------------------------------------------------------------- */

static bool extend_run(struct slab *span, size_t npages)
{
	char *end = span->start + ((size_t)span->capacity << PAGE_SHIFT);
	bool zeroed;

	if (npages > span->capacity) {
		size_t more = npages - span->capacity;

		if (!page_run_extend(span->start, span->capacity, more, &zeroed))
			return false;
		if (!zeroed) /* whose it was nobody knows */
			os_purge(end, more << PAGE_SHIFT);
		span->capacity = (uint32_t)npages;
	}
	return true;
}

/* Each of another group: what is in new's run is for nobody to see. */
static bool are_strangers(const struct slab *old, const struct slab *new)
{
	return new->objcg &&new->objcg != old->objcg;
}

/* To a run of its own, that becomes new's: one that is lost on the way is nobody's. */
static bool remap_content(struct slab *old, struct slab *new)
{
	struct span_run had = span_run_of(new), run = {.capacity = (uint32_t)span_pages(new)};
	int err;

	if (!span_wants_remap(old))
		return false;
	run.start = page_run_alloc_fresh(old->start, run.capacity);
	if (!run.start)
		return false;
	err = span_remap(old, &run);
	if (err) {
		if (err != -EFAULT)
			span_run_free(&run);
		return false;
	}
	span_set_run(new, &run);
	span_run_free(&had);
	return true;
}

/* What it got beyond its length is charged to nobody, and another's content perhaps. */
static void trim_run(struct slab *span)
{
	struct span_run run = span_run_of(span);
	uint32_t npages = (uint32_t)span_pages(span);

	if (run.capacity == npages)
		return;
	span_run_free_pages(&run, run.start + slab_bytes(span), run.capacity - npages);
	span->capacity = npages;
}

static void move_content(struct slab *old, struct slab *new)
{
	if (extend_run(old, span_pages(new))) {
		span_exchange_runs(old, new);
		trim_run(old);
		if (are_strangers(old, new))
			os_purge(old->start, slab_bytes(old));
	} else if (!remap_content(old, new)) {
		struct span_run run = span_run_of(new);

		span_copy(old, &run);
	}
}

/* ---- The charge --------------------------------------------------------------- */

static bool charge_passes(const struct migration *m)
{
	return m->objcg && !m->new->objcg;
}

/* objcg_lock(). @new joins before @old leaves: the obj_cgroup always has one of them. */
static void pass_owner(struct slab *old, struct slab *new, struct obj_cgroup *objcg)
{
	span_set_objcg(new, objcg);
	span_set(new, SPAN_CHARGED);
	span_clear(old, SPAN_CHARGED);
	span_set_objcg(old, NULL);
}

/* Both BUSY, and nothing has changed yet. False if the difference is refused. */
static bool move_charge(const struct migration *m, struct charge *charge)
{
	bool passes;

	span_lru_del(m->old);
	lock(objcg_lock(m->objcg));
	passes = !m->more || charge_try(charge, m->more >> PAGE_SHIFT);
	if (passes) {
		if (m->more)
			__obj_cgroup_charged_span(m->objcg, m->more);
		pass_owner(m->old, m->new, m->objcg);
	}
	unlock(objcg_lock(m->objcg));
	span_lru_add(passes ? m->new : m->old);
	return passes;
}

/* ---- All ----------------------------------------------------------------------- */

/* In the order of their addresses, as others do who want both. */
static int isolate_both(const struct migration *m)
{
	struct slab *first = m->old < m->new ? m->old : m->new;
	struct slab *second = m->old < m->new ? m->new : m->old;
	int err = span_isolate(first);

	if (err)
		return err;
	err = span_isolate(second);
	if (err)
		span_putback(first);
	return err;
}

/* -EAGAIN: one is out, or has another owner; -ENOMEM: the charge was refused. */
static int migrate_busy(const struct migration *m, struct charge *charge)
{
	if (span_is_out(m->old) || span_is_out(m->new) || m->old->objcg != m->objcg)
		return -EAGAIN;
	if (charge_passes(m) && !move_charge(m, charge))
		return -ENOMEM;
	move_content(m->old, m->new);
	return 0;
}

static int migrate_once(const struct migration *m, struct charge *charge)
{
	int err = isolate_both(m);

	if (err)
		return err;
	err = migrate_busy(m, charge);
	span_putback(m->old);
	span_putback(m->new);
	return err;
}

/*
 * Whether it is worth another try; else *@err says why. What has to go for the charge may not
 * be @old: it would be brought in again, for which others go, and so on.
 */
static bool make_room(const struct migration *m, struct charge *charge, int *err)
{
	bool again;

	if (!span_pin(slab_span(m->old))) {
		*err = -errno;
		return false;
	}
	again = charge_again(charge);
	span_unpin(slab_span(m->old));
	return again;
}

static int migrate(const struct migration *m)
{
	struct charge charge;
	int err;

	if (!m->objcg)
		return migrate_once(m, NULL);
	charge_begin(&charge, m->objcg, GFP_NOFS, (uint64_t)m->more);
	do {
		err = migrate_once(m, &charge);
	} while (err == -ENOMEM && make_room(m, &charge, &err));
	charge_end(&charge);
	return err;
}

/*
 * What is out is brought back as for a pin; it may go again at once. But one may not go for the
 * other, which would go for it in the next round, and so on.
 */
static int bring_in(const struct migration *m)
{
	int err = 0;

	if (!span_is_out(m->old) && !span_is_out(m->new))
		return 0;
	if (!span_pin(slab_span(m->old)))
		return -errno;
	if (span_pin(slab_span(m->new)))
		span_unpin(slab_span(m->new));
	else
		err = -errno;
	span_unpin(slab_span(m->old));
	return err;
}

static bool is_held(const struct slab *span)
{
	return load_acquire(&span->kind) == SLAB_SPAN_HELD;
}

static int try_migrate(struct slab *old, struct slab *new)
{
	struct migration m = {.old = old, .new = new};
	int err = bring_in(&m);

	if (err)
		return err;
	m.more = (int64_t)(slab_bytes(new) - slab_bytes(old));
	m.objcg = span_get_objcg(old);
	err = migrate(&m);
	if (m.objcg)
		obj_cgroup_put(m.objcg);
	return err;
}

int mem_cgroup_migrate(struct span *old, struct span *new)
{
	int saved_errno = errno, err;

	if (old == new || !is_held(span_slab(old)) || !is_held(span_slab(new)) ||
	    span_size(new) < span_size(old))
		return -EINVAL;
	counters_own();
	rcu_take_in_thread();
	do {
		err = try_migrate(span_slab(old), span_slab(new));
	} while (err == -EAGAIN);
	memcg_charge_done(GFP_NOFS);
	errno = saved_errno;
	return err;
}
