/* SPDX-License-Identifier: MIT */
/*
 * Parts of pages, for slabs that are smaller than one.
 *
 * A page of the kernel is cut into units; a part is a power of two of them, at
 * a multiple of its length, and shorter than the page. Which units are free is
 * a bitmap in the page's tag, which has no other use while the page is handed
 * out: what lies in a part may be overrun, so nothing of ours is there. Pages
 * with free units are on a list by the longest part that they can give, so that
 * all steps take constant time. The caller locks.
 */
#ifndef ALLOC_PAGES_PAGE_PARTS_H
#define ALLOC_PAGES_PAGE_PARTS_H

#include "alloc/pages/page_bins.h"

/* The most units of a page: bits of a tag's npages. */
#define PART_UNITS  32
#define PART_ORDERS 5

struct page_parts {
	struct page_tag *tags;	    /* as those of page_bins */
	uint32_t units;		    /* of each page: a power of two up to PART_UNITS */
	uint32_t head[PART_ORDERS]; /* first page that can give 2^order units, and no more */
	size_t nr_pages;	    /* that are cut */
};

/* A part of 2^@order units: its page, and the first unit in it. */
struct page_part {
	uint32_t page; /* 0: none */
	uint32_t unit;
};

/* Of a page that has some; page_parts_add() is due if there is none. */
struct page_part page_parts_take(struct page_parts *parts, unsigned int order);

/* A page to be cut; its tags are not those of a free run. */
void page_parts_add(struct page_parts *parts, uint32_t page);

/* Returns whether all of the page is free now: then it is not cut any more. */
bool page_parts_give(struct page_parts *parts, struct page_part part, unsigned int order);

/* Dies if the lists and bitmaps disagree. */
void page_parts_validate(const struct page_parts *parts);

#endif
