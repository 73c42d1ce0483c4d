/* SPDX-License-Identifier: MIT */
#include "alloc/base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "alloc/base/atomic.h"

#define AREA_ALIGN (4ul << 20)

/* Where the kernel puts nothing by itself: between heaps and mmap's top. */
#define WINDOW_BASE 0x200000000000ul
#define WINDOW_STEP (4ul << 40)
#define WINDOWS	    16

#define FD_HIGH	    1000

#define PAUSE_SPINS 100
#define PAUSE_US    20

size_t os_page_size(void)
{
	static size_t page_size;

	if (unlikely(!READ_ONCE(page_size)))
		WRITE_ONCE(page_size, getauxval(AT_PAGESZ));
	return READ_ONCE(page_size);
}

static size_t limit_of(__rlimit_resource_t resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return limit.rlim_cur;
}

size_t os_address_space_limit(void)
{
	return limit_of(RLIMIT_AS);
}

size_t os_file_size_limit(void)
{
	return limit_of(RLIMIT_FSIZE);
}

size_t os_data_limit(void)
{
	return min_t(size_t, limit_of(RLIMIT_AS), limit_of(RLIMIT_DATA));
}

static bool area_reserve(struct os_area *area, size_t size)
{
	size_t padded = size + AREA_ALIGN;
	char *addr =
		mmap(NULL, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *base;

	if (addr == MAP_FAILED)
		return false;
	base = (char *)round_up_to((size_t)addr, AREA_ALIGN);
	if (base > addr)
		munmap(addr, (size_t)(base - addr));
	munmap(base + size, AREA_ALIGN - (size_t)(base - addr));
	area->base = base;
	area->reserved = size;
	area->whole = true;
	return true;
}

/* Each area gets a window of its own; no address space is used up yet. */
static int area_place(struct os_area *area, size_t size)
{
	static unsigned int windows_used;
	unsigned int window = __atomic_fetch_add(&windows_used, 1, __ATOMIC_RELAXED);

	if (window >= WINDOWS)
		return -ENOMEM;
	area->base = (char *)(WINDOW_BASE + window * WINDOW_STEP);
	area->reserved = min_t(size_t, size, WINDOW_STEP);
	area->whole = false;
	return 0;
}

int os_area_init(struct os_area *area, size_t size, size_t least)
{
	int saved_errno = errno;
	int ret = 0;

	area->committed = 0;
	if (os_address_space_is_limited()) {
		ret = area_place(area, size);
	} else {
		while (!area_reserve(area, size)) {
			size /= 2;
			if (size < least) {
				ret = area_place(area, least);
				break;
			}
		}
	}
	errno = saved_errno;
	return ret;
}

int os_area_commit(struct os_area *area, size_t size)
{
	int saved_errno = errno;
	char *end = area->base + area->committed;
	size_t more;

	size = round_up_to(size, os_page_size());
	if (size <= area->committed)
		return 0;
	if (size > area->reserved)
		return -ENOMEM;
	more = size - area->committed;
	if (area->whole) {
		if (mprotect(end, more, PROT_READ | PROT_WRITE)) {
			errno = saved_errno;
			return -ENOMEM;
		}
	} else {
		char *addr = mmap(end, more, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
				  -1, 0);

		errno = saved_errno;
		if (addr == MAP_FAILED)
			return -ENOMEM;
		if (addr != end) { /* a kernel that takes the address for a hint */
			munmap(addr, more);
			return -ENOMEM;
		}
	}
	WRITE_ONCE(area->committed, size);
	return 0;
}

void os_area_release(struct os_area *area)
{
	int saved_errno = errno;

	if (area->whole && !munmap(area->base + area->committed, area->reserved - area->committed))
		area->whole = false;
	errno = saved_errno;
}

void os_purge(void *addr, size_t len)
{
	int saved_errno = errno;

	/* Fails only on locked memory; such a program wants it resident. */
	if (madvise(addr, len, MADV_DONTNEED))
		__builtin_memset(addr, 0, len);
	errno = saved_errno;
}

/* A fresh mapping in place of what is there, or where nothing is. */
static bool protect(void *addr, size_t len, int how)
{
	int saved_errno = errno;
	bool done = !mprotect(addr, len, how);

	errno = saved_errno;
	return done;
}

bool os_forbid(void *addr, size_t len)
{
	os_purge(addr, len);
	return protect(addr, len, PROT_NONE);
}

bool os_allow(void *addr, size_t len)
{
	return protect(addr, len, PROT_READ | PROT_WRITE);
}

static bool map_anew(void *addr, size_t len, int how)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how;

	return mmap(addr, len, PROT_READ | PROT_WRITE, flags, -1, 0) == addr;
}

