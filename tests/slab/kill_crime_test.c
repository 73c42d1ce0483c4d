/* SPDX-License-Identifier: MIT */
/* Uses of what went with its group: a debug build catches them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>
#include <cgslab/span.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/debug.h"
#include "tests/slab/child.h"

#define SPAN 200000

static void *object, *large, *span, *cached;
static struct span *held;
static struct kmem_cache *cache;
static struct mem_cgroup *group, *below, *other;

static void make(void)
{
	group = mem_cgroup_create(NULL, "tenant");
	below = mem_cgroup_create(group, "session");
	other = mem_cgroup_create(NULL, "other");
	cache = kmem_cache_create("rows", 40, 0, 0, NULL);
	set_active_memcg(group);
	object = kmalloc(100, GFP_KERNEL);
	large = kmalloc(8192, GFP_KERNEL);
	span = kmalloc(SPAN, GFP_KERNEL);
	held = span_alloc(SPAN, GFP_KERNEL);
	set_active_memcg(below);
	cached = kmem_cache_alloc(cache, GFP_KERNEL);
	set_active_memcg(NULL);
	cr_assert(object && large && span && held && cached);
	cr_assert_eq(mem_cgroup_kill(group, 0), 0);
}

static int message[2];

static void say_nothing_but_to_us(void)
{
	dup2(message[1], STDERR_FILENO);
}

static void (*crime)(void);

static void commit(void)
{
	say_nothing_but_to_us();
	crime();
}

/* Ends by @signal, and has said @text. */
static void expect_caught(void (*what)(void), int signal, const char *text)
{
	char said[500];
	ssize_t n;
	int status;

	crime = what;
	cr_assert_eq(pipe(message), 0);
	status = child_run(fork, commit);
	close(message[1]);
	n = read(message[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == signal, "status %d", status);
	cr_expect(strstr(said, text), "says: %s", said);
}

#ifdef CGSLAB_DEBUG
#define SAYS(debug_text, text) debug_text
#else
#define SAYS(debug_text, text) text
#endif

static void free_object(void)
{
	kfree(object);
}

Test(kill_crime, free_of_an_object, .init = make)
{
	expect_caught(free_object, SIGABRT,
		      SAYS("went with its group 'tenant', which was killed", "invalid pointer"));
}

static void free_span(void)
{
	kfree(span);
}

Test(kill_crime, free_of_a_span, .init = make)
{
	expect_caught(free_span, SIGABRT,
		      SAYS("went with its group 'tenant', which was killed", "invalid pointer"));
}

static void put_span(void)
{
	span_put(held);
}

Test(kill_crime, put_of_a_span, .init = make)
{
	expect_caught(put_span, SIGABRT,
		      SAYS("span_put(): ", "is no span, or had no reference left"));
	expect_caught(put_span, SIGABRT, SAYS("went with its group 'tenant'", "span_put()"));
}

static void free_cached(void)
{
	kmem_cache_free(cache, cached);
}

Test(kill_crime, free_to_a_cache, .init = make)
{
	expect_caught(free_cached, SIGABRT,
		      SAYS("went with its group 'session', which was killed", "invalid pointer"));
}

static void resize(void)
{
	object = krealloc(object, 3000, GFP_KERNEL);
}

Test(kill_crime, krealloc, .init = make)
{
	expect_caught(resize, SIGABRT, SAYS("'tenant', which was killed", "invalid pointer"));
}

static void transfer(void)
{
	mem_cgroup_transfer(&span, other);
}

Test(kill_crime, transfer, .init = make)
{
	expect_caught(transfer, SIGABRT, SAYS("'tenant', which was killed", "invalid pointer"));
}

#ifdef CGSLAB_DEBUG

static void pin_span(void)
{
	span_pin(held);
}

static void get_span(void)
{
	span_get(held);
}

static void unpin_span(void)
{
	span_unpin(held);
}

Test(kill_crime, use_of_a_span, .init = make)
{
	expect_caught(pin_span, SIGABRT, "went with its group 'tenant', which was killed");
	expect_caught(get_span, SIGABRT, "went with its group 'tenant', which was killed");
	expect_caught(unpin_span, SIGABRT, "went with its group 'tenant', which was killed");
}

/* By default, as sanitizers have handlers. */
static void write_large(void)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)large = 1;
}

static void read_span(void)
{
	signal(SIGSEGV, SIG_DFL);
	(void)((volatile char *)span)[SPAN - 1];
}

Test(kill_crime, use, .init = make)
{
	expect_caught(write_large, SIGSEGV, "");
	expect_caught(read_span, SIGSEGV, "");
}

/* It shares its page with others: what is written is seen later. */
static void write_small(void)
{
	*(volatile char *)object = 1;
	debug_forget_killed();
}

Test(kill_crime, use_of_a_small_object, .init = make)
{
	expect_caught(write_small, SIGABRT, "was written after its group 'tenant' was killed");
}

#endif

static void kill_one(void)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "next");

	set_active_memcg(memcg);
	kmalloc(100, GFP_KERNEL);
	kmalloc(SPAN, GFP_KERNEL);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_kill(memcg, 0), 0);
	mem_cgroup_put(memcg);
}

/* What is kept for this is bounded. */
Test(kill_crime, long_ago, .init = make)
{
	struct page_run_stats stats;

	for (int i = 0; i < 1000; i++)
		kill_one();
	page_runs_stats(&stats);
	cr_expect_lt(stats.used, (24 << 20) >> PAGE_SHIFT, "%zu pages", stats.used);
	cr_expect_lt(slab_table_size(), 600);
}
