/* SPDX-License-Identifier: MIT */
/* What the program decides when there is no room, and is told afterwards. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/os.h"

#define LIMIT (1ul << 20)
#define BLOCK (LIMIT / 4)

static struct mem_cgroup *parent, *memcg;
static void *blocks[8];
static int nr_blocks, calls;
static enum mem_cgroup_oom_verdict answer;
static struct mem_cgroup_oom seen;

static void make(void)
{
	parent = mem_cgroup_create(NULL, "parent");
	memcg = mem_cgroup_create(parent, "full");
	cr_assert(parent && memcg);
	mem_cgroup_set_max(memcg, LIMIT);
	set_active_memcg(memcg);
	while (nr_blocks < 4)
		blocks[nr_blocks++] = kmalloc(BLOCK, GFP_KERNEL);
	cr_assert_not_null(blocks[3]);
	cr_assert_null(kmalloc(BLOCK, GFP_KERNEL));
}

static void check(void)
{
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static enum mem_cgroup_oom_verdict on_oom(const struct mem_cgroup_oom *oom, void *arg)
{
	cr_expect_eq(arg, &calls);
	calls++;
	seen = *oom;
	return answer;
}

static enum mem_cgroup_oom_verdict free_one(const struct mem_cgroup_oom *oom, void *arg)
{
	(void)oom;
	(void)arg;
	calls++;
	if (!nr_blocks)
		return MEMCG_OOM_REFUSE;
	kfree(blocks[--nr_blocks]);
	return MEMCG_OOM_RETRY;
}

static uint64_t event(enum memcg_event which)
{
	return mem_cgroup_event(memcg, which);
}

/* ---- The three answers --------------------------------------------------------------- */

Test(oom, may_refuse, .init = make, .fini = check)
{
	uint64_t ooms = event(MEMCG_EVENT_OOM);

	answer = MEMCG_OOM_REFUSE;
	cr_assert_eq(mem_cgroup_set_oom(memcg, on_oom, &calls), 0);
	errno = 0;
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(errno, ENOMEM);
	cr_expect_eq(calls, 1);
	cr_expect_eq(seen.memcg, memcg);
	cr_expect_eq(seen.current, memcg);
	cr_expect_null(seen.oom_group);
	cr_expect_eq(seen.bytes, BLOCK);
	cr_expect_eq(seen.gfp, GFP_KERNEL);
	cr_expect_eq(event(MEMCG_EVENT_OOM), ooms + 1);
	cr_expect_eq(event(MEMCG_EVENT_OOM_KILL), 0);
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
}

Test(oom, may_free, .init = make, .fini = check)
{
	cr_assert_eq(mem_cgroup_set_oom(memcg, free_one, NULL), 0);
	cr_expect_not_null(kmalloc(3 * BLOCK, GFP_KERNEL));
	cr_expect_eq(calls, 3);
	cr_expect_eq(event(MEMCG_EVENT_OOM_KILL), 3);
	cr_expect_eq(event(MEMCG_EVENT_OOM_GROUP_KILL), 0);
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
	cr_expect_null(kmalloc(2 * BLOCK, GFP_KERNEL));
}

Test(oom, may_let_it_pass, .init = make, .fini = check)
{
	answer = MEMCG_OOM_OVERCHARGE;
	cr_assert_eq(mem_cgroup_set_oom(memcg, on_oom, &calls), 0);
	cr_expect_not_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_usage(memcg), LIMIT + BLOCK);
	cr_expect_not_null(kmalloc(100, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_usage(memcg), LIMIT + BLOCK + 4096, "only what is needed");
	cr_expect_eq(calls, 2);
	cr_assert_eq(mem_cgroup_set_oom(memcg, NULL, NULL), 0);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(calls, 2);
}

Test(oom, who_only_says_so_is_not_asked_for_ever, .init = make, .fini = check)
{
	answer = MEMCG_OOM_RETRY;
	cr_assert_eq(mem_cgroup_set_oom(memcg, on_oom, &calls), 0);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(calls, 16);
}

