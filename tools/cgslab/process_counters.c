/* SPDX-License-Identifier: MIT */
#include "tools/cgslab/process_counters.h"

#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cgslab/command.h"

#define LINK "/memfd:" COUNTERS_FILE " (deleted)"

/* What the process is called by itself, in the innermost namespace; 0: unknown. */
static int own_pid_of(int pid)
{
	char path[64], line[256];
	const char *last;
	int own_pid = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return 0;
	while (!own_pid && fgets(line, sizeof(line), status)) {
		last = strrchr(line, '\t');
		if (!strncmp(line, "NStgid:", 7) && last)
			sscanf(last, "%d", &own_pid);
	}
	fclose(status);
	return own_pid;
}

/* Maps the file; NULL if it is not of the process itself. */
static struct counters_header *map_counters(int fd, size_t size, int pid, enum counters_use use)
{
	const int protection = use == COUNTERS_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	struct counters_header *header;
	int own_pid = own_pid_of(pid);

	if (size < sizeof(*header))
		return NULL;
	header = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		error(EXIT_FAILED, errno, "the counters of process %d", pid);
	/* Pairs with the release in fill_header(); 0 while the process starts. */
	if (load_acquire(&header->magic) == COUNTERS_MAGIC &&
	    (!own_pid || READ_ONCE(header->pid) == own_pid))
		return header;
	munmap(header, size); /* of the parent, from which it was forked */
	return NULL;
}

static void check_format(struct process_counters *counters, size_t size)
{
	struct counters_header *header = counters->header;
	size_t room;

	if (header->version != COUNTERS_VERSION)
		error(EXIT_FAILED, 0,
		      "process %d has counters of version %u; this command reads version %u",
		      counters->pid, header->version, COUNTERS_VERSION);
	if (header->header_size < sizeof(*header) || header->header_size > size ||
	    header->record_size != sizeof(struct counters_record) || !header->page_size)
		error(EXIT_FAILED, 0, "the counters of process %d are damaged", counters->pid);
	room = (size - header->header_size) / header->record_size;
	counters->records = (void *)((char *)header + header->header_size);
	counters->nr_records = load_acquire(&header->nr_records);
	if (counters->nr_records > room) /* it has just grown */
		counters->nr_records = (uint32_t)room;
}

/* Returns whether @name in the directory of descriptors is the counters' file. */
static bool try_descriptor(struct process_counters *counters, int dir, const char *name,
			   enum counters_use use)
{
	const int access = use == COUNTERS_WRITE ? O_RDWR : O_RDONLY;
	char link[sizeof(LINK) + 1];
	ssize_t len = readlinkat(dir, name, link, sizeof(link));
	struct stat stat;
	int fd;

	if (len != sizeof(LINK) - 1 || memcmp(link, LINK, sizeof(LINK) - 1))
		return false;
	fd = openat(dir, name, access | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) /* closed meanwhile */
		return false;
	if (fd < 0 || fstat(fd, &stat))
		error(EXIT_FAILED, errno, "process %d", counters->pid);
	counters->header = map_counters(fd, (size_t)stat.st_size, counters->pid, use);
	close(fd);
	if (!counters->header)
		return false;
	check_format(counters, (size_t)stat.st_size);
	return true;
}

void process_counters_open(struct process_counters *counters, int pid, enum counters_use use)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	*counters = (struct process_counters){.pid = pid};
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		error(EXIT_FAILED, 0, "there is no process %d", pid);
	if (!dir)
		error(EXIT_FAILED, errno, "process %d", pid);
	while ((entry = readdir(dir)))
		if (try_descriptor(counters, dirfd(dir), entry->d_name, use))
			break;
	closedir(dir);
	if (!counters->header)
		error(EXIT_FAILED, 0, "process %d does not run under cgslab", pid);
}
