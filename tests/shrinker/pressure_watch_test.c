/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shrinker/pressure_watch.h"
#include "tests/shrinker/fake_tree.h"

/* "some 200000 2000000" and a 0, as systemd has it. */
#define TRIGGER_64 "c29tZSAyMDAwMDAgMjAwMDAwMAA="

static struct pressure_environment environment;
static struct pressure_watch watch;

static int open_named(const char *path, const char *write)
{
	pressure_environment_set(&environment, path, write);
	return pressure_watch_open_named(&watch, &environment);
}

/* Whether there was pressure by now. */
static bool fired(void)
{
	struct pollfd fd = {.fd = watch.file.fd, .events = watch.events};

	cr_assert_geq(poll(&fd, 1, 0), 0);
	return pressure_watch_fired(&watch, fd.revents);
}

static void finish(void)
{
	pressure_watch_close(&watch);
	fake_tree_remove();
}

TestSuite(pressure_watch, .init = fake_tree_make, .fini = finish);

Test(pressure_watch, takes_from_the_environment_what_is_good)
{
	pressure_environment_set(&environment, "/a", TRIGGER_64);
	cr_expect_str_eq(environment.path, "/a");
	cr_expect_eq(environment.write_len, 20);
	cr_expect_str_eq(environment.write, "some 200000 2000000");
	cr_expect(!pressure_environment_forbids(&environment));

	pressure_environment_set(&environment, "/a", "AP/+MQ");
	cr_expect_eq(environment.write_len, 4);
	cr_expect_eq(memcmp(environment.write,
			    "\0\xff\xfe"
			    "1",
			    4),
		     0);

	pressure_environment_set(&environment, "/dev/null", NULL);
	cr_expect(pressure_environment_forbids(&environment));
}

Test(pressure_watch, leaves_what_is_bad)
{
	static char text[2 * PATH_MAX] = "/";
	static const char *const bad[] = {"a b", "QUJD\n", "=QUJD", "QUJD=QUJD", "QUJ\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pressure_environment_set(&environment, "/a", bad[i]);
		cr_expect_str_eq(environment.path, "", "%s", bad[i]);
	}
	pressure_environment_set(&environment, "relative", NULL);
	cr_expect_str_eq(environment.path, "");
	pressure_environment_set(&environment, NULL, TRIGGER_64);
	cr_expect_str_eq(environment.path, "");
	memset(text + 1, 'a', PATH_MAX);
	pressure_environment_set(&environment, text, NULL);
	cr_expect_str_eq(environment.path, "");
	memset(text, 'A', sizeof(text) - 1);
	pressure_environment_set(&environment, "/a", text);
	cr_expect_str_eq(environment.path, "");
}

Test(pressure_watch, writes_to_a_file_what_it_was_told)
{
	char text[64] = "";
	FILE *file;

	fake_write("pressure", "%s", "");
	cr_assert_eq(open_named(fake_path("pressure"), TRIGGER_64), 0);
	cr_expect_eq(watch.events, POLLPRI);
	cr_expect_geq(watch.file.fd, 1000);
	cr_expect(fcntl(watch.file.fd, F_GETFD) & FD_CLOEXEC);
	file = fopen(fake_path("pressure"), "r");
	cr_expect_eq(fread(text, 1, sizeof(text), file), 20);
	fclose(file);
	cr_expect_str_eq(text, "some 200000 2000000");
	cr_expect(!fired(), "an ordinary file says nothing");
}

