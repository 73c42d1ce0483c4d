/* SPDX-License-Identifier: MIT */
/*
 * Sorts eight times as much as there is memory for.
 *
 *	external_sort [--memory SIZE] [--size SIZE] [--dir DIRECTORY]
 *
 * The numbers lie in spans of a group that has memory.max. What nobody has pinned goes to a
 * file in DIRECTORY when the group is at its limit, the longest unpinned first, and comes back
 * when it is pinned: the sort allocates, pins and unpins, and knows nothing of files.
 *
 * A quarter of the memory at a time is filled with random numbers, sorted, and written to a
 * tape of its own. Then the tapes are merged into one. What comes out must be in order, and
 * the numbers that went in; the group must not have been above its limit.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>
#include <cgslab/span.h>

#define TIMES  8	    /* as much as there is memory for */
#define RUNS   4	    /* fill the memory */
#define BLOCKS 64	    /* in a run */
#define MERGED BLOCKS	    /* runs at most: one block of each is a quarter of the memory */
#define LEAST  (4ull << 20) /* memory */
#define PAGE   4096u
#define NUMBER sizeof(uint64_t)

static void *must(void *result, const char *what)
{
	if (result)
		return result;
	fprintf(stderr, "\nexternal_sort: ");
	perror(what);
	exit(1);
}

static void show(const char *what, uint64_t done, uint64_t all)
{
	static const char bar[] = "########################################";
	static int shown = -1;
	int percent = (int)(100 * done / all);

	if (percent == shown)
		return;
	shown = percent;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%-7s [%-40.*s] %3d%%%s", what, percent * 40 / 100, bar, percent,
			done == all ? "\n" : "");
}

/* ---- Tapes: written from the front to the end, and then read so, once ---------------- */

struct tape {
	struct span **blocks;
	size_t written, read; /* blocks */
	struct span *pinned;  /* the one that is written or read */
	uint64_t *pos, *end;  /* in it */
};

static size_t block_size;

static struct tape make_tape(size_t blocks)
{
	return (struct tape){.blocks = must(calloc(blocks, sizeof(struct span *)), "calloc")};
}

static void turn_to(struct tape *tape, struct span *block)
{
	if (tape->pinned)
		span_unpin(tape->pinned);
	tape->pinned = block;
	tape->pos = block ? must(span_pin(block), "span_pin") : NULL;
	tape->end = block ? tape->pos + block_size / NUMBER : NULL;
}

static void append(struct tape *tape, uint64_t number)
{
	if (tape->pos == tape->end) {
		struct span *block = span_alloc(block_size, GFP_KERNEL | SPAN_SWAPPABLE);

		tape->blocks[tape->written++] = must(block, "span_alloc");
		turn_to(tape, block);
	}
	*tape->pos++ = number;
}

/* Every block is full. What has been read is freed. False at the end. */
static bool take(struct tape *tape, uint64_t *number)
{
	if (tape->pos == tape->end) {
		struct span *done = tape->pinned;

		turn_to(tape, tape->read < tape->written ? tape->blocks[tape->read++] : NULL);
		span_put(done);
		if (!tape->pinned)
			return false;
	}
	*number = *tape->pos++;
	return true;
}

/* ---- The sort ------------------------------------------------------------------------- */

/* The same for the same numbers, whatever their order. */
struct sum {
	uint64_t numbers, total, hash;
};

static void add(struct sum *sum, uint64_t number)
{
	uint64_t hash = (number ^ number >> 31) * 0x9e3779b97f4a7c15;

	sum->numbers++;
	sum->total += number;
	sum->hash += hash ^ hash >> 29;
}

