/* SPDX-License-Identifier: MIT */
/*
 * For tests of swap: a swap file whose reads and writes fail as they are told, spans
 * that know what is in them, and all that is counted, before and after.
 */
#ifndef TESTS_SHRINKER_SWAPPER_H
#define TESTS_SHRINKER_SWAPPER_H

#include <cgslab/memcg.h>
#include <cgslab/span.h>

#define KIB(n)	 ((size_t)(n) << 10)
#define SPAN	 KIB(256) /* what spans have here, if nothing else is said */
#define PAGES(n) ((int64_t)((n) >> 12))

/* Swap is on, in a directory of its own; and the end of that. */
void swapper_begin(void);
void swapper_end(void);

/* The directory. */
extern char swapper_directory[];

/* What is to become of reads and writes. */
extern struct swapper {
	int write_error, read_error; /* errno; 0: none */
	size_t piece;		     /* no more at once; 0: all */
	void (*at_write)(void);	     /* called before one */
	void (*at_read)(void);
	unsigned int writes, reads; /* so many so far */
} swapper;

/* A span of @memcg, filled from @seed; and whether it is so still. */
struct span *swapper_span(struct mem_cgroup *memcg, size_t bytes, unsigned int seed);
void swapper_fill(struct span *span, unsigned int seed);
bool swapper_is_whole(struct span *span, unsigned int seed);

/* Whether its content is out. */
bool swapper_is_out(struct span *span);

/* By memory.reclaim: whether so much went out. */
bool swapper_reclaim(struct mem_cgroup *memcg, size_t bytes);

/* ---- All that is counted ---------------------------------------------------- */

enum number {
	CURRENT,
	PEAK,
	SPANS, /* in memory */
	SWAP,
	SWAP_PEAK,
	ENTRIES, /* what spans have there: changes as SWAP does */
	TRANSIT,
	ZSWAP,
	ZSWAPPED,
	PSWPIN,
	PSWPOUT,
	ZSWPIN,
	ZSWPOUT,
	ZSWPWB,
	MAX_EVENTS,
	OOM_EVENTS,
	SWAP_HIGH_EVENTS,
	SWAP_MAX_EVENTS,
	SWAP_FAIL_EVENTS,
	FILE_BYTES, /* of all groups: slots in the file */
	NR_NUMBERS
};

struct numbers {
	struct mem_cgroup *memcg;
	int64_t of[NR_NUMBERS];
};

struct change {
	enum number number;
	int64_t by;
};

/* The numbers of a group. The books of all groups must be right. */
struct numbers numbers_of(struct mem_cgroup *memcg);

/* One of them. */
int64_t swapper_number(struct mem_cgroup *memcg, enum number number);

/*
 * Fails unless just these numbers have changed since, in this way:
 *
 *	EXPECT_CHANGES(&before, {SWAP, SPAN}, {CURRENT, -SPAN});
 */
#define EXPECT_CHANGES(before, ...)                                                                \
	expect_changes(__FILE__, __LINE__, before, (const struct change[]){__VA_ARGS__},           \
		       sizeof((const struct change[]){__VA_ARGS__}) / sizeof(struct change))
#define EXPECT_NO_CHANGE(before) expect_changes(__FILE__, __LINE__, before, NULL, 0)

void expect_changes(const char *file, int line, const struct numbers *before,
		    const struct change *changes, size_t n);

#endif
