/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_run.h"

#include <errno.h>
#include <string.h>

#include "alloc/base/lock.h"
#include "alloc/base/message.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_bins.h"
#include "alloc/pages/page_decay.h"
#include "alloc/pages/page_huge.h"
#include "alloc/pages/page_map.h"
#include "alloc/pages/page_parts.h"
#include "alloc/pages/page_purger.h"

#define AREA_RESERVE (1ul << 40)
#define AREA_LEAST   (1ul << 30)
#define COMMIT_LEAST (1ul << 20)
#define COMMIT_MOST  (64ul << 20)

/* From so many pages on alloc_joined() is worth its search, of so many dirty runs. */
#define JOIN_LEAST  16
#define JOIN_PROBES 16

/* So many free runs in a row are taken together. */
#define JOIN_RUNS 8

/* With so many dirty pages a thread to purge them is worth its while. */
#define PURGER_LEAST ((4ul << 20) >> PAGE_SHIFT)

/* With so many used ones a process with threads gets it ready. */
#define PURGER_EARLY ((16ul << 20) >> PAGE_SHIFT)

/* It purges so many pages, before it lets others have the lock. */
#define PURGER_STEP 1024

struct page_map page_map;

static struct lock page_run_lock = LOCK_INIT(LOCK_RANK_PAGES);

/* All below: page_run_lock. */
static struct os_area page_area;
static struct os_area handle_area;
static struct os_area tag_area;
static struct page_tag *tags;
static struct page_bins dirty_bins, zero_bins;
static struct page_parts page_parts;
static uint32_t top = 1; /* pages from here on were never handed out */
static size_t pages_used;
static struct page_decay page_decay;

/* Const after page_runs_init(): */
static size_t kernel_page; /* os_page_size() */
static size_t part_unit;   /* the shortest part of one */

static void *page_addr(uint32_t page)
{
	return page_area.base + ((size_t)page << PAGE_SHIFT);
}

/* The kernel gives and takes whole pages of its own. */
static size_t whole_pages(size_t npages)
{
	return round_up_to(npages << PAGE_SHIFT, kernel_page) >> PAGE_SHIFT;
}

static uint32_t page_number(const void *addr)
{
	return (uint32_t)((size_t)((const char *)addr - page_area.base) >> PAGE_SHIFT);
}

static struct page_bins *bins_of(enum page_state state)
{
	return state == PAGE_DIRTY ? &dirty_bins : &zero_bins;
}

/* The page map's, of so many pages. */
static size_t handle_bytes(size_t npages)
{
	return (npages << (PAGE_SHIFT - GRAIN_SHIFT)) * sizeof(*page_map.handles);
}

int page_runs_init(void)
{
	size_t pages;

	if (os_area_init(&page_area, AREA_RESERVE, AREA_LEAST))
		return -ENOMEM;
	pages = page_area.reserved >> PAGE_SHIFT;
	if (os_area_init(&handle_area, handle_bytes(pages), PAGE_SIZE) ||
	    os_area_init(&tag_area, pages * sizeof(struct page_tag), PAGE_SIZE))
		return -ENOMEM;
	tags = (struct page_tag *)tag_area.base;
	dirty_bins.tags = tags;
	zero_bins.tags = tags;
	page_parts.tags = tags;
	page_map.base = page_area.base;
	page_map.handles = (uint32_t *)handle_area.base;
	/* Page 0 stands for "none" in the lists; kernel pages may be larger. */
	kernel_page = os_page_size();
	part_unit = max_t(size_t, GRAIN_SIZE, kernel_page / PART_UNITS);
	page_parts.units = (uint32_t)(kernel_page / part_unit);
	top = (uint32_t)(kernel_page >> PAGE_SHIFT);
	return 0;
}