int os_move(void *from, void *to, size_t len)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	int saved_errno = errno;
	int ret = 0;

	/* The kernel unmaps the target first, and refuses afterwards. */
	if (os_address_space_is_limited())
		return -ENOMEM;
	if (mremap(from, len, len, flags, to) == MAP_FAILED) {
		/* EINVAL: the flags are new to it, so it has done nothing. */
		if (errno == EINVAL || map_anew(to, len, MAP_FIXED_NOREPLACE))
			ret = -ENOMEM;
		else
			ret = -EFAULT;
	}
	errno = saved_errno;
	return ret;
}

void os_renew(void *addr, size_t len)
{
	int saved_errno = errno;

	if (!map_anew(addr, len, MAP_FIXED))
		os_purge(addr, len);
	errno = saved_errno;
}

int os_membarrier(void)
{
	static int state; /* 0 unknown, 1 registered, -1 missing */
	int saved_errno = errno;
	int ret = 0;

	if (READ_ONCE(state) == 0) {
		long err = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);

		WRITE_ONCE(state, err ? -1 : 1);
	}
	if (READ_ONCE(state) < 0 || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		ret = -ENOSYS;
	errno = saved_errno;
	return ret;
}

int os_dup_high(int fd)
{
	int saved_errno = errno;
	int high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_HIGH);

	errno = saved_errno;
	return high;
}

void os_close(int fd)
{
	int saved_errno = errno;

	syscall(SYS_close, fd);
	errno = saved_errno;
}

struct os_file os_file_of(int fd)
{
	struct os_file file = {0, 0};
	int saved_errno = errno;
	struct stat stat;

	/* Not fstat(), which names the file by a string of libc's: a page that nobody else needs.
	 */
	if (fd >= 0 && !syscall(SYS_fstat, fd, &stat)) {
		file.device = stat.st_dev;
		file.inode = stat.st_ino;
	}
	errno = saved_errno;
	return file;
}

bool os_file_is(int fd, const struct os_file *file)
{
	struct os_file now = os_file_of(fd);

	return now.inode && now.inode == file->inode && now.device == file->device;
}

uint64_t os_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void os_sleep_us(unsigned int us)
{
	const struct timespec pause = {.tv_nsec = us * 1000l};
	int saved_errno = errno;

	syscall(SYS_nanosleep, &pause, NULL);
	errno = saved_errno;
}

void os_pause(unsigned int tries)
{
	if (tries < PAUSE_SPINS)
		cpu_relax();
	else
		os_sleep_us(PAUSE_US); /* sleeping lets any priority run */
}

static void futex_wait(uint32_t *word, int op, uint32_t value, const struct timespec *most)
{
	int saved_errno = errno;

	syscall(SYS_futex, word, op, value, most, NULL, 0);
	errno = saved_errno;
}

static void futex_wait_for(uint32_t *word, int op, uint32_t value, unsigned int ms)
{
	const struct timespec most = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000l,
	};

	futex_wait(word, op, value, &most);
}

static void futex_wake(uint32_t *word, int op, int most)
{
	int saved_errno = errno;

	syscall(SYS_futex, word, op, most, NULL, NULL, 0);
	errno = saved_errno;
}

void os_futex_wait(uint32_t *word, uint32_t value)
{
	futex_wait(word, FUTEX_WAIT_PRIVATE, value, NULL);
}

void os_futex_wait_for(uint32_t *word, uint32_t value, unsigned int ms)
{
	futex_wait_for(word, FUTEX_WAIT_PRIVATE, value, ms);
}

void os_futex_wake(uint32_t *word)
{
	futex_wake(word, FUTEX_WAKE_PRIVATE, 1);
}

void os_futex_wake_all(uint32_t *word)
{
	futex_wake(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void os_futex_wait_shared(uint32_t *word, uint32_t value, int ms)
{
	if (ms < 0)
		futex_wait(word, FUTEX_WAIT, value, NULL);
	else
		futex_wait_for(word, FUTEX_WAIT, value, (unsigned int)ms);
}

void os_futex_wake_shared(uint32_t *word)
{
	futex_wake(word, FUTEX_WAKE, 1);
}
