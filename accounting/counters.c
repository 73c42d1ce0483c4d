/* SPDX-License-Identifier: MIT */
#include "accounting/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc/base/lock.h"
#include "alloc/base/os.h"

#define FILE_RESERVE (512ul << 20)
#define FILE_LIMITED (4ul << 20) /* under RLIMIT_AS */
#define FILE_STEP    (64ul << 10)

_Static_assert(sizeof(struct counters_header) <= sizeof(struct counters_record),
	       "the header takes the place of record 0's neighbour");
_Static_assert(sizeof(struct counters_record) % CACHELINE == 0, "groups share no line");
_Static_assert(FILE_RESERVE / sizeof(struct counters_record) < 1ul << COUNTERS_INDEX_BITS,
	       "an index fits its bits");

uint32_t *counters_owned;

static struct lock counters_lock = LOCK_INIT(LOCK_RANK_COUNTERS);

/* All below: counters_lock, or const after counters_init() where said. */
static struct counters_record *records; /* const; [0] holds the header */
static size_t mapped;			/* bytes of address space */
static size_t file_size;
static uint32_t free_list; /* index, linked through ->parent; 0 ends it */
static int fd = -1;
static struct os_file identity; /* of the memfd, to know it again */
static struct os_area snapshot; /* the records as of a fork that is under way */
static size_t snapshot_size;
static bool snapshot_valid;

