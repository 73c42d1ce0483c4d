/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_bins.h"

#define LINEAR	   16 /* lengths with a bin of their own */
#define STEPS_LOG2 3

/* Looked at in the bin whose runs may or may not be long enough. */
#define PROBES 8

unsigned int page_bins_bin(uint32_t npages)
{
	unsigned int log2, step;

	if (npages < LINEAR)
		return npages;
	log2 = log2_floor(npages);
	step = (npages >> (log2 - STEPS_LOG2)) & ((1u << STEPS_LOG2) - 1);
	return LINEAR + ((log2 - 4) << STEPS_LOG2) + step;
}

unsigned int page_bins_next(const struct page_bins *bins, unsigned int bin)
{
	for (unsigned int word = bin / 64; word < PAGE_BINS / 64; word++) {
		uint64_t bits = bins->nonempty[word];

		if (word == bin / 64)
			bits &= ~0ull << (bin % 64);
		if (bits)
			return word * 64 + (unsigned int)__builtin_ctzll(bits);
	}
	return PAGE_BINS;
}

unsigned int page_bins_last(const struct page_bins *bins, unsigned int bin)
{
	for (unsigned int word = (bin + 63) / 64; word--;) {
		uint64_t bits = bins->nonempty[word];

		if (word == bin / 64)
			bits &= (1ull << (bin % 64)) - 1;
		if (bits)
			return word * 64 + log2_floor(bits);
	}
	return PAGE_BINS;
}

void page_bins_add(struct page_bins *bins, uint32_t first, uint32_t npages, enum page_state state,
		   uint32_t now)
{
	unsigned int bin = page_bins_bin(npages);
	struct page_tag *tag = &bins->tags[first];
	struct page_tag *last = &bins->tags[first + npages - 1];

	last->npages = npages;
	last->state = state;
	tag->npages = npages;
	tag->state = state;
	tag->freed_at = now;
	tag->prev = 0;
	tag->next = bins->head[bin];
	if (tag->next)
		bins->tags[tag->next].prev = first;
	bins->head[bin] = first;
	bins->nonempty[bin / 64] |= 1ull << (bin % 64);
	bins->npages += npages;
}

void page_bins_del(struct page_bins *bins, uint32_t first)
{
	struct page_tag *tag = &bins->tags[first];
	struct page_tag *last = &bins->tags[first + tag->npages - 1];
	unsigned int bin = page_bins_bin(tag->npages);

	if (tag->next)
		bins->tags[tag->next].prev = tag->prev;
	if (tag->prev)
		bins->tags[tag->prev].next = tag->next;
	else
		bins->head[bin] = tag->next;
	if (!bins->head[bin])
		bins->nonempty[bin / 64] &= ~(1ull << (bin % 64));
	bins->npages -= tag->npages;
	last->state = PAGE_USED;
	tag->state = PAGE_USED;
}

uint32_t page_bins_find(const struct page_bins *bins, uint32_t npages)
{
	unsigned int bin = page_bins_bin(npages);
	uint32_t first = bins->head[bin];

	for (int i = 0; first && i < PROBES; i++) {
		if (bins->tags[first].npages >= npages)
			return first;
		first = bins->tags[first].next;
	}
	bin = page_bins_next(bins, bin + 1);
	return bin < PAGE_BINS ? bins->head[bin] : 0;
}
