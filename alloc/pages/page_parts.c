/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_parts.h"

#include "alloc/base/message.h"

#define NO_ORDER PART_ORDERS

static uint32_t all_units(const struct page_parts *parts)
{
	return ~0u >> (PART_UNITS - parts->units);
}

/* The units at which 2^@order free ones begin, at a multiple of that. */
static uint32_t starts(uint32_t free, unsigned int order)
{
	static const uint32_t multiples[PART_ORDERS + 1] = {
		0xffffffff, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 0x00000001,
	};

	for (unsigned int i = 0; i < order; i++)
		free &= free >> (1u << i);
	return free & multiples[order];
}

/* The longest part in @free; NO_ORDER if there is none. */
static unsigned int longest(uint32_t free)
{
	unsigned int order = PART_ORDERS;

	while (order-- && !starts(free, order))
		;
	return free ? order : NO_ORDER;
}

/* A start at which no longer part is broken, if there is one. */
static uint32_t choose(uint32_t free, unsigned int order)
{
	uint32_t all = starts(free, order);
	uint32_t longer = starts(free, order + 1);
	uint32_t apart = all & ~(longer | longer << (1u << order));

	return (uint32_t)__builtin_ctz(apart ? apart : all);
}

static uint32_t units_of(uint32_t unit, unsigned int order)
{
	return (~0u >> (PART_UNITS - (1u << order))) << unit;
}

/* ---- The lists ------------------------------------------------------------- */

static void list_page(struct page_parts *parts, uint32_t page)
{
	struct page_tag *tag = &parts->tags[page];
	unsigned int order = longest(tag->npages);

	if (order == NO_ORDER)
		return;
	tag->prev = 0;
	tag->next = parts->head[order];
	if (tag->next)
		parts->tags[tag->next].prev = page;
	parts->head[order] = page;
}

static void unlist_page(struct page_parts *parts, uint32_t page)
{
	struct page_tag *tag = &parts->tags[page];
	unsigned int order = longest(tag->npages);

	if (order == NO_ORDER)
		return;
	if (tag->next)
		parts->tags[tag->next].prev = tag->prev;
	if (tag->prev)
		parts->tags[tag->prev].next = tag->next;
	else
		parts->head[order] = tag->next;
}

static void set_free(struct page_parts *parts, uint32_t page, uint32_t free)
{
	bool moves = longest(free) != longest(parts->tags[page].npages);

	if (moves)
		unlist_page(parts, page);
	parts->tags[page].npages = free;
	if (moves)
		list_page(parts, page);
}

/* ---- Pages and parts --------------------------------------------------------- */

void page_parts_add(struct page_parts *parts, uint32_t page)
{
	parts->nr_pages++;
	parts->tags[page].npages = all_units(parts);
	list_page(parts, page);
}

struct page_part page_parts_take(struct page_parts *parts, unsigned int order)
{
	struct page_part part = {0};
	uint32_t free;

	for (unsigned int i = order; i < PART_ORDERS && !part.page; i++)
		part.page = parts->head[i];
	if (!part.page)
		return part;
	free = parts->tags[part.page].npages;
	part.unit = choose(free, order);
	set_free(parts, part.page, free & ~units_of(part.unit, order));
	return part;
}

bool page_parts_give(struct page_parts *parts, struct page_part part, unsigned int order)
{
	uint32_t free = parts->tags[part.page].npages | units_of(part.unit, order);

	if (free != all_units(parts)) {
		set_free(parts, part.page, free);
		return false;
	}
	unlist_page(parts, part.page);
	parts->nr_pages--;
	return true;
}

void page_parts_validate(const struct page_parts *parts)
{
	for (unsigned int order = 0; order < PART_ORDERS; order++) {
		uint32_t prev = 0;

		for (uint32_t page = parts->head[order]; page; page = parts->tags[page].next) {
			const struct page_tag *tag = &parts->tags[page];

			if (tag->prev != prev || tag->state != PAGE_USED ||
			    longest(tag->npages) != order || tag->npages & ~all_units(parts))
				die("page %u with parts %x: bad tag", page, tag->npages);
			prev = page;
		}
	}
}
