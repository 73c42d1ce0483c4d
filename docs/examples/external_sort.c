/* SPDX-License-Identifier: MIT */
/*
 * Sorts eight times as many numbers as its group may have in memory.
 *
 *	external_sort [--memory SIZE] [--dir DIRECTORY]
 *
 * They lie in spans. What nobody has pinned goes to a file in DIRECTORY when the group is at its
 * limit, the longest unpinned first, and comes back when it is pinned. First runs of a quarter of
 * the memory are sorted, and stored in blocks. Then they are merged: a block of each is pinned,
 * and one of the result. In the end the result must be in order, and have the same sum.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>
#include <cgslab/span.h>

#define RUNS   (8 * 4)
#define BLOCKS 64 /* in a run */

static struct span *runs[RUNS][BLOCKS], *result[RUNS * BLOCKS];
static size_t block_size, length; /* of a block: in bytes, in numbers */

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "external_sort: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* If it is not there yet, a new one. */
static uint64_t *pin(struct span **block)
{
	uint64_t *numbers = NULL;

	if (!*block)
		*block = span_alloc(block_size, GFP_KERNEL | SPAN_SWAPPABLE);
	if (*block)
		numbers = span_pin(*block);
	check(numbers ? 0 : -errno, "a block");
	return numbers;
}

/* Each block four times: it is stored, merged, as one of the result stored, and verified. */
static void unpin(struct span *block)
{
	static const char bar[] = "################################################";
	static int done, all = 4 * RUNS * BLOCKS;

	span_unpin(block);
	done++;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r[%-48.*s]%s", 48 * done / all, bar, done == all ? "\n" : "");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t make_runs(void)
{
	uint64_t *numbers = malloc(BLOCKS * block_size), sum = 0;

	check(numbers ? 0 : -errno, "malloc");
	for (size_t run = 0; run < RUNS; run++) {
		for (size_t i = 0; i < BLOCKS * length; i++)
			sum += numbers[i] = (uint64_t)random() << 32 | (uint64_t)random();
		qsort(numbers, BLOCKS * length, sizeof(*numbers), compare);
		for (size_t i = 0; i < BLOCKS; i++) {
			memcpy(pin(&runs[run][i]), numbers + i * length, block_size);
			unpin(runs[run][i]);
		}
	}
	free(numbers);
	return sum;
}

/* Of the next numbers of all runs the least; next[run] is NULL at the end. */
static uint64_t take_least(uint64_t *next[], size_t taken[])
{
	size_t run = RUNS, block;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < RUNS; i++)
		if (next[i] && *next[i] < least)
			least = *next[run = i];
	next[run]++;
	if (++taken[run] % length == 0) {
		block = taken[run] / length;
		unpin(runs[run][block - 1]);
		span_put(runs[run][block - 1]);
		next[run] = block < BLOCKS ? pin(&runs[run][block]) : NULL;
	}
	return least;
}

static void merge_runs(void)
{
	uint64_t *next[RUNS], *numbers;
	size_t taken[RUNS] = {0};

	for (size_t run = 0; run < RUNS; run++)
		next[run] = pin(&runs[run][0]);
	for (size_t block = 0; block < RUNS * BLOCKS; block++) {
		numbers = pin(&result[block]);
		for (size_t i = 0; i < length; i++)
			numbers[i] = take_least(next, taken);
		unpin(result[block]);
	}
}

static void verify(uint64_t sum)
{
	uint64_t before = 0, *numbers;

	for (size_t block = 0; block < RUNS * BLOCKS; block++) {
		numbers = pin(&result[block]);
		for (size_t i = 0; i < length; sum -= before, i++) {
			check(before <= numbers[i] ? 0 : -EILSEQ, "not in order");
			before = numbers[i];
		}
		unpin(result[block]);
		span_put(result[block]);
	}
	check(sum ? -EILSEQ : 0, "not the same numbers");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"memory", 1, NULL, 'm'}, {"dir", 1, NULL, 'd'}, {NULL, 0, NULL, 0}};
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "sort");
	const char *memory = "64M", *dir = "/var/tmp";
	uint64_t sum;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == '?')
			return 2; /* it has said what is wrong */
		*(option == 'm' ? &memory : &dir) = optarg;
	}
	check(memcg ? 0 : -errno, "mem_cgroup_create");
	check(mem_cgroup_write(memcg, "memory.max", memory), memory);
	check(span_swapon(dir, UINT64_MAX), dir);
	set_active_memcg(memcg);
	length = mem_cgroup_max(memcg) / 4 / BLOCKS / sizeof(uint64_t);
	block_size = length * sizeof(uint64_t);
	check(length ? 0 : -EINVAL, memory);
	sum = make_runs();
	merge_runs();
	verify(sum);
	check(mem_cgroup_peak(memcg) <= mem_cgroup_max(memcg) ? 0 : -EDQUOT, "limit passed");
	printf("sorted %zuM in %s: at most %.1fM of memory and %.1fM of swap\n",
	       RUNS * BLOCKS * block_size >> 20, memory, (double)mem_cgroup_peak(memcg) / (1 << 20),
	       (double)mem_cgroup_swap_peak(memcg) / (1 << 20));
	return 0;
}