/* ---- Who is asked, and when ------------------------------------------------------------ */

Test(oom, the_nearest_from_the_group_at_its_limit, .init = make, .fini = check)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");

	answer = MEMCG_OOM_REFUSE;
	cr_assert_eq(mem_cgroup_set_oom(child, free_one, NULL), 0);
	cr_assert_eq(mem_cgroup_set_oom(parent, on_oom, &calls), 0);
	set_active_memcg(child);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(calls, 1);
	cr_expect_eq(seen.memcg, memcg);
	cr_expect_eq(seen.current, child);
	cr_expect_eq(nr_blocks, 4, "the child is below the limit");
}

Test(oom, the_highest_group_that_goes_together, .init = make, .fini = check)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");
	struct mem_cgroup *below = mem_cgroup_create(child, "below");

	answer = MEMCG_OOM_REFUSE;
	cr_assert_eq(mem_cgroup_set_oom(memcg, on_oom, &calls), 0);
	cr_expect_eq(mem_cgroup_set_oom_group(mem_cgroup_root(), true), -EINVAL);
	cr_expect_not(mem_cgroup_get_oom_group(child));
	cr_assert_eq(mem_cgroup_set_oom_group(child, true), 0);
	cr_assert_eq(mem_cgroup_set_oom_group(below, true), 0);
	cr_assert_eq(mem_cgroup_set_oom_group(parent, true), 0);
	cr_expect(mem_cgroup_get_oom_group(child));
	set_active_memcg(below);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(seen.oom_group, child);
	cr_assert_eq(mem_cgroup_set_oom_group(child, false), 0);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(seen.oom_group, below);
	answer = MEMCG_OOM_RETRY;
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_event(below, MEMCG_EVENT_OOM_GROUP_KILL), 16);
}

Test(oom, not_where_callbacks_may_not_run, .init = make, .fini = check)
{
	size_t left;

	cr_assert_eq(mem_cgroup_set_oom(memcg, free_one, NULL), 0);
	cr_expect_null(kmalloc(BLOCK, GFP_NOWAIT));
	rcu_read_lock();
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	rcu_read_unlock();
	left = memalloc_overcharge_save(BLOCK);
	cr_expect_not_null(kmalloc(BLOCK, GFP_KERNEL), "what the thread allows itself comes first");
	memalloc_overcharge_restore(left);
	cr_expect_not_null(kmalloc(BLOCK, GFP_KERNEL | __GFP_NOFAIL));
	cr_expect_eq(calls, 0);
	cr_expect_not_null(kmalloc(10, GFP_NOFS), "but within malloc()");
	cr_expect_gt(calls, 0);
}

/* ---- What it may do ---------------------------------------------------------------------- */

static enum mem_cgroup_oom_verdict busy(const struct mem_cgroup_oom *oom, void *arg)
{
	struct mem_cgroup *victim = arg, *old;
	void *block;

	calls++;
	cr_expect_neq(mem_cgroup_current(), oom->current);
	old = set_active_memcg(oom->memcg);
	block = kmalloc(2 * LIMIT, GFP_KERNEL);
	cr_expect_not_null(block, "past the limit");
	kfree(block);
	set_active_memcg(old);
	cr_assert_eq(mem_cgroup_set_oom(oom->memcg, NULL, NULL), 0);
	return mem_cgroup_kill(victim, 0) ? MEMCG_OOM_REFUSE : MEMCG_OOM_RETRY;
}

Test(oom, may_allocate_kill_and_take_itself_away, .init = make, .fini = check)
{
	struct mem_cgroup *victim = mem_cgroup_create(memcg, "victim");

	while (nr_blocks)
		kfree(blocks[--nr_blocks]);
	set_active_memcg(victim);
	for (int i = 0; i < 1000; i++)
		cr_assert_not_null(kmalloc(800, GFP_KERNEL));
	set_active_memcg(memcg);
	cr_assert_eq(mem_cgroup_set_oom(memcg, busy, victim), 0);
	cr_expect_not_null(kmalloc(LIMIT / 2, GFP_KERNEL));
	cr_expect_eq(calls, 1);
	cr_expect_eq(mem_cgroup_current(), memcg);
	cr_expect_null(kmalloc(LIMIT, GFP_KERNEL));
	cr_expect_eq(calls, 1);
	mem_cgroup_put(victim);
}

