/* SPDX-License-Identifier: MIT */
/* What kmem_cache_destroy() says of objects that were not freed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <urcu-bp.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

/* Found by name in a debug build. */
#define NAMED	__attribute__((visibility("default"), noinline))

#define OBJECTS 500

static struct kmem_cache *cache;
static void *objects[OBJECTS];
static int nr;

static void make_cache(unsigned int size, slab_flags_t flags)
{
	cache = kmem_cache_create("leaky", size, 0, flags, NULL);
	cr_assert_not_null(cache);
}

static void make(void)
{
	make_cache(100, 0);
}

/* One call each: they are told apart by where they return to. */
NAMED void *alloc_here(void);
NAMED void *alloc_there(void);
NAMED void *zalloc_here(void);
NAMED size_t alloc_many(size_t n, void **to);

NAMED void *alloc_here(void)
{
	return kmem_cache_alloc(cache, GFP_KERNEL);
}

NAMED void *alloc_there(void)
{
	return kmem_cache_alloc(cache, GFP_KERNEL);
}

NAMED void *zalloc_here(void)
{
	return kmem_cache_zalloc(cache, GFP_KERNEL);
}

NAMED size_t alloc_many(size_t n, void **to)
{
	return kmem_cache_alloc_bulk(cache, GFP_KERNEL, n, to);
}

static void take(int n, void *(*alloc)(void))
{
	while (n--)
		cr_assert_not_null(objects[nr++] = alloc());
}

static void free_from(int left)
{
	while (nr > left)
		kmem_cache_free(cache, objects[--nr]);
}

/* What kmem_cache_destroy() wrote to stderr. */
static char report[8192];

static void destroy_in_vain(void)
{
	int fd = memfd_create("stderr", 0), kept = dup(STDERR_FILENO);
	ssize_t n;

	cr_assert(fd >= 0 && kept >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	cr_expect_eq(kmem_cache_destroy(cache), -EBUSY);
	dup2(kept, STDERR_FILENO);
	n = pread(fd, report, sizeof(report) - 1, 0);
	cr_assert_gt(n, 0);
	report[n] = '\0';
	close(kept);
	close(fd);
}

static void free_and_destroy(void)
{
	free_from(0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *at = report; (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* Whether line @line, from 0, begins so. */
static void expect_line(size_t line, const char *begin)
{
	const char *at = report;

	while (line--)
		at = strchr(at, '\n') + 1;
	cr_expect_eq(strncmp(at, begin, strlen(begin)), 0, "not '%s': %s", begin, at);
}

#ifdef CGSLAB_DEBUG
#define LINES(n) ((size_t)(n))
#else
#define LINES(n) ((size_t)1)
#endif

static void expect_site(size_t line, const char *begin)
{
	if (line < LINES(100))
		expect_line(line, begin);
}

Test(leak, name_and_count, .init = make)
{
	void *one;

	take(3, alloc_here);
	free_from(2);
	destroy_in_vain();
	expect_line(0, "cgslab: kmem_cache_destroy(\"leaky\"): 2 objects are still in use\n");
	expect_site(1, "cgslab:   2 allocated by alloc_here+0x");
	cr_expect_eq(lines(), LINES(2));
	one = kmem_cache_alloc(cache, GFP_KERNEL);
	cr_expect_not_null(one, "the cache is still good");
	kmem_cache_free(cache, one);
	free_and_destroy();
}

Test(leak, whoever_has_most_comes_first, .init = make)
{
	take(3, alloc_here);
	take(5, alloc_there);
	take(4, zalloc_here);
	cr_assert_eq(alloc_many(100, objects + nr), 100);
	nr += 100;
	destroy_in_vain();
	expect_line(0, "cgslab: kmem_cache_destroy(\"leaky\"): 112 objects are still in use\n");
	expect_site(1, "cgslab:   100 allocated by alloc_many+0x");
	expect_site(2, "cgslab:   5 allocated by alloc_there+0x");
	expect_site(3, "cgslab:   4 allocated by zalloc_here+0x");
	expect_site(4, "cgslab:   3 allocated by alloc_here+0x");
	cr_expect_eq(lines(), LINES(5));
	free_and_destroy();
}

/* An object has the caller of its last allocation, and none while it is free. */
Test(leak, objects_that_were_used_before, .init = make)
{
	take(OBJECTS, alloc_here);
	free_from(0);
	take(7, alloc_there);
	destroy_in_vain();
	expect_line(0, "cgslab: kmem_cache_destroy(\"leaky\"): 7 objects are still in use\n");
	expect_site(1, "cgslab:   7 allocated by alloc_there+0x");
	cr_expect_eq(lines(), LINES(2));
	free_and_destroy();
}

static void *take_in_group(void *arg)
{
	set_active_memcg(arg);
	take(OBJECTS, alloc_here);
	return NULL;
}

/* In slabs that have no owner, and freed by others but not yet collected. */
Test(leak, objects_of_removed_groups, .init = make)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "short");
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, take_in_group, memcg), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	free_from(400);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	free_from(300);
	destroy_in_vain();
	expect_line(0, "cgslab: kmem_cache_destroy(\"leaky\"): 300 objects are still in use\n");
	expect_site(1, "cgslab:   300 allocated by alloc_here+0x");
	cr_expect_eq(lines(), LINES(2));
	free_and_destroy();
}

/* The smallest, where the link and the mark of a free object fill the slot. */
Test(leak, tiny_objects)
{
	make_cache(1, 0);
	take(20, alloc_here);
	free_from(9);
	destroy_in_vain();
	expect_line(0, "cgslab: kmem_cache_destroy(\"leaky\"): 9 objects are still in use\n");
	expect_site(1, "cgslab:   9 allocated by alloc_here+0x");
	cr_expect_eq(lines(), LINES(2));
	free_and_destroy();
}

Test(leak, typesafe_objects)
{
	make_cache(24, SLAB_TYPESAFE_BY_RCU);
	take(20, alloc_here);
	free_from(9);
	destroy_in_vain();
	expect_site(1, "cgslab:   9 allocated by alloc_here+0x");
	free_and_destroy();
}

/* They are waited for, not reported. */
struct deferred {
	struct rcu_head rcu;
	char rest[50];
};

Test(leak, frees_by_rcu_are_no_leaks)
{
	make_cache(sizeof(struct deferred), 0);
	for (int i = 0; i < 1000; i++) {
		struct deferred *deferred = kmem_cache_alloc(cache, GFP_KERNEL);

		cr_assert_not_null(deferred);
		kfree_rcu(deferred, rcu);
	}
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

/* What the user wrote behind his objects would make a wild report. */
Test(leak, ksize_is_what_may_be_written, .init = make)
{
	take(10, alloc_here);
	for (int i = 0; i < 10; i++)
		memset(objects[i], 0x55, ksize(objects[i]));
	destroy_in_vain();
	expect_site(1, "cgslab:   10 allocated by alloc_here+0x");
	free_and_destroy();
}
