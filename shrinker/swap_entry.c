/* SPDX-License-Identifier: MIT */
/*
 * Where the content of a span is while it is out: nowhere, if it is one word all over; else in
 * memory, packed, or in the file.
 */
#include <string.h>

#include "alloc/base/meta.h"
#include "alloc/slab/span.h"
#include "shrinker/zswap.h"

struct swap_entry *swap_entry_alloc(void)
{
	return meta_alloc(sizeof(struct swap_entry));
}

/*
 * Whether it is one word all over: if so it is the same when it is shifted by one. What is not
 * shows it in the first page as a rule. Pages that were never touched read as zero, and stay so.
 */
static bool is_filled(const char *data, size_t bytes)
{
	size_t rest = bytes - sizeof(uint64_t);

	return !memcmp(data, data + rest, sizeof(uint64_t)) &&
	       !memcmp(data, data + sizeof(uint64_t), rest);
}

static void fill(void *data, size_t bytes, uint64_t word)
{
	uint64_t *to = data;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = word;
}

int swap_entry_store(struct swap_entry *entry, const struct slab *span)
{
	size_t bytes = slab_bytes(span);
	int err;

	if (is_filled(span->start, bytes)) {
		memcpy(&entry->word, span->start, sizeof(entry->word));
		entry->where = SWAP_FILLED;
		return 0;
	}
	if (!zswap_store(entry, span))
		return 0;
	if (span_is_wanted(span))
		return -EAGAIN;
	err = swap_slot_write(&entry->slot, span->start, bytes);
	if (!err)
		entry->where = SWAP_FILE;
	return err;
}

int swap_entry_load(const struct swap_entry *entry, void *data, size_t bytes, bool zeroed)
{
	if (entry->length)
		return zswap_load(entry, data, bytes);
	if (entry->where == SWAP_FILE)
		return swap_slot_read(&entry->slot, data, bytes);
	if (entry->word || !zeroed)
		fill(data, bytes, entry->word);
	return 0;
}

void swap_entry_free(struct swap_entry *entry)
{
	if (entry->where == SWAP_FILE)
		swap_slot_free(&entry->slot);
	else if (entry->where == SWAP_PACKED)
		zswap_free(entry);
	meta_free(entry, sizeof(*entry));
}