/* ---- One at a time -------------------------------------------------------------------------- */

#define THREADS 4

static int inside, most_inside, slow_calls;

static enum mem_cgroup_oom_verdict slow(const struct mem_cgroup_oom *oom, void *arg)
{
	int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);

	(void)oom;
	(void)arg;
	if (now > most_inside)
		most_inside = now;
	slow_calls++;
	os_sleep_us(50000);
	while (nr_blocks)
		kfree(blocks[--nr_blocks]);
	__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	return MEMCG_OOM_RETRY;
}

static void *allocate_once(void *arg)
{
	set_active_memcg(memcg);
	*(void **)arg = kmalloc(LIMIT / 8, GFP_KERNEL);
	set_active_memcg(NULL);
	return NULL;
}

Test(oom, others_wait_and_try_again, .init = make, .fini = check)
{
	pthread_t threads[THREADS];
	void *got[THREADS];

	cr_assert_eq(mem_cgroup_set_oom(memcg, slow, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, allocate_once, &got[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		cr_expect_not_null(got[i]);
	}
	cr_expect_eq(most_inside, 1);
	cr_expect_eq(slow_calls, 1, "the others get what the first has freed");
}

static bool gone;

static enum mem_cgroup_oom_verdict linger(const struct mem_cgroup_oom *oom, void *arg)
{
	(void)oom;
	(void)arg;
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	os_sleep_us(300000);
	cr_expect_not(__atomic_load_n(&gone, __ATOMIC_SEQ_CST), "taken away while it runs");
	__atomic_store_n(&inside, 0, __ATOMIC_SEQ_CST);
	return MEMCG_OOM_REFUSE;
}

Test(oom, taking_it_away_waits_for_it, .init = make, .fini = check)
{
	pthread_t thread;
	void *got;

	cr_assert_eq(mem_cgroup_set_oom(memcg, linger, NULL), 0);
	pthread_create(&thread, NULL, allocate_once, &got);
	while (!__atomic_load_n(&inside, __ATOMIC_SEQ_CST))
		os_sleep_us(1000);
	cr_assert_eq(mem_cgroup_set_oom(memcg, NULL, NULL), 0);
	__atomic_store_n(&gone, true, __ATOMIC_SEQ_CST);
	cr_expect_eq(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	pthread_join(thread, NULL);
	cr_expect_null(got);
}

/* ---- Reserve -------------------------------------------------------------------------------- */

Test(oom, a_reserve_makes_room_for_who_unwinds, .init = make, .fini = check)
{
	kfree(blocks[--nr_blocks]);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, 100000), 0);
	cr_expect_eq(mem_cgroup_reserve(memcg), 100000);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 3 * BLOCK + 25 * 4096);
	cr_expect_null(kmalloc(BLOCK, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_reserve(memcg), 0);
	cr_expect_not_null(kmalloc(BLOCK - 8192, GFP_KERNEL), "now there is room");
	cr_expect_eq(mem_cgroup_set_reserve(memcg, 100000), -ENOMEM);
	cr_expect_eq(mem_cgroup_reserve(memcg), 0);
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
}

Test(oom, a_reserve_can_change, .init = make, .fini = check)
{
	kfree(blocks[--nr_blocks]);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, 10000), 0);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, BLOCK - 4096), 0);
	cr_expect_eq(mem_cgroup_reserve(memcg), BLOCK - 4096);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, 100), 0);
	cr_expect_leq(mem_cgroup_usage(memcg), 3 * BLOCK + 4096);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, 0), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 3 * BLOCK);
	cr_expect_eq(mem_cgroup_set_reserve(memcg, UINT64_MAX), -ENOMEM);
}