/* Makes @pages pages usable, counted from the start, with their tags. */
static int commit_pages(size_t pages)
{
	size_t size = pages << PAGE_SHIFT;
	size_t wanted;

	if (size <= page_area.committed)
		return 0;
	if (size > page_area.reserved)
		return -ENOMEM;
	wanted = page_area.committed / 8;
	wanted = min_t(size_t, max_t(size_t, wanted, COMMIT_LEAST), COMMIT_MOST);
	wanted = min_t(size_t, page_area.committed + wanted, page_area.reserved);
	for (size_t try = max_t(size_t, wanted, size);; try = size) {
		size_t n = round_up_to(try, kernel_page) >> PAGE_SHIFT;

		/* One tag more: the page after the last is looked at. */
		if (!os_area_commit(&handle_area, handle_bytes(n)) &&
		    !os_area_commit(&tag_area, (n + 1) * sizeof(*tags)) &&
		    !os_area_commit(&page_area, n << PAGE_SHIFT))
			break;
		if (try == size)
			return -ENOMEM;
	}
	WRITE_ONCE(page_map.size, page_area.committed);
	return 0;
}

/*
 * Puts [@first, @first + @npages) into the bins of @state, joined with free
 * neighbours of the same state.
 */
static void insert_run(uint32_t first, uint32_t npages, enum page_state state, uint32_t now)
{
	struct page_bins *bins = bins_of(state);
	struct page_tag *left = &tags[first - 1];
	struct page_tag *right = &tags[first + npages];

	if (left->state == state) {
		uint32_t n = left->npages;

		page_bins_del(bins, first - n);
		first -= n;
		npages += n;
	}
	if (first + npages < top && right->state == state) {
		uint32_t n = right->npages;

		page_bins_del(bins, first + npages);
		npages += n;
	}
	page_bins_add(bins, first, npages, state, now);
}

/* Where a run may begin: @skew bytes behind a multiple of @align. */
struct place {
	size_t align; /* a power of two, and a page of the kernel's at least */
	size_t skew;
};

/* The first such place, from @page on. */
static uint32_t next_place(uint32_t page, struct place place)
{
	size_t addr = round_up_to((size_t)page_addr(page) - place.skew, place.align) + place.skew;

	return page_number((void *)addr);
}

/* The part of a free run that lies at such a place, or 0. */
static uint32_t placed_start(uint32_t first, uint32_t npages, uint32_t want, struct place place)
{
	uint32_t start = next_place(first, place);

	return start + want <= first + npages ? start : 0;
}

/* Takes @npages at @start out of the free run at @first; the rest stays free. */
static void take_from(struct page_bins *bins, uint32_t first, uint32_t start, uint32_t npages)
{
	enum page_state state = tags[first].state;
	uint32_t end = first + tags[first].npages;
	uint32_t freed_at = tags[first].freed_at;

	page_bins_del(bins, first);
	if (start > first)
		page_bins_add(bins, first, start - first, state, freed_at);
	if (end > start + npages)
		page_bins_add(bins, start + npages, end - start - npages, state, freed_at);
	tags[start].state = PAGE_USED;
	tags[start + npages - 1].state = PAGE_USED;
}

static uint32_t alloc_from_bins(struct page_bins *bins, uint32_t npages, struct place place)
{
	/* A run that fits wherever it starts. */
	uint32_t slack = (uint32_t)((place.align >> PAGE_SHIFT) - 1);
	uint32_t first = page_bins_find(bins, npages);
	uint32_t start;

	if (!first)
		return 0;
	start = placed_start(first, tags[first].npages, npages, place);
	if (!start) {
		first = page_bins_find(bins, npages + slack);
		if (!first)
			return 0;
		start = placed_start(first, tags[first].npages, npages, place);
	}
	take_from(bins, first, start, npages);
	return start;
}

/*
 * Whether @npages from @page on are free, in whatever runs; @page begins a run or
 * is the first of none. *@zeroed: whether all of them read as zero.
 */
static bool is_free(uint32_t page, uint32_t npages, bool *zeroed)
{
	uint32_t n = 0;

	*zeroed = true;
	for (int i = 0; n < npages && i < JOIN_RUNS; i++) {
		if (page + n == top)
			return !commit_pages((size_t)page + npages);
		if (tags[page + n].state == PAGE_USED)
			return false;
		*zeroed &= tags[page + n].state == PAGE_ZERO;
		n += tags[page + n].npages;
	}
	return n >= npages;
}

