/* SPDX-License-Identifier: MIT */
#include "shrinker/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "alloc/base/os.h"

enum {
	WAITS_NOT,
	WAITS_FUTEX,
	WAITS_POLL,
};

/* How often poll() ends to look at the bell; and where the pipe is not to be had. */
#define LOOK_MS	   1000
#define NO_PIPE_MS 100

static uint32_t *bell; /* const; what it points to: atomic, futex */
static uint32_t waits; /* atomic: how the thread sleeps, or is about to */

/*
 * The thread's, which writes them while it does not wait. Who rings may look at them in
 * the middle of that: then the thread has not looked at the bell yet.
 */
static int read_end = -1, write_end = -1;
static struct os_file pipe_file; /* of both ends */

void doorbell_init(uint32_t *word)
{
	bell = word;
}

uint32_t doorbell_read(void)
{
	return load_acquire(bell); /* pairs with doorbell_ring() */
}

/* ---- The pipe ------------------------------------------------------------- */

static bool is_ours(int fd)
{
	const struct os_file file = {
		.device = READ_ONCE(pipe_file.device),
		.inode = READ_ONCE(pipe_file.inode),
	};

	return file.inode && os_file_is(fd, &file);
}

static void close_pipe(void)
{
	if (is_ours(read_end))
		os_close(read_end);
	if (is_ours(write_end))
		os_close(write_end);
	WRITE_ONCE(pipe_file.inode, 0);
}

/* Programs close descriptors that are not theirs. */
static bool has_pipe(void)
{
	struct os_file file;
	int low[2];

	if (is_ours(read_end) && is_ours(write_end))
		return true;
	close_pipe();
	if (pipe2(low, O_CLOEXEC | O_NONBLOCK))
		return false;
	WRITE_ONCE(read_end, os_dup_high(low[0]));
	WRITE_ONCE(write_end, os_dup_high(low[1]));
	os_close(low[0]);
	os_close(low[1]);
	if (read_end < 0 || write_end < 0) {
		os_close(read_end < 0 ? write_end : read_end);
		return false;
	}
	file = os_file_of(read_end);
	WRITE_ONCE(pipe_file.device, file.device);
	WRITE_ONCE(pipe_file.inode, file.inode);
	return true;
}

static void empty_pipe(void)
{
	char bytes[64];

	while (read(read_end, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}

/* ---- Waiting ---------------------------------------------------------------- */

static void poll_with_bell(uint32_t seen, struct pollfd *fds, int n, int timeout_ms)
{
	bool piped = has_pipe();
	int look_ms = piped ? LOOK_MS : NO_PIPE_MS;

	if (piped)
		fds[n++] = (struct pollfd){.fd = read_end, .events = POLLIN};
	if (timeout_ms < 0 || timeout_ms > look_ms)
		timeout_ms = look_ms;
	__atomic_store_n(&waits, WAITS_POLL, __ATOMIC_SEQ_CST); /* pairs with doorbell_ring() */
	if (__atomic_load_n(bell, __ATOMIC_SEQ_CST) == seen)
		poll(fds, (nfds_t)n, timeout_ms);
	if (piped && fds[n - 1].revents)
		empty_pipe();
}

void doorbell_wait(uint32_t seen, struct pollfd *fds, int n, int timeout_ms)
{
	int saved_errno = errno;

	if (n > 0) {
		poll_with_bell(seen, fds, n, timeout_ms);
	} else {
		/* Likewise; the futex itself compares. */
		__atomic_store_n(&waits, WAITS_FUTEX, __ATOMIC_SEQ_CST);
		os_futex_wait_shared(bell, seen, timeout_ms);
	}
	WRITE_ONCE(waits, WAITS_NOT);
	errno = saved_errno;
}

/* One that is full has woken it already. */
static void ring_pipe(int fd)
{
	if (is_ours(fd) && write(fd, "", 1) != 1)
		errno = 0;
}

void doorbell_ring(void)
{
	int saved_errno = errno;

	/* Both pair with doorbell_wait(). */
	__atomic_add_fetch(bell, 1, __ATOMIC_SEQ_CST);
	switch (__atomic_load_n(&waits, __ATOMIC_SEQ_CST)) {
	case WAITS_FUTEX:
		os_futex_wake_shared(bell);
		break;
	case WAITS_POLL:
		ring_pipe(READ_ONCE(write_end));
		break;
	}
	errno = saved_errno;
}

void doorbell_lost(void)
{
	close_pipe();
	WRITE_ONCE(waits, WAITS_NOT);
}