Test(oom, a_removed_group_has_no_reserve, .init = make, .fini = check)
{
	struct mem_cgroup *child = mem_cgroup_create(parent, "child");
	uint64_t usage = mem_cgroup_usage(parent);

	cr_expect_eq(mem_cgroup_set_reserve(child, LIMIT), 0);
	cr_expect_eq(mem_cgroup_usage(parent), usage + LIMIT);
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	cr_expect_eq(mem_cgroup_usage(parent), usage);
	cr_expect_eq(mem_cgroup_set_reserve(child, LIMIT), -ENODEV);
	cr_expect_eq(mem_cgroup_usage(parent), usage);
	mem_cgroup_put(child);
}

/* ---- Why --------------------------------------------------------------------------------------
 */

Test(oom, a_refusal_is_explained, .init = make, .fini = check)
{
	struct mem_cgroup_refusal refusal = {.size = sizeof(refusal)};
	char text[512], small[20];
	long len;

	cr_assert_eq(mem_cgroup_last_refusal(&refusal), 0); /* that of make() */
	cr_expect_eq(refusal.id, mem_cgroup_id(memcg));
	cr_expect_eq(refusal.usage, LIMIT);
	cr_expect_eq(refusal.limit, LIMIT);
	cr_expect_eq(refusal.bytes, BLOCK);
	cr_expect_str_eq(refusal.path, "/process/parent/full");

	set_active_memcg(NULL);
	for (int i = 0; i < 5; i++) {
		char name[2] = {(char)('a' + i), 0};
		struct mem_cgroup *child = mem_cgroup_create(parent, name);

		set_active_memcg(child);
		cr_assert_not_null(kmalloc((size_t)(i ^ 2) * 65536 + 32768, GFP_KERNEL));
		mem_cgroup_create(child, "below");
	}
	mem_cgroup_set_max(parent, 2000000);
	cr_assert_null(kmalloc(65536, GFP_KERNEL));
	len = mem_cgroup_explain_refusal(text, sizeof(text));
	cr_expect_eq(len, (long)strlen(text));
	cr_expect_str_eq(text, "65536 bytes were refused: group /process/parent used 1998848 of "
			       "1998848 bytes; below it, full uses 1048576, e uses 425984, "
			       "b uses 229376");
	cr_expect_eq(mem_cgroup_explain_refusal(small, sizeof(small)), len);
	cr_expect_str_eq(small, "65536 bytes were re");
	cr_expect_eq(mem_cgroup_explain_refusal(NULL, 0), len);
}

static void *never_refused(void *arg)
{
	struct mem_cgroup_refusal refusal = {.size = sizeof(refusal)};

	(void)arg;
	cr_expect_eq(mem_cgroup_last_refusal(&refusal), -ENOENT);
	cr_expect_eq(mem_cgroup_explain_refusal(NULL, 0), -ENOENT);
	refusal.size = 1;
	cr_expect_eq(mem_cgroup_last_refusal(&refusal), -EINVAL);
	return NULL;
}

Test(oom, a_refusal_is_the_thread_s, .init = make, .fini = check)
{
	pthread_t thread;

	pthread_create(&thread, NULL, never_refused, NULL);
	pthread_join(thread, NULL);
}

Test(oom, a_refusal_by_a_group_that_is_gone, .init = make, .fini = check)
{
	struct mem_cgroup_refusal refusal = {.size = sizeof(refusal)};
	char text[256];

	while (nr_blocks)
		kfree(blocks[--nr_blocks]);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	cr_assert_eq(mem_cgroup_last_refusal(&refusal), 0);
	cr_expect_str_eq(refusal.path, "");
	cr_expect_gt(mem_cgroup_explain_refusal(text, sizeof(text)), 0);
	cr_expect(strstr(text, "(removed)"), "%s", text);
}