/* Takes what is_free() found. */
static void take_all(uint32_t page, uint32_t npages)
{
	while (npages) {
		uint32_t n;

		if (page == top) {
			n = npages;
			top += n;
			tags[page].state = PAGE_USED;
			tags[top - 1].state = PAGE_USED;
		} else {
			n = min_t(uint32_t, npages, tags[page].npages);
			take_from(bins_of(tags[page].state), page, page, n);
		}
		page += n;
		npages -= n;
	}
}

/*
 * A long dirty run and what is free behind it: otherwise that run would stay
 * idle, and as many fresh pages become resident.
 */
static uint32_t alloc_joined(uint32_t npages)
{
	unsigned int bin = PAGE_BINS;
	int probes = 0;
	bool zeroed;

	while ((bin = page_bins_last(&dirty_bins, bin)) < PAGE_BINS) {
		uint32_t first = dirty_bins.head[bin];

		for (; first; first = tags[first].next) {
			if (probes++ == JOIN_PROBES)
				return 0;
			if (!is_free(first, npages, &zeroed))
				continue;
			take_all(first, npages);
			return first;
		}
	}
	return 0;
}

static uint32_t alloc_from_top(uint32_t npages, struct place place)
{
	uint32_t start = next_place(top, place);
	uint32_t old_top = top;

	if (commit_pages((size_t)start + npages))
		return 0;
	top = start + npages;
	tags[start].state = PAGE_USED;
	tags[top - 1].state = PAGE_USED;
	if (start > old_top)
		insert_run(old_top, start - old_top, PAGE_ZERO, 0);
	return start;
}

/* Up to @most pages of a dirty run: back to the kernel, and over to the zero runs. */
static size_t purge_run(uint32_t first, size_t most)
{
	uint32_t npages = (uint32_t)min_t(size_t, tags[first].npages, most);

	take_from(&dirty_bins, first, first, npages);
	os_purge(page_addr(first), (size_t)npages << PAGE_SHIFT);
	insert_run(first, npages, PAGE_ZERO, 0);
	return npages;
}

/*
 * Purges up to @most pages that were freed @age ticks ago or before, as long as
 * more than @keep pages are dirty. Returns how many.
 */
static size_t purge_older(uint32_t now, uint32_t age, size_t keep, size_t most)
{
	unsigned int bin = PAGE_BINS;
	size_t purged = 0;

	/* The longest first: one call to the kernel for each. */
	while ((bin = page_bins_last(&dirty_bins, bin)) < PAGE_BINS) {
		uint32_t first = dirty_bins.head[bin];

		while (first) {
			uint32_t next = tags[first].next;

			if (dirty_bins.npages <= keep || purged == most)
				return purged;
			if (ticks_passed(now, tags[first].freed_at, age))
				purged += purge_run(first, most - purged);
			first = next;
		}
	}
	return purged;
}

static size_t purge_all(void)
{
	return purge_older(page_ticks(), 0, 0, SIZE_MAX);
}

/* The oldest go first where there is too much. */
static void decay(uint32_t now)
{
	size_t most = page_decay_limit(&page_decay, pages_used);

	if (dirty_bins.npages > most) {
		size_t keep = most - most / 4;

		for (uint32_t age = DECAY_TICKS / 2; age && dirty_bins.npages > keep; age /= 2)
			purge_older(now, age, keep, SIZE_MAX);
		purge_older(now, 0, keep, SIZE_MAX);
	}
	if (!page_purger_runs() && page_decay_due(&page_decay, now))
		purge_older(now, DECAY_TICKS, 0, SIZE_MAX);
}

static void count_used(size_t npages)
{
	pages_used += npages;
	page_decay_note(&page_decay, pages_used);
	if (unlikely(pages_used >= PURGER_EARLY))
		page_purger_prepare();
}