Test(pressure_watch, hears_a_fifo)
{
	int fd;

	cr_assert_eq(mkfifo(fake_path("fifo"), 0600), 0);
	cr_assert_eq(open_named(fake_path("fifo"), NULL), 0);
	cr_expect(!fired());
	fd = open(fake_path("fifo"), O_WRONLY | O_NONBLOCK);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_expect(fired());
	cr_expect(!fired(), "once");
	cr_assert_eq(write(fd, "yy", 2), 2);
	close(fd);
	cr_expect(fired());
	cr_expect(!fired(), "nor the end of the writer");
	cr_expect(kept_file_is_open(&watch.file));
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

Test(pressure_watch, hears_a_socket)
{
	int listener = listen_at(fake_path("socket")), fd;
	char text[64] = "";

	cr_assert_eq(open_named(fake_path("socket"), TRIGGER_64), 0);
	fd = accept(listener, NULL, NULL);
	cr_assert_geq(fd, 0);
	cr_expect_eq(read(fd, text, sizeof(text)), 20);
	cr_expect_str_eq(text, "some 200000 2000000");
	cr_expect(!fired());
	cr_assert_eq(write(fd, "now", 3), 3);
	cr_expect(fired());
	cr_expect(!fired());
	cr_assert_eq(write(fd, "once more", 9), 9);
	close(fd);
	cr_expect(fired(), "the last word counts");
	cr_expect(!kept_file_is_open(&watch.file), "but nobody is there any more");
	cr_expect(!pressure_watch_fired(&watch, POLLIN));
	close(listener);
}

/* An address has 107 bytes; a path may be longer. */
Test(pressure_watch, finds_a_socket_with_a_long_name)
{
	char name[160], old[PATH_MAX];
	int listener = listen_at(fake_path("socket"));

	strcpy(old, fake_path("socket"));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(rename(old, fake_path(name)), 0);
	cr_expect_eq(open_named(fake_path(name), NULL), 0);
	close(listener);
}

Test(pressure_watch, says_what_cannot_be_watched)
{
	int listener = listen_at(fake_path("socket"));

	close(listener);
	cr_expect_eq(open_named(fake_path("socket"), NULL), -ECONNREFUSED);
	cr_expect_eq(open_named(fake_path("nothing"), NULL), -ENOENT);
	cr_expect_eq(open_named("/dev/zero", NULL), -EINVAL);
	cr_expect_eq(open_named(fake_tree(), NULL), -EINVAL);
	cr_expect_eq(pressure_watch_open(&watch, fake_path("nothing")), -ENOENT);
	cr_expect(!kept_file_is_open(&watch.file));
}

/* Those of the kernel are not to be had everywhere; then there is an error to say so. */
Test(pressure_watch, sets_a_trigger_of_its_own)
{
	int ret = pressure_watch_open(&watch, "/proc/pressure/memory");

	if (ret) {
		cr_log_warn("no trigger on /proc/pressure/memory: %s\n", strerror(-ret));
		cr_expect(!kept_file_is_open(&watch.file));
		return;
	}
	cr_expect_eq(watch.events, POLLPRI);
	fired();
	cr_expect(kept_file_is_open(&watch.file), "not in error");
}

Test(pressure_watch, sets_one_where_the_environment_has_none)
{
	if (open_named("/proc/pressure/memory", NULL))
		return;
	fired();
	cr_expect(kept_file_is_open(&watch.file));
	pressure_watch_close(&watch);
	cr_expect_eq(open_named("/proc/pressure/memory", "c29tZSAyMDAwMDAgMjAwMDAwMAA="), 0);
	fired();
	cr_expect(kept_file_is_open(&watch.file));
	pressure_watch_close(&watch);
	cr_expect_eq(open_named("/proc/pressure/memory", "Ym9ndXM="), -EINVAL);
}

/* The program may close any descriptor, and get the number for something else. */
Test(pressure_watch, leaves_alone_what_is_not_its_own)
{
	int fd, ends[2];
	char byte;

	cr_assert_eq(mkfifo(fake_path("fifo"), 0600), 0);
	cr_assert_eq(open_named(fake_path("fifo"), NULL), 0);
	fd = watch.file.fd;
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[0], fd), fd);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect(!pressure_watch_fired(&watch, POLLIN));
	pressure_watch_close(&watch);
	cr_expect_eq(read(fd, &byte, 1), 1, "neither read nor closed");
	close(fd);
}
