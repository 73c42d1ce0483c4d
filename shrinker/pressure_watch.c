/* SPDX-License-Identifier: MIT */
#include "shrinker/pressure_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Some task waited for 150 ms of a second. Who has no privileges may only ask for
 * windows of 2 seconds and its multiples.
 */
static const char *const triggers[] = {"some 150000 1000000", "some 300000 2000000"};

/* The value of a base64 digit, or -1. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the number of bytes, or -EINVAL. */
static ssize_t base64_decode(const char *text, char *bytes, size_t size)
{
	uint32_t bits = 0;
	unsigned int nr_bits = 0;
	size_t len = 0;

	for (; *text && *text != '='; text++) {
		int value = digit(*text);

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		nr_bits += 6;
		if (nr_bits < 8)
			continue;
		if (len == size)
			return -EINVAL;
		nr_bits -= 8;
		bytes[len++] = (char)(bits >> nr_bits);
	}
	return text[strspn(text, "=")] ? -EINVAL : (ssize_t)len;
}

void pressure_environment_set(struct pressure_environment *environment, const char *watch,
			      const char *write)
{
	ssize_t len = 0;

	environment->path[0] = '\0';
	environment->write_len = 0;
	if (!watch || watch[0] != '/' || strlen(watch) >= sizeof(environment->path))
		return;
	if (write)
		len = base64_decode(write, environment->write, sizeof(environment->write));
	if (len < 0)
		return;
	strcpy(environment->path, watch);
	environment->write_len = (size_t)len;
}

bool pressure_environment_forbids(const struct pressure_environment *environment)
{
	return !strcmp(environment->path, "/dev/null");
}

/* 0 or -errno. */
static int write_all(int fd, const char *bytes, size_t len, bool is_socket)
{
	ssize_t done;

	if (!len)
		return 0;
	done = is_socket ? send(fd, bytes, len, MSG_NOSIGNAL) : write(fd, bytes, len);
	if (done < 0)
		return -errno;
	return (size_t)done == len ? 0 : -EIO;
}

/* The kernel answers a bad trigger here, and wants its terminating 0. */
static int set_trigger(const struct kept_file *file)
{
	int ret = -EINVAL;

	for (size_t i = 0; ret && i < ARRAY_SIZE(triggers); i++)
		ret = write_all(file->fd, triggers[i], strlen(triggers[i]) + 1, false);
	return ret;
}

int pressure_watch_open(struct pressure_watch *watch, const char *path)
{
	int saved_errno = errno;
	int ret;

	*watch = (struct pressure_watch){.file = KEPT_FILE_NONE, .events = POLLPRI};
	ret = kept_file_open(&watch->file, path, O_RDWR);
	if (!ret) {
		ret = set_trigger(&watch->file);
		if (ret)
			kept_file_close(&watch->file);
	}
	errno = saved_errno;
	return ret;
}

/* A name that is short enough for an address, whatever the path is. */
static int connect_to(const struct kept_file *place)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place->fd);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = errno;

		os_close(fd);
		return -err;
	}
	return fd;
}

/* @place was opened by O_PATH: it says what there is. */
static int open_named(struct pressure_watch *watch, const struct kept_file *place,
		      const struct pressure_environment *environment)
{
	struct stat stat;
	int ret;

	if (fstat(place->fd, &stat))
		return -errno;
	watch->drain = !S_ISREG(stat.st_mode);
	watch->events = watch->drain ? POLLIN : POLLPRI;
	if (S_ISSOCK(stat.st_mode)) {
		ret = connect_to(place);
		if (ret >= 0) {
			kept_file_take(&watch->file, ret);
			ret = 0;
		}
	} else if (S_ISREG(stat.st_mode) || S_ISFIFO(stat.st_mode)) {
		/* A FIFO that we may write to as well never ends. */
		ret = kept_file_open(&watch->file, environment->path, O_RDWR);
	} else {
		ret = -EINVAL;
	}
	if (ret)
		return ret;
	/* A pressure file without a trigger would be in error for ever. */
	if (S_ISREG(stat.st_mode) && !environment->write_len)
		return set_trigger(&watch->file);
	return write_all(watch->file.fd, environment->write, environment->write_len,
			 S_ISSOCK(stat.st_mode));
}

int pressure_watch_open_named(struct pressure_watch *watch,
			      const struct pressure_environment *environment)
{
	struct kept_file place;
	int saved_errno = errno;
	int ret;

	*watch = (struct pressure_watch){.file = KEPT_FILE_NONE};
	ret = kept_file_open(&place, environment->path, O_PATH);
	if (ret)
		return ret;
	ret = open_named(watch, &place, environment);
	if (ret)
		kept_file_close(&watch->file);
	kept_file_close(&place);
	errno = saved_errno;
	return ret;
}

/* Returns whether anything was there. Who writes faster than we read is heard again. */
static bool drain(const struct pressure_watch *watch)
{
	int saved_errno = errno;
	bool any = false;
	char bytes[512];

	for (int i = 0; i < 64 && read(watch->file.fd, bytes, sizeof(bytes)) > 0; i++)
		any = true;
	errno = saved_errno;
	return any;
}

bool pressure_watch_fired(struct pressure_watch *watch, short revents)
{
	bool fired = revents & watch->events;

	if (!kept_file_is_open(&watch->file))
		return false;
	if (fired && watch->drain)
		fired = drain(watch);
	/* A cgroup that was removed, or a service manager that went away. */
	if (revents & (POLLERR | POLLHUP | POLLNVAL)) {
		fired &= watch->drain;
		kept_file_close(&watch->file);
	}
	return fired;
}

void pressure_watch_close(struct pressure_watch *watch)
{
	kept_file_close(&watch->file);
}