static bool limited(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* A memfd of @size bytes at a high, close-on-exec descriptor; or -1. */
static int open_file(size_t size)
{
	int low, high;

	if (limited(RLIMIT_FSIZE)) /* growing it could raise SIGXFSZ */
		return -1;
	low = memfd_create(COUNTERS_FILE, MFD_CLOEXEC);
	if (low < 0)
		return -1;
	high = os_dup_high(low);
	if (high >= 0) {
		os_close(low);
		low = high;
	}
	if (ftruncate(low, (off_t)size)) {
		os_close(low);
		return -1;
	}
	return low;
}

static void *map_file(void *addr, size_t size)
{
	int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	flags |= MAP_NORESERVE | (addr ? MAP_FIXED : 0);
	return mmap(addr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void fill_header(void)
{
	struct counters_header *header = counters_header();

	header->version = COUNTERS_VERSION;
	header->header_size = sizeof(struct counters_record);
	header->record_size = sizeof(struct counters_record);
	header->pid = getpid();
	header->page_size = PAGE_SIZE;
	store_release(&header->magic, COUNTERS_MAGIC);
}

int counters_init(void)
{
	int saved_errno = errno;
	void *addr;

	mapped = limited(RLIMIT_AS) ? FILE_LIMITED : FILE_RESERVE;
	file_size = FILE_STEP;
	fd = open_file(file_size);
	addr = map_file(NULL, mapped);
	if (addr == MAP_FAILED)
		return -ENOMEM;
	records = addr;
	identity = os_file_of(fd);
	counters_owned = mmap(NULL, os_page_size(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (counters_owned == MAP_FAILED)
		return -ENOMEM;
	madvise(counters_owned, os_page_size(), MADV_WIPEONFORK);
	*counters_owned = 1;
	fill_header();
	counters_header()->nr_records = 0;
	errno = saved_errno;
	return 0;
}

struct counters_header *counters_header(void)
{
	return (struct counters_header *)records;
}

uint32_t counters_index(const struct counters_record *record)
{
	return (uint32_t)(record - records) - 1;
}

/* Room for one record more, or 0. */
static bool grow(uint32_t nr_records)
{
	size_t need = (nr_records + 2) * sizeof(*records);

	if (need <= file_size)
		return true;
	if (need > mapped)
		return false;
	/* The program may have closed it, and opened another there. */
	if (fd >= 0 &&
	    (!os_file_is(fd, &identity) || ftruncate(fd, (off_t)(file_size + FILE_STEP))))
		return false;
	file_size += FILE_STEP;
	return true;
}

struct counters_record *counters_alloc(void)
{
	struct counters_header *header = counters_header();
	struct counters_record *record = NULL;
	int saved_errno = errno;

	lock(&counters_lock);
	if (free_list) {
		record = &records[free_list];
		free_list = record->parent;
	} else if (grow(header->nr_records)) {
		record = &records[header->nr_records + 1];
		store_release(&header->nr_records, header->nr_records + 1);
	}
	if (record)
		memset(record, 0, sizeof(*record));
	unlock(&counters_lock);
	errno = saved_errno;
	return record;
}

void counters_free(struct counters_record *record)
{
	lock(&counters_lock);
	store_release(&record->state, (uint32_t)COUNTERS_UNUSED);
	record->parent = free_list;
	free_list = (uint32_t)(record - records);
	unlock(&counters_lock);
}

/*
 * The parent goes on writing to the shared pages, so fork_prepare() sets a copy
 * aside. Who forks past it gets them as they are: right for a process that has
 * one thread. The counters themselves are counted anew by the caller.
 */
static const void *child_source(size_t *size)
{
	*size = snapshot_valid ? snapshot_size : file_size;
	return snapshot_valid ? (void *)snapshot.base : records;
}

/* A file of the child's own, filled; or -1. */
static int child_file(void)
{
	size_t size;
	const void *source = child_source(&size);
	int file = open_file(file_size);

	if (file >= 0 && pwrite(file, source, size, 0) != (ssize_t)size) {
		os_close(file);
		file = -1;
	}
	return file;
}

/* The descriptor takes the place of the one that came from the parent. */
static void replace_fd(int fresh)
{
	if (os_file_is(fd, &identity)) {
		if (fresh >= 0 && dup3(fresh, fd, O_CLOEXEC) >= 0) {
			os_close(fresh);
			return;
		}
		os_close(fd);
	}
	fd = fresh;
}

/* Private memory in place of the parent's pages, as much as is in use. */
static int map_private_copy(void)
{
	size_t size;
	const void *source = child_source(&size);
	void *copy =
		mmap(NULL, file_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		return -ENOMEM;
	memcpy(copy, source, size);
	if (mremap(copy, file_size, file_size, MREMAP_MAYMOVE | MREMAP_FIXED, records) ==
	    MAP_FAILED) {
		munmap(copy, file_size);
		return -ENOMEM;
	}
	if (mapped > file_size && !munmap((char *)records + file_size, mapped - file_size))
		mapped = file_size;
	return 0;
}

int counters_fork_child(void)
{
	int saved_errno = errno;
	int fresh = child_file();
	int ret = 0;

	if (fresh >= 0 && mmap(records, mapped, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fresh, 0) != MAP_FAILED) {
		replace_fd(fresh);
	} else {
		if (fresh >= 0)
			os_close(fresh);
		ret = map_private_copy();
		if (!ret)
			replace_fd(-1);
	}
	if (!ret) {
		identity = os_file_of(fd);
		fill_header();
		*counters_owned = 1;
	}
	errno = saved_errno;
	return ret;
}

void counters_release_reserve(void)
{
	size_t keep;

	lock(&counters_lock);
	keep = max_t(size_t, file_size, FILE_LIMITED);
	if (keep < mapped && !munmap((char *)records + keep, mapped - keep))
		mapped = keep;
	unlock(&counters_lock);
}

/* All locks are held, so this is how things are at the fork. */
static void take_snapshot(void)
{
	size_t size = (counters_header()->nr_records + 1) * sizeof(*records);

	if (!snapshot.base && os_area_init(&snapshot, mapped, FILE_STEP))
		return;
	if (os_area_commit(&snapshot, size))
		return;
	memcpy(snapshot.base, records, size);
	snapshot_size = size;
	snapshot_valid = true;
}

void counters_fork_prepare(void)
{
	lock(&counters_lock);
	take_snapshot();
}

void counters_fork_done(void)
{
	unlock(&counters_lock);
}

void counters_fork_over(void)
{
	snapshot_valid = false;
}