static uint64_t next_random(void)
{
	static uint64_t random = 1;

	random ^= random << 13;
	random ^= random >> 7;
	return random ^= random << 17;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void make_runs(struct tape *runs, size_t nr, struct sum *sum)
{
	size_t length = BLOCKS * block_size / NUMBER;
	uint64_t *numbers = must(malloc(BLOCKS * block_size), "malloc");

	for (size_t run = 0; run < nr; run++) {
		for (size_t i = 0; i < length; i++)
			add(sum, numbers[i] = next_random());
		qsort(numbers, length, NUMBER, compare);
		runs[run] = make_tape(BLOCKS);
		for (size_t i = 0; i < length; i++)
			append(&runs[run], numbers[i]);
		turn_to(&runs[run], NULL);
		show("sort", run + 1, nr);
	}
	free(numbers);
}

/* A heap: the least number of all tapes is in front. */
struct head {
	uint64_t number;
	struct tape *run;
};

static void sift_down(struct head *heap, size_t nr, size_t pos)
{
	struct head head = heap[pos];

	for (size_t child; (child = 2 * pos + 1) < nr; pos = child) {
		if (child + 1 < nr && heap[child + 1].number < heap[child].number)
			child++;
		if (head.number <= heap[child].number)
			break;
		heap[pos] = heap[child];
	}
	heap[pos] = head;
}

static struct tape merge(struct tape *runs, size_t nr)
{
	struct head *heap = must(calloc(nr, sizeof(*heap)), "calloc");
	struct tape out = make_tape(nr * BLOCKS);
	size_t left = nr;

	for (size_t i = nr; i--; sift_down(heap, nr, i)) {
		heap[i].run = &runs[i];
		take(&runs[i], &heap[i].number);
	}
	while (left) {
		append(&out, heap->number);
		if (!take(heap->run, &heap->number))
			heap[0] = heap[--left];
		if (left)
			sift_down(heap, left, 0);
		if (out.pos == out.end)
			show("merge", out.written, nr * BLOCKS);
	}
	turn_to(&out, NULL);
	for (size_t i = 0; i < nr; i++)
		free(runs[i].blocks);
	free(heap);
	return out;
}

/* Reads the tape to its end, and says whether it is as it should be. */
static bool verify(struct tape *tape, const struct sum *in)
{
	struct sum out = {0};
	uint64_t before = 0, number;

	while (take(tape, &number)) {
		if (number < before)
			return false;
		before = number;
		add(&out, number);
		if (tape->pos == tape->end)
			show("verify", out.numbers, in->numbers);
	}
	free(tape->blocks);
	return out.numbers == in->numbers && out.total == in->total && out.hash == in->hash;
}

/* ---- Beginning and end ------------------------------------------------------------------ */

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* Whether all went as promised. */
static bool report(struct mem_cgroup *memcg, uint64_t bytes, bool right)
{
	uint64_t max = mem_cgroup_max(memcg), peak = mem_cgroup_peak(memcg);

	if (!right)
		printf("the numbers are not in order, or not those that were sorted\n");
	if (peak > max)
		printf("the limit was passed: %.1fM of %.1fM\n", mib(peak), mib(max));
	if (!right || peak > max)
		return false;
	printf("sorted %.0fM in %.0fM: at most %.1fM of memory and %.1fM of the file\n", mib(bytes),
	       mib(max), mib(peak), mib(mem_cgroup_swap_peak(memcg)));
	return true;
}

static bool sort(struct mem_cgroup *memcg, size_t nr)
{
	struct tape *runs = must(calloc(nr, sizeof(*runs)), "calloc");
	struct sum sum = {0};
	struct tape sorted;
	bool right;

	make_runs(runs, nr, &sum);
	sorted = merge(runs, nr);
	free(runs);
	right = verify(&sorted, &sum);
	return report(memcg, sum.numbers * NUMBER, right);
}

/* 0 if it is none. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMG";
	char *end;
	uint64_t size = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (unit && !end[1])
		return size << 10 * (unit - units + 1);
	return *end ? 0 : size;
}

static struct options {
	uint64_t memory, size;
	const char *dir;
} options = {.memory = 64 << 20, .dir = "/var/tmp"};

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"memory", 1, NULL, 'm'}, {"size", 1, NULL, 's'}, {"dir", 1, NULL, 'd'}, {0}};
	bool sized = false;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'm')
			options.memory = parse_size(optarg);
		else if (option == 's')
			options.size = parse_size(optarg), sized = true;
		else if (option == 'd')
			options.dir = optarg;
		else
			return false;
	}
	if (!sized)
		options.size = TIMES * options.memory;
	return optind == argc && options.memory >= LEAST && options.memory <= UINT32_MAX &&
	       options.size && options.size <= options.memory * MERGED / RUNS;
}

int main(int argc, char **argv)
{
	struct mem_cgroup *memcg, *before;
	size_t runs;
	bool well;

	if (!parse_options(argc, argv))
		return fprintf(stderr,
			       "usage: external_sort [--memory SIZE] [--size SIZE] "
			       "[--dir DIRECTORY]\n"
			       "SIZE: of memory at least 4M; to sort at most 16 times that\n"),
		       2;
	block_size = options.memory / RUNS / BLOCKS / PAGE * PAGE;
	runs = (options.size + BLOCKS * block_size - 1) / (BLOCKS * block_size);
	memcg = must(mem_cgroup_create(NULL, "sort"), "mem_cgroup_create");
	if (mem_cgroup_set_max(memcg, options.memory))
		must(NULL, "mem_cgroup_set_max");
	errno = -span_swapon(options.dir, UINT64_MAX);
	if (errno)
		must(NULL, options.dir);
	before = set_active_memcg(memcg);
	well = sort(memcg, runs);
	set_active_memcg(before);
	mem_cgroup_rmdir(memcg);
	mem_cgroup_put(memcg);
	return well ? 0 : 1;
}
