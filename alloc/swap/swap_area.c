/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_area.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/base/meta.h"
#include "alloc/swap/swap_files.h"

/* Room begins and ends at blocks, or it could not be given back. */
#define UNIT_MAX (2ul << 20)

struct lock swap_lock = LOCK_INIT(LOCK_RANK_SWAP);
struct swap_area swap_area = {
	.dir = {.fd = -1},
	.files = LIST_HEAD_INIT(swap_area.files),
};

/* The parent has all files; what else it was doing, it does. */
static void lose_all(void)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list) {
		file->lost = true;
		swap_spare_sub(file, file->spare);
		file->users = 0;
	}
	swap_area.in_use = NULL;
	swap_area.moving = NULL;
	swap_area.tidying = false;
	*swap_area.owned = 1;
}

void swap_area_lock(void)
{
	lock(&swap_lock);
	if (swap_area.owned && !*swap_area.owned)
		lose_all();
}

static uint64_t block_of(int fd)
{
	struct stat stat;
	uint64_t block = 0;

	if (!syscall(SYS_fstat, fd, &stat) && is_power_of_two((size_t)stat.st_blksize))
		block = (uint64_t)stat.st_blksize;
	return min_t(uint64_t, max_t(uint64_t, block, PAGE_SIZE), UNIT_MAX);
}

int swap_file_open(void)
{
	struct swap_file *file;
	int fd;

	if (!swap_area.set)
		return -ENODEV;
	file = meta_alloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	fd = swap_dir_make_file(&swap_area.dir);
	if (fd < 0) {
		meta_free(file, sizeof(*file));
		return fd;
	}
	file->fd = fd;
	file->identity = os_file_of(fd);
	list_init(&file->slots);
	swap_rooms_init(&file->rooms, block_of(fd));
	list_add_tail(&file->list, &swap_area.files);
	swap_area.nr_files++;
	swap_area.in_use = file;
	return 0;
}

static void close_unlock(struct swap_file *file)
{
	list_del_init(&file->list);
	swap_area.nr_files--;
	swap_area.held -= file->held;
	swap_spare_sub(file, file->spare);
	if (swap_area.in_use == file)
		swap_area.in_use = NULL;
	unlock(&swap_lock);
	/* Its blocks go with it, which may take a while. */
	if (os_file_is(file->fd, &file->identity))
		os_close(file->fd);
	swap_rooms_release(&file->rooms);
	meta_free(file, sizeof(*file));
}

/* By more than so many users. */
static bool is_needed(const struct swap_file *file, uint32_t users)
{
	return file->users > users || !list_empty(&file->slots) || swap_spare_keeps(file);
}

bool swap_file_gives(const struct swap_file *file)
{
	return !file->shared && !file->lost && is_needed(file, 1);
}

void swap_file_unlock(struct swap_file *file)
{
	if (is_needed(file, 0))
		unlock(&swap_lock);
	else
		close_unlock(file);
}

bool swap_file_is_there(struct swap_file *file)
{
	bool there = os_file_is(file->fd, &file->identity);

	lock(&swap_lock);
	if (!there) {
		file->lost = true;
		swap_spare_sub(file, file->spare);
	}
	if (file->lost && swap_area.in_use == file)
		swap_area.in_use = NULL;
	there = !file->lost;
	unlock(&swap_lock);
	return there;
}

/* A page that the kernel empties in every child. */
static int make_owned(void)
{
	uint32_t *page;

	if (swap_area.owned)
		return 0;
	page = mmap(NULL, os_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (page == MAP_FAILED)
		return -ENOMEM;
	madvise(page, os_page_size(), MADV_WIPEONFORK);
	*page = 1;
	swap_area.owned = page;
	return 0;
}

/* Opens it, and tries whether a file can be made there. */
static int try_dir(struct swap_dir *dir, const char *path)
{
	int ret = swap_dir_open(dir, path);
	int fd;

	if (ret)
		return ret;
	fd = swap_dir_make_file(dir);
	if (fd < 0)
		swap_dir_close(dir);
	else
		os_close(fd);
	return min_t(int, fd, 0);
}

int swap_area_set(const char *directory, uint64_t max_bytes)
{
	struct swap_dir dir = {.fd = -1};
	struct swap_file *old;
	int saved_errno = errno;
	int ret = directory ? try_dir(&dir, directory) : 0;

	if (!ret) {
		swap_area_lock();
		old = swap_area.in_use;
		ret = make_owned();
		if (!ret) {
			swap_dir_close(&swap_area.dir);
			swap_area.dir = dir;
			WRITE_ONCE(swap_area.set, directory != NULL);
			swap_area.max = max_bytes;
			swap_area.in_use = NULL;
		}
		if (old)
			swap_file_unlock(old);
		else
			unlock(&swap_lock);
		if (ret)
			swap_dir_close(&dir);
	}
	errno = saved_errno;
	return ret;
}

bool swap_area_is_set(void)
{
	return READ_ONCE(swap_area.set);
}

void swap_area_stats(struct swap_area_stats *stats)
{
	lock(&swap_lock);
	*stats = (struct swap_area_stats){
		.slots = swap_area.slots,
		.bytes = swap_area.bytes,
		.held = swap_area.held,
		.spare = swap_area.spare,
		.moved = swap_area.moved,
		.files = swap_area.nr_files,
	};
	unlock(&swap_lock);
}

void swap_fork_prepare(void)
{
	lock(&swap_lock);
}

static struct swap_file *first_not_needed(void)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list)
		if (!is_needed(file, 0))
			return file;
	return NULL;
}

/* From now on nothing of it is given back but as a whole. */
static void share(struct swap_file *file)
{
	file->shared = true;
	swap_spare_sub(file, file->spare);
}

/* What was out before the fork is in files that nobody changes any more. swap_lock is dropped. */
static void share_all(void)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list)
		share(file);
	swap_area.in_use = NULL;
	while ((file = first_not_needed())) {
		close_unlock(file);
		lock(&swap_lock);
	}
	unlock(&swap_lock);
}

void swap_fork_parent(void)
{
	share_all();
}

/*
 * Other threads' reads and writes are not the child's: their users are gone. A
 * write under way goes to room that the child knows nothing of, a hole is
 * punched where it has no slot any more.
 */
void swap_fork_child(void)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list)
		file->users = 0;
	swap_area.moving = NULL;
	swap_area.tidying = false;
	if (swap_area.owned)
		*swap_area.owned = 1;
	share_all();
}
