/* SPDX-License-Identifier: MIT */
#include "tools/cgslab/request.h"

#include <errno.h>
#include <error.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "accounting/control.h"
#include "tools/cgslab/command.h"

#define TAKE_MS	  5000	/* to look at a request at all */
#define FINISH_MS 60000 /* to do what it asks for */
#define LOOK_MS	  5

#define TICKETS	  (1ull << (64 - CONTROL_TICKET_SHIFT))

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000};

	nanosleep(&pause, NULL);
}

/* Unlike those of other commands, most likely, and of earlier ones. */
static uint64_t make_ticket(void)
{
	return ((uint64_t)getpid() * 31 + clock_ms()) % (TICKETS - 1) + 1;
}

static void ring(struct counters_header *header)
{
	/* The release pairs with the acquire in control_run(). */
	__atomic_add_fetch(&header->requests, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&header->doorbell, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &header->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint64_t request_send(const struct process_counters *counters, struct counters_record *record,
		      uint64_t pages)
{
	uint64_t ticket = make_ticket(), waiting = READ_ONCE(record->request);

	do {
		if (waiting & CONTROL_VALUE_MASK)
			return 0;
	} while (!cmpxchg_acq_rel(&record->request, &waiting, control_word(ticket, pages)));
	ring(counters->header);
	return ticket;
}

static bool is_ticket(uint64_t word, uint64_t ticket)
{
	return word >> CONTROL_TICKET_SHIFT == ticket;
}

/* Whether it could be taken back. */
static bool withdraw(struct counters_record *record, uint64_t ticket)
{
	uint64_t request = READ_ONCE(record->request);

	return is_ticket(request, ticket) && cmpxchg_acq_rel(&record->request, &request, 0);
}

uint64_t request_wait(struct counters_record *record, uint64_t ticket, int pid)
{
	uint64_t start = clock_ms(), waited = 0;

	while (waited < FINISH_MS && (!kill(pid, 0) || errno != ESRCH)) {
		/* Pairs with the release in run_request(). */
		uint64_t reply = load_acquire(&record->reply);

		if (is_ticket(reply, ticket))
			return reply & CONTROL_VALUE_MASK;
		if (waited > TAKE_MS && withdraw(record, ticket))
			error(EXIT_FAILED, 0,
			      "process %d does not listen; at rest it does if it was run with "
			      "--control",
			      pid);
		pause_ms(LOOK_MS);
		waited = clock_ms() - start;
	}
	error(EXIT_FAILED, 0, "process %d does not answer", pid);
	return 0;
}
