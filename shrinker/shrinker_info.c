/* SPDX-License-Identifier: MIT */
#include "shrinker/shrinker_info.h"

#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/base/meta.h"

/* Of a group that is gone: has no units, and gets none. */
static struct shrinker_info released;

static size_t info_size(uint32_t nr)
{
	return sizeof(struct shrinker_info) + nr * sizeof(((struct shrinker_info *)0)->units[0]);
}

/* The place of the first unit that is not below @index. */
static uint32_t info_search(const struct shrinker_info *info, uint32_t index)
{
	uint32_t low = 0, high = min_t(uint32_t, info->nr, index);

	/* They rise, so it is not behind @index; and there if all before it exist. */
	if (index < info->nr && info->units[index].index == index)
		return index;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (info->units[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct shrinker_info_unit *info_find(const struct shrinker_info *info, uint32_t index)
{
	uint32_t at;

	if (!info)
		return NULL;
	at = info_search(info, index);
	return at < info->nr && info->units[at].index == index ? info->units[at].unit : NULL;
}

/* ---- Growing ------------------------------------------------------------ */

static void info_free(struct shrinker_info *info)
{
	meta_free(info, info_size(info->nr));
}

static void info_free_rcu(struct rcu_head *rcu)
{
	info_free(container_of(rcu, struct shrinker_info, rcu));
}

/* The units of @old, which may be NULL, and @unit; or NULL. */
static struct shrinker_info *info_with(const struct shrinker_info *old,
				       struct shrinker_info_unit *unit)
{
	uint32_t nr = old ? old->nr : 0;
	uint32_t at = old ? info_search(old, unit->index) : 0;
	struct shrinker_info *info = meta_alloc(info_size(nr + 1));

	if (!info)
		return NULL;
	info->nr = nr + 1;
	for (uint32_t i = 0; i < nr; i++)
		info->units[i < at ? i : i + 1] = old->units[i];
	info->units[at].index = unit->index;
	info->units[at].unit = unit;
	return info;
}

/*
 * Puts an info with @unit in the place of that without one, and returns the unit;
 * or the one that another was first with; or NULL: no memory, or the group is gone.
 *
 * In the caller's RCU read section, so what was loaded is not freed, nor its address
 * used again, before the swap.
 */
static struct shrinker_info_unit *info_grow(struct mem_cgroup *memcg,
					    struct shrinker_info_unit *unit)
{
	struct shrinker_info *old = load_acquire(&memcg->shrinker_info), *info;
	struct shrinker_info_unit *found;

	for (;;) {
		found = info_find(old, unit->index);
		if (found || old == &released)
			return found;
		info = info_with(old, unit);
		if (!info)
			return NULL;
		/* Release pairs with the acquire of all that look. */
		if (cmpxchg_acq_rel(&memcg->shrinker_info, &old, info))
			break;
		info_free(info); /* nobody has seen it */
	}
	if (old)
		call_rcu(&old->rcu, info_free_rcu);
	return unit;
}

static struct shrinker_info_unit *make_unit(struct mem_cgroup *memcg, uint32_t index)
{
	struct shrinker_info_unit *unit = meta_alloc(sizeof(*unit)), *found;

	if (!unit)
		return NULL;
	unit->index = index;
	found = info_grow(memcg, unit);
	/* It has no bit yet: bits are set in what was published. */
	if (found != unit)
		meta_free(unit, sizeof(*unit));
	return found;
}

/* The unit for that id. RCU, or a reference. */
static struct shrinker_info_unit *unit_of(struct mem_cgroup *memcg, int id)
{
	uint32_t index = (uint32_t)id / SHRINKER_UNIT_IDS;
	/* Pairs with info_grow(). */
	struct shrinker_info_unit *unit = info_find(load_acquire(&memcg->shrinker_info), index);

	return likely(unit) ? unit : make_unit(memcg, index);
}

static struct shrinker_slot *slot_of(struct mem_cgroup *memcg, int id)
{
	struct shrinker_info_unit *unit = unit_of(memcg, id);

	return unit ? &unit->slots[id % SHRINKER_UNIT_IDS] : NULL;
}

int shrinker_info_reserve(struct mem_cgroup *memcg, int shrinker_id)
{
	bool there;

	rcu_read_lock();
	there = unit_of(memcg, shrinker_id);
	rcu_read_unlock();
	return there ? 0 : -ENOMEM;
}

/* ---- Bits --------------------------------------------------------------- */

#define LAST_UNITS 63u /* of memcg->shrinker_units: that and all after it */

static uint64_t units_bit(const struct shrinker_info_unit *unit)
{
	return 1ul << min_t(uint32_t, unit->index, LAST_UNITS);
}

/*
 * Setting and clearing change the one word, unit->map, so one comes after the other: if
 * the setting is first, the clearing has read what it wrote, and the count after that
 * finds the object that was added before; if it is second, the bit stays.
 *
 * Which units have bits is another word. All is seq_cst, so of two that meet, one sees
 * the other:
 *
 *	set_unit_bit()			clear_unit_bit()
 *	------------------------	------------------------
 *	set the bit in the map		the map has become empty:
 *	the unit has none:		clear the unit's
 *		set it			the map is not empty:
 *						set it again
 */
void set_unit_bit(struct mem_cgroup *memcg, struct shrinker_info_unit *unit, uint32_t offset)
{
	uint64_t bit = units_bit(unit);

	__atomic_fetch_or(&unit->map, 1u << offset, __ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&memcg->shrinker_units, __ATOMIC_SEQ_CST) & bit))
		__atomic_fetch_or(&memcg->shrinker_units, bit, __ATOMIC_SEQ_CST);
}

void clear_unit_bit(struct mem_cgroup *memcg, struct shrinker_info_unit *unit, uint32_t offset)
{
	uint64_t bit = units_bit(unit);

	if (__atomic_and_fetch(&unit->map, ~(1u << offset), __ATOMIC_SEQ_CST))
		return;
	if (unit->index >= LAST_UNITS)
		return;
	__atomic_fetch_and(&memcg->shrinker_units, ~bit, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&unit->map, __ATOMIC_SEQ_CST))
		__atomic_fetch_or(&memcg->shrinker_units, bit, __ATOMIC_SEQ_CST);
}

