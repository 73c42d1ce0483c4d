/* SPDX-License-Identifier: MIT */
/*
 * All we ask of the kernel: address space, futexes, the process-wide barrier,
 * a coarse clock. errno is kept by every call.
 */
#ifndef ALLOC_BASE_OS_H
#define ALLOC_BASE_OS_H

#include "alloc/base/compiler.h"

/* The unit of page runs, page counters and the page map, on every machine. */
#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)

/* The kernel's page size: PAGE_SIZE or a multiple. Const after the first call. */
size_t os_page_size(void);

/* RLIMIT_AS; SIZE_MAX if there is none. */
size_t os_address_space_limit(void);

/* The lesser of that and RLIMIT_DATA, which bounds what is writable. */
size_t os_data_limit(void);

/* RLIMIT_FSIZE: a write past it raises SIGXFSZ. SIZE_MAX if there is none. */
size_t os_file_size_limit(void);

static inline bool os_address_space_is_limited(void)
{
	return os_address_space_limit() != SIZE_MAX;
}

/*
 * A contiguous piece of address space that grows at its end. Where address
 * space is free it is reserved whole at once; under RLIMIT_AS, or where the
 * kernel refuses, it is mapped step by step in a range that nobody else is
 * given by the kernel.
 */
struct os_area {
	char *base;	  /* const after os_area_init() */
	size_t reserved;  /* largest size; const after os_area_init() */
	size_t committed; /* readable and writable bytes; the user's lock */
	bool whole;	  /* the address space up to reserved is ours */
};

/*
 * Reserves @size bytes, or as much as there is, at least @least.
 * Returns 0 or -ENOMEM.
 */
int os_area_init(struct os_area *area, size_t size, size_t least);

/*
 * Makes the first @size bytes usable; what is new reads as zero.
 * Returns 0, or -ENOMEM with nothing changed.
 */
int os_area_commit(struct os_area *area, size_t size);

/*
 * Gives back the address space that is reserved and not used; from then on the
 * area grows step by step, as under RLIMIT_AS. The user's lock.
 */
void os_area_release(struct os_area *area);

/* Gives the pages back; the range stays usable and reads as zero. */
void os_purge(void *addr, size_t len);

/*
 * Makes whole pages of a committed area fault, after giving them back; or usable
 * again. Returns whether the kernel did.
 */
bool os_forbid(void *addr, size_t len);
bool os_allow(void *addr, size_t len);

/*
 * Moves the pages of [@from, @from + @len) to @to without copying them; both
 * ranges lie in committed areas. @from stays usable and reads as zero.
 * Returns 0, -ENOMEM with nothing moved, or -EFAULT with nothing moved and @to
 * perhaps another's: the kernel unmaps a target before it refuses.
 */
int os_move(void *from, void *to, size_t len);

/*
 * A fresh mapping for pages that os_move() brought: they read as zero, and the
 * kernel can join them with their neighbours again.
 */
void os_renew(void *addr, size_t len);

/*
 * A full barrier in every running thread of the process: what they stored
 * before it is visible after it, what they load after it is fresh.
 * Returns 0, or -ENOSYS where the kernel has none.
 */
int os_membarrier(void);

/* A copy of @fd, close-on-exec, out of the way of programs that expect low ones; or -1. */
int os_dup_high(int fd);

/* No cancellation point, unlike close(). */
void os_close(int fd);

/* Which file a descriptor stands for, to know it again. */
struct os_file {
	uint64_t device;
	uint64_t inode; /* 0: none */
};

/* No file if @fd is not open. */
struct os_file os_file_of(int fd);

/* Whether @fd is still open for @file; the program may close any descriptor. */
bool os_file_is(int fd, const struct os_file *file);

uint64_t os_clock_ms(void);

/* No cancellation point, unlike nanosleep(). */
void os_sleep_us(unsigned int us);

/* The @tries-th wait for another thread to be done: short at first. */
void os_pause(unsigned int tries);

void os_futex_wait(uint32_t *word, uint32_t value);
void os_futex_wait_for(uint32_t *word, uint32_t value, unsigned int ms);
void os_futex_wake(uint32_t *word); /* one who waits */
void os_futex_wake_all(uint32_t *word);

/* For a word that other processes see, too; @ms below 0: for ever. */
void os_futex_wait_shared(uint32_t *word, uint32_t value, int ms);
void os_futex_wake_shared(uint32_t *word);

#endif