/* One that reads as zero. page_run_lock. */
static uint32_t alloc_fresh(uint32_t n, struct place place)
{
	uint32_t start = alloc_from_bins(&zero_bins, n, place);

	if (!start)
		start = alloc_from_top(n, place);
	if (!start && dirty_bins.npages) {
		/* Dirty and zero neighbours join only now. */
		purge_all();
		start = alloc_from_bins(&zero_bins, n, place);
	}
	return start;
}

/* @fresh: where one that reads as zero is to begin. page_run_lock. */
static uint32_t alloc_run(uint32_t n, struct place place, struct place fresh, bool *zeroed)
{
	uint32_t start = alloc_from_bins(&dirty_bins, n, place);

	if (!start && n >= JOIN_LEAST && place.align == kernel_page)
		start = alloc_joined(n);
	*zeroed = !start;
	if (!start)
		start = alloc_fresh(n, fresh);
	if (start)
		count_used(n);
	return start;
}

/* Whether there is so much at all. */
static bool is_too_long(size_t npages, struct place place)
{
	return npages + (place.align >> PAGE_SHIFT) > page_area.reserved >> PAGE_SHIFT;
}

static void *lock_and_alloc_run(size_t npages, struct place place, struct place fresh, bool *zeroed)
{
	uint32_t start;

	npages = whole_pages(npages);
	if (is_too_long(npages, place) || is_too_long(npages, fresh))
		return NULL;
	lock(&page_run_lock);
	start = alloc_run((uint32_t)npages, place, fresh, zeroed);
	unlock(&page_run_lock);
	return start ? page_addr(start) : NULL;
}

void *page_run_alloc(size_t npages, size_t align, bool *zeroed)
{
	struct place place = {.align = max_t(size_t, align, kernel_page)};

	return lock_and_alloc_run(npages, place, place, zeroed);
}

static struct place place_like(const void *addr)
{
	size_t align = max_t(size_t, HUGE_SIZE, kernel_page);

	return (struct place){.align = align, .skew = (size_t)addr & (align - 1)};
}

void *page_run_alloc_like(const void *like, size_t npages, bool *zeroed)
{
	struct place anywhere = {.align = kernel_page};

	return lock_and_alloc_run(npages, anywhere, place_like(like), zeroed);
}

void *page_run_alloc_fresh(const void *like, size_t npages)
{
	struct place place = place_like(like);
	uint32_t start;

	npages = whole_pages(npages);
	if (is_too_long(npages, place))
		return NULL;
	lock(&page_run_lock);
	start = alloc_fresh((uint32_t)npages, place);
	if (start)
		count_used(npages);
	unlock(&page_run_lock);
	return start ? page_addr(start) : NULL;
}

size_t page_runs_most(void)
{
	return page_area.reserved >> PAGE_SHIFT;
}

/*
 * @idle: for so many ticks already. page_run_lock. Returns whether page_purger_want()
 * is due, without the lock.
 */
static bool free_run(uint32_t first, size_t npages, enum page_state state, uint32_t now,
		     uint32_t idle)
{
	page_decay_roll(&page_decay, now, pages_used);
	pages_used -= npages;
	insert_run(first, (uint32_t)npages, state, (now - idle) & TICK_MASK);
	decay(now);
	return dirty_bins.npages >= PURGER_LEAST && page_purger_rests();
}

static void lock_and_free_run(void *addr, size_t npages, enum page_state state, uint32_t idle)
{
	uint32_t now = page_ticks();
	bool want_purger;

	lock(&page_run_lock);
	want_purger = free_run(page_number(addr), whole_pages(npages), state, now, idle);
	unlock(&page_run_lock);
	if (unlikely(want_purger))
		page_purger_want();
}

void page_run_free(void *addr, size_t npages)
{
	lock_and_free_run(addr, npages, PAGE_DIRTY, 0);
}

void page_run_free_idle(void *addr, size_t npages)
{
	lock_and_free_run(addr, npages, PAGE_DIRTY, DECAY_TICKS);
}

void page_run_free_moved(void *addr, size_t npages)
{
	os_renew(addr, npages << PAGE_SHIFT);
	lock_and_free_run(addr, npages, PAGE_ZERO, 0);
}