void set_shrinker_bit(struct mem_cgroup *memcg, int shrinker_id)
{
	struct shrinker_info_unit *unit;

	if (unlikely(shrinker_id < 0 || (uint32_t)shrinker_id >= shrinker_nr_ids()))
		die("set_shrinker_bit(): no shrinker has the id %d", shrinker_id);
	rcu_read_lock();
	unit = unit_of(memcg, shrinker_id);
	/* Pairs with the clearing in shrink_group(). */
	if (likely(unit))
		set_unit_bit(memcg, unit, (uint32_t)shrinker_id % SHRINKER_UNIT_IDS);
	rcu_read_unlock();
}

struct shrinker_info_unit *shrinker_info_next(struct mem_cgroup *memcg, uint32_t index)
{
	struct shrinker_info_unit *unit = NULL;
	const struct shrinker_info *info;
	uint32_t at;

	rcu_read_lock();
	info = load_acquire(&memcg->shrinker_info); /* pairs with info_grow() */
	if (info) {
		at = info_search(info, index);
		if (at < info->nr)
			unit = info->units[at].unit;
	}
	rcu_read_unlock();
	return unit;
}

struct shrinker_info_unit *shrinker_info_next_set(struct mem_cgroup *memcg, uint32_t index)
{
	/* Pairs with set_unit_bit(), of a unit that was published before. */
	uint64_t units = load_acquire(&memcg->shrinker_units);

	units &= ~0ul << min_t(uint32_t, index, LAST_UNITS);
	if (!units)
		return NULL;
	return shrinker_info_next(memcg, max_t(uint32_t, index, (uint32_t)__builtin_ctzl(units)));
}

/* ---- Deferred counts ---------------------------------------------------- */

/*
 * Adds to the deferred count of a group, or of an ancestor if it leaves:
 *
 *	shrinker_defer()		mem_cgroup_rmdir()
 *	----------------------		------------------------------
 *	add to the slot			leaving = true
 *	if leaving:			reparent_shrinker_deferred():
 *		take from the slot		take from the slot
 *		add to the parent's		add to the parent's
 *
 * Both change the one slot: if the taking comes second it takes what was added, if it
 * comes first the other has read what it wrote, and sees that the group leaves.
 * Whoever takes has it alone.
 */
