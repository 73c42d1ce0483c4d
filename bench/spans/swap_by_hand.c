/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/spans/swap.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

static struct {
	const struct plan *plan;
	int fd;
	uint64_t room;		/* in the file, in blocks: a ring */
	char **blocks;		/* in memory: a ring, too */
	uint64_t nr;		/* of them */
	uint64_t written, read; /* blocks */
} by_hand;

static char **block(uint64_t pos)
{
	return &by_hand.blocks[pos % by_hand.nr];
}

static off_t offset(uint64_t pos)
{
	return (off_t)(pos % by_hand.room * by_hand.plan->size);
}

static char *must_malloc(void)
{
	char *start = malloc(by_hand.plan->size);

	if (!start)
		workload_fail("no block");
	return start;
}

static void write_block(uint64_t pos, bool frees)
{
	size_t size = by_hand.plan->size;

	if (pwrite(by_hand.fd, *block(pos), size, offset(pos)) != (ssize_t)size)
		workload_fail("it cannot be written");
	if (frees)
		free(*block(pos));
}

double by_hand_write(void)
{
	size_t nr = by_hand.plan->step / by_hand.plan->size;
	double start;

	for (size_t i = 0; i < nr; i++)
		content_stamp(*block(by_hand.written + i), by_hand.plan->size, by_hand.written + i);
	start = measure_now();
	for (size_t i = 0; i < nr; i++)
		write_block(by_hand.written++, by_hand.plan->frees);
	return (double)by_hand.plan->step / (measure_now() - start);
}

/* To where one was that has been written. */
static void read_block(uint64_t pos, uint64_t to)
{
	size_t size = by_hand.plan->size;

	if (by_hand.plan->frees)
		*block(to) = must_malloc();
	if (pread(by_hand.fd, *block(to), size, offset(pos)) != (ssize_t)size)
		workload_fail("it cannot be read");
}

double by_hand_read(void)
{
	size_t nr = by_hand.plan->step / by_hand.plan->size;
	uint64_t to = by_hand.written - nr;
	double start = measure_now(), seconds;

	for (size_t i = 0; i < nr; i++)
		read_block(by_hand.read + i, to + i);
	seconds = measure_now() - start;
	for (size_t i = 0; i < nr; i++)
		content_check(*block(to + i), by_hand.plan->size, by_hand.read++);
	return (double)by_hand.plan->step / seconds;
}

void by_hand_begin(const struct plan *plan)
{
	by_hand.plan = plan;
	by_hand.room = (plan->out + plan->step) / plan->size;
	by_hand.nr = plan->memory / plan->size;
	by_hand.blocks = calloc(by_hand.nr, sizeof(*by_hand.blocks));
	by_hand.fd = open(plan->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (!by_hand.blocks || by_hand.fd < 0)
		workload_fail("cannot make a file");
	for (uint64_t i = 0; i < by_hand.nr; i++) {
		by_hand.blocks[i] = must_malloc();
		content_fill(by_hand.blocks[i], plan->size, i);
	}
	while (by_hand.written < plan->out / plan->size) {
		content_stamp(*block(by_hand.written), plan->size, by_hand.written);
		write_block(by_hand.written++, false);
	}
}

void by_hand_end(void)
{
	for (uint64_t i = 0; i < by_hand.nr; i++)
		free(by_hand.blocks[i]);
	free(by_hand.blocks);
	close(by_hand.fd);
}