bool page_run_extend(void *addr, size_t npages, size_t more, bool *zeroed)
{
	uint32_t end = page_number(addr) + (uint32_t)npages;
	bool done;

	lock(&page_run_lock);
	done = is_free(end, (uint32_t)more, zeroed);
	if (done) {
		take_all(end, (uint32_t)more);
		count_used(more);
	}
	unlock(&page_run_lock);
	return done;
}

/* ---- Parts of pages ------------------------------------------------------ */

size_t page_run_round(size_t bytes)
{
	if (bytes > kernel_page / 2)
		return round_up_to(bytes, kernel_page);
	return bytes <= part_unit ? part_unit : 2ul << log2_floor(bytes - 1);
}

static unsigned int part_order(size_t bytes)
{
	return log2_floor(bytes / part_unit);
}

void *page_part_alloc(size_t bytes)
{
	struct page_part part;
	bool zeroed;

	lock(&page_run_lock);
	part = page_parts_take(&page_parts, part_order(bytes));
	if (!part.page) {
		struct place anywhere = {.align = kernel_page};
		uint32_t page = alloc_run((uint32_t)whole_pages(1), anywhere, anywhere, &zeroed);

		if (page) {
			page_parts_add(&page_parts, page);
			part = page_parts_take(&page_parts, part_order(bytes));
		}
	}
	unlock(&page_run_lock);
	return part.page ? (char *)page_addr(part.page) + part.unit * part_unit : NULL;
}

void page_part_free(void *addr, size_t bytes)
{
	size_t in_page = (size_t)((char *)addr - page_area.base) & (kernel_page - 1);
	uint32_t page = page_number((char *)addr - in_page);
	uint32_t unit = (uint32_t)(in_page / part_unit);
	bool want_purger = false;

	lock(&page_run_lock);
	if (page_parts_give(&page_parts, (struct page_part){page, unit}, part_order(bytes)))
		want_purger = free_run(page, whole_pages(1), PAGE_DIRTY, page_ticks(), 0);
	unlock(&page_run_lock);
	if (unlikely(want_purger))
		page_purger_want();
}

/* ---- Back to the kernel ---------------------------------------------------- */

void page_runs_decay(bool may_rest)
{
	uint32_t now = page_ticks();
	size_t purged;

	do {
		lock(&page_run_lock);
		purged = purge_older(now, DECAY_TICKS, 0, PURGER_STEP);
		/* Under the lock: who frees pages later shall see it. */
		if (may_rest && !dirty_bins.npages)
			page_purger_rest();
		unlock(&page_run_lock);
	} while (purged == PURGER_STEP);
}

size_t page_runs_purge(void)
{
	size_t purged;

	lock(&page_run_lock);
	purged = purge_all();
	unlock(&page_run_lock);
	return purged << PAGE_SHIFT;
}

size_t page_runs_purge_some(size_t npages)
{
	size_t purged = 0, step;

	do {
		lock(&page_run_lock);
		step = purge_older(page_ticks(), 0, 0, min_t(size_t, npages - purged, PURGER_STEP));
		unlock(&page_run_lock);
		purged += step;
	} while (step == PURGER_STEP && purged < npages);
	return purged;
}

/* ---- Huge pages ------------------------------------------------------------ */

uint32_t page_runs_huge(void)
{
	uint32_t huge;

	lock(&page_run_lock);
	huge = (uint32_t)((top + HUGE_PAGES - 1) / HUGE_PAGES);
	unlock(&page_run_lock);
	return huge;
}

/* page_run_lock. */
static void count_huge(struct page_huge_map *map)
{
	memset(map->free, 0, map->nr * sizeof(*map->free));
	page_huge_count(map, &dirty_bins);
	page_huge_count(map, &zero_bins);
}

void page_runs_count_huge(struct page_huge_map *map)
{
	lock(&page_run_lock);
	count_huge(map);
	unlock(&page_run_lock);
}