void shrinker_defer(struct mem_cgroup *memcg, struct shrinker_slot *slot,
		    struct shrinker_body *body, unsigned long nr)
{
	for (;;) {
		shrinker_slot_add(slot, body->generation, nr);
		/* Pairs with the release in memcg_leave(). */
		if (likely(!load_acquire(&memcg->leaving)))
			return;
		nr = shrinker_slot_take(slot, body->generation);
		memcg = memcg->parent;
		slot = nr ? slot_of(memcg, body->shrinker.id) : NULL;
		if (!slot)
			return; /* no memory for a number: so be it */
	}
}

/*
 * The parent gets what is deferred for the present shrinker; before it is registered that is
 * nothing. It is held, for the word of a slot is the next one's as soon as it has used it.
 */
static void reparent_count(struct mem_cgroup *memcg, struct shrinker_slot *slot,
			   struct shrinker_body *body)
{
	struct shrinker_slot *parents;
	unsigned long nr;

	if (!shrinker_try_pin(body))
		return;
	nr = shrinker_slot_take(slot, body->generation);
	parents = nr ? slot_of(memcg->parent, body->shrinker.id) : NULL;
	if (parents)
		shrinker_defer(memcg->parent, parents, body, nr);
	shrinker_unpin(body);
}

static void reparent_slot(struct mem_cgroup *memcg, struct shrinker_info_unit *unit,
			  uint32_t offset)
{
	uint32_t id = unit->index * SHRINKER_UNIT_IDS + offset;
	struct shrinker_body *body;

	if (id >= shrinker_nr_ids())
		return;
	body = shrinker_by_id(id);
	rcu_read_lock();
	reparent_count(memcg, &unit->slots[offset], body);
	if (load_acquire(&unit->map) & 1u << offset && !shrinker_is_dead(body))
		set_shrinker_bit(memcg->parent, (int)id);
	rcu_read_unlock();
}

/* Before the units, so that who makes one from now on knows that the group leaves. */
static void info_close(struct mem_cgroup *memcg)
{
	/*
	 * A change that changes nothing: the next info is put in the place of what
	 * was read here, and who finds a unit there has seen what was before this. So of
	 * a unit that is missed below, shrinker_defer() takes itself what it adds.
	 */
	__atomic_fetch_add(&memcg->shrinker_info, 0, __ATOMIC_ACQ_REL);
}

void reparent_shrinker_deferred(struct mem_cgroup *memcg)
{
	struct shrinker_info_unit *unit;
	uint32_t index = 0;

	info_close(memcg);
	for (; (unit = shrinker_info_next(memcg, index)); index = unit->index + 1)
		for (uint32_t offset = 0; offset < SHRINKER_UNIT_IDS; offset++)
			reparent_slot(memcg, unit, offset);
}

/* ---- fork --------------------------------------------------------------- */

void shrinker_info_recover(struct mem_cgroup *memcg)
{
	uint32_t nr_ids = shrinker_nr_ids();
	struct shrinker_info_unit *unit;
	uint32_t index = 0;

	for (; (unit = shrinker_info_next(memcg, index)); index = unit->index + 1)
		for (uint32_t offset = 0; offset < SHRINKER_UNIT_IDS; offset++)
			if (unit->index * SHRINKER_UNIT_IDS + offset < nr_ids)
				set_unit_bit(memcg, unit, offset);
}

/* ---- The end ------------------------------------------------------------ */

static void info_free_units_rcu(struct rcu_head *rcu)
{
	struct shrinker_info *info = container_of(rcu, struct shrinker_info, rcu);

	for (uint32_t i = 0; i < info->nr; i++)
		meta_free(info->units[i].unit, sizeof(*info->units[i].unit));
	info_free(info);
}

void shrinker_info_release(struct mem_cgroup *memcg)
{
	/* Pairs with info_grow(), which gives up, or was first. */
	struct shrinker_info *info = atomic_xchg(&memcg->shrinker_info, &released);

	if (info && info != &released)
		call_rcu(&info->rcu, info_free_units_rcu);
}