/* Dirty runs first: what goes there makes nothing resident that was not. */
void *page_run_alloc_low(const struct page_huge_map *map, size_t npages, const void *end)
{
	uint32_t n = (uint32_t)whole_pages(npages);
	struct page_bins *bins = &dirty_bins;
	uint32_t start, run;

	lock(&page_run_lock);
	start = page_huge_find_low(map, bins, n, page_number(end), &run);
	if (!start) {
		bins = &zero_bins;
		start = page_huge_find_low(map, bins, n, page_number(end), &run);
	}
	if (start) {
		take_from(bins, run, start, n);
		count_used(n);
	}
	unlock(&page_run_lock);
	return start ? page_addr(start) : NULL;
}

/* Returns how many pages were purged; *@huge: in so many huge pages more. page_run_lock. */
static size_t purge_part(struct page_huge_map *map, uint32_t first, uint32_t *huge)
{
	uint32_t npages;
	uint32_t start = page_huge_free_part(map, &dirty_bins, first, &npages);

	if (!start)
		return 0;
	*huge += page_huge_note_purged(map, start, npages);
	take_from(&dirty_bins, first, start, npages);
	os_purge(page_addr(start), (size_t)npages << PAGE_SHIFT);
	insert_run(start, npages, PAGE_ZERO, 0);
	return npages;
}

/* Up to PURGER_STEP pages, or one run; whether there may be more. page_run_lock. */
static bool purge_huge_step(struct page_huge_map *map, uint32_t *huge)
{
	unsigned int bin = PAGE_BINS;
	size_t purged = 0;

	while ((bin = page_bins_last(&dirty_bins, bin)) < PAGE_BINS) {
		uint32_t first = dirty_bins.head[bin];

		while (first) {
			uint32_t next = tags[first].next;

			purged += purge_part(map, first, huge);
			if (purged >= PURGER_STEP)
				return true;
			first = next;
		}
	}
	return false;
}

uint32_t page_runs_purge_huge(struct page_huge_map *map)
{
	uint32_t huge = 0;
	bool more;

	page_runs_count_huge(map);
	do { /* what was free may be in use by now: then it is not dirty */
		lock(&page_run_lock);
		more = purge_huge_step(map, &huge);
		unlock(&page_run_lock);
	} while (more);
	return huge;
}

void page_runs_stats(struct page_run_stats *stats)
{
	lock(&page_run_lock);
	stats->used = pages_used;
	stats->dirty = dirty_bins.npages;
	stats->mapped = page_area.committed >> PAGE_SHIFT;
	unlock(&page_run_lock);
}

static size_t validate_bins(const struct page_bins *bins, enum page_state state)
{
	size_t npages = 0;

	for (unsigned int bin = 0; bin < PAGE_BINS; bin++) {
		for (uint32_t first = bins->head[bin]; first; first = tags[first].next) {
			const struct page_tag *tag = &tags[first];
			const struct page_tag *last = tag + tag->npages - 1;

			if (tag->state != state || last->state != state ||
			    last->npages != tag->npages || tag[-1].state == state)
				die("page run %u of %u pages: bad tags", first, tag->npages);
			npages += tag->npages;
		}
	}
	if (npages != bins->npages)
		die("page bins hold %zu pages, not %zu", npages, bins->npages);
	return npages;
}

void page_runs_validate(void)
{
	size_t free_pages, first = kernel_page >> PAGE_SHIFT;

	lock(&page_run_lock);
	free_pages = validate_bins(&dirty_bins, PAGE_DIRTY) + validate_bins(&zero_bins, PAGE_ZERO);
	if (first + pages_used + free_pages != top)
		die("page runs: %zu used and %zu free of %u", pages_used, free_pages, top);
	page_parts_validate(&page_parts);
	unlock(&page_run_lock);
}

void page_runs_release_reserve(void)
{
	lock(&page_run_lock);
	os_area_release(&page_area);
	os_area_release(&handle_area);
	os_area_release(&tag_area);
	unlock(&page_run_lock);
}

void page_runs_fork_prepare(void)
{
	lock(&page_run_lock);
}

void page_runs_fork_done(void)
{
	unlock(&page_run_lock);
}
