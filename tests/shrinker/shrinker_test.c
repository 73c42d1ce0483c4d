/* SPDX-License-Identifier: MIT */
/* The life of a shrinker, and what its callbacks may do and what not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cgslab/slab.h>

#include "alloc/base/os.h"
#include "alloc/base/rcu.h"
#include "alloc/slab/task.h"
#include "shrinker/pressure.h"
#include "tests/shrinker/toy.h"
#include "tests/slab/child.h"

static struct mem_cgroup *memcg;
static struct toy toy, other;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "group");
	cr_assert(memcg);
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	toy_start(&other, SHRINKER_MEMCG_AWARE, "other");
	set_shrinker_bit(memcg, toy.shrinker->id);
	toy.objects = other.objects = 10;
}

/* ---- Being born ------------------------------------------------------------ */

Test(shrinker, alloc)
{
	struct shrinker *shrinker = shrinker_alloc(0, "%s-%d", "number", 5);

	cr_assert(shrinker);
	cr_expect_eq(shrinker->seeks, DEFAULT_SEEKS);
	cr_expect_eq(shrinker->batch, 0);
	cr_expect_str_eq(shrinker_body(shrinker)->name, "number-5");
	shrinker_free(shrinker);
	shrinker_free(NULL);
	errno = 0;
	cr_expect_null(shrinker_alloc(0x1000, "flags"));
	cr_expect_eq(errno, EINVAL);
}

Test(shrinker, many)
{
	struct toy *toys = calloc(3000, sizeof(*toys));

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3000; i++)
			toy_start(&toys[i], 0, "one of many");
		cr_expect_eq(shrinker_nr_ids(), 3000, "ids are used again");
		for (int i = 0; i < 3000; i++)
			toys[i].objects = 10;
		cr_expect_eq(toy_shrink(NULL, 0), 30000);
		for (int i = 0; i < 3000; i++)
			toy_end(&toys[i]);
	}
	cr_expect_not(shrinkers_registered());
	free(toys);
}

/* However fast they come and go: groups keep memory for each id that they ever saw. */
Test(shrinker, ids_pass_on_at_once, .init = make)
{
	uint32_t before = shrinker_nr_ids();

	for (int i = 0; i < 10000; i++) {
		struct shrinker *shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "passing by");

		cr_assert(shrinker);
		set_shrinker_bit(memcg, shrinker->id);
		shrinker_free(shrinker);
	}
	cr_expect_eq(shrinker_nr_ids(), before + 1);
}

static unsigned int kicks;
static bool starts;

static bool kick(void)
{
	kicks++;
	return starts;
}

static void register_model(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "another");

	shrinker->count_objects = toy.shrinker->count_objects;
	shrinker->scan_objects = toy.shrinker->scan_objects;
	shrinker->private_data = &toy;
	shrinker_register(shrinker);
}

static void register_in_child(void)
{
	kicks = 0;
	register_model();
	CHILD_CHECK(kicks == 1);
}

/* Once there is something to give somebody looks at the machine, and is asked once. */
Test(shrinker, wakes_who_watches, .init = make)
{
	pressure_kick = kick;
	register_model();
	cr_expect_eq(kicks, 0, "not wanted");
	pressure_configure(PRESSURE_ON, "");
	register_model();
	cr_expect_eq(kicks, 1, "it does not start");
	starts = true;
	register_model();
	register_model();
	cr_expect_eq(kicks, 2);
	cr_expect_eq(child_run(fork, register_in_child), 0);
}

/* ---- shrinker_free() ------------------------------------------------------- */

static sem_t inside, go_on;
static bool returned; /* atomic: the callback is about to */

static void wait_inside(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	sem_post(&inside);
	sem_wait(&go_on);
	os_sleep_us(20000);
	__atomic_store_n(&returned, true, __ATOMIC_RELAXED);
}

static void *shrink_in_thread(void *arg)
{
	toy_shrink(arg, 0);
	return NULL;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

Test(shrinker, free_waits_for_callbacks, .init = make)
{
	pthread_t thread;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	toy.during = wait_inside;
	thread = start(shrink_in_thread, memcg);
	sem_wait(&inside);
	sem_post(&go_on);
	toy_end(&toy);
	cr_expect(__atomic_load_n(&returned, __ATOMIC_RELAXED));
	pthread_join(thread, NULL);
}

/*
 * While one callback does not come to its end, others are registered, called and freed,
 * maps grow and groups go, that of the callback too; and only its own shrinker waits.
 */
Test(shrinker, nobody_waits_for_a_slow_callback, .init = make)
{
	struct mem_cgroup *second = mem_cgroup_create(NULL, "second");
	struct toy many[40] = {{.objects = 0}};
	pthread_t thread;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	toy.during = wait_inside;
	thread = start(shrink_in_thread, memcg);
	sem_wait(&inside);
	for (int i = 0; i < 40; i++) {
		toy_start(&many[i], SHRINKER_MEMCG_AWARE, "one of many");
		many[i].objects = 1;
		set_shrinker_bit(memcg, many[i].shrinker->id);
		set_shrinker_bit(second, many[i].shrinker->id);
	}
	cr_expect_eq(toy_shrink(second, 0), 40);
	for (int i = 0; i < 40; i++)
		many[i].objects = 1;
	toy.during = NULL;
	cr_expect_eq(toy_shrink(memcg, 0), 50, "another thread is in the same callback");
	for (int i = 0; i < 40; i++)
		toy_end(&many[i]);
	cr_expect_eq(mem_cgroup_rmdir(second), 0);
	cr_expect_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_not(__atomic_load_n(&returned, __ATOMIC_RELAXED), "all that meanwhile");
	sem_post(&go_on);
	pthread_join(thread, NULL);
}

static bool stop; /* atomic */

static void *shrink_on_and_on(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		toy_shrink(arg, 0);
	return NULL;
}

static void take_a_moment(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	os_sleep_us(500);
}

/* Somebody is always in a callback: nobody new gets in, so it comes to an end. */
Test(shrinker, free_is_not_starved, .init = make)
{
	pthread_t threads[4];

	toy.counting = take_a_moment;
	for (int i = 0; i < 4; i++)
		threads[i] = start(shrink_on_and_on, memcg);
	for (int i = 0; i < 30; i++) {
		os_sleep_us(3000);
		toy_end(&toy);
		toy.counts = 0;
		os_sleep_us(1000);
		cr_expect_eq(__atomic_load_n(&toy.counts, __ATOMIC_RELAXED), 0);
		toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
		set_shrinker_bit(memcg, toy.shrinker->id);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* ---- What callbacks may do -------------------------------------------------- */

static void free_other(struct toy *self, struct shrink_control *sc)
{
	(void)sc;
	self->during = NULL;
	toy_end(&other);
}

Test(shrinker, frees_another, .init = make)
{
	set_shrinker_bit(memcg, other.shrinker->id);
	toy.during = free_other;
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	cr_expect_eq(other.counts, 0);
}

static struct toy born;

static void register_one(struct toy *self, struct shrink_control *sc)
{
	self->during = NULL;
	toy_start(&born, SHRINKER_MEMCG_AWARE, "born in a callback");
	born.objects = 7;
	set_shrinker_bit(sc->memcg, born.shrinker->id);
}

Test(shrinker, registers_another, .init = make)
{
	toy.during = register_one;
	toy_shrink(memcg, 0);
	cr_expect_eq(toy_shrink(memcg, 0), 7);
}

static void do_all_sorts(struct toy *self, struct shrink_control *sc)
{
	struct mem_cgroup *below = mem_cgroup_create(sc->memcg, "below"), *old;

	(void)self;
	old = set_active_memcg(below);
	kfree(kmalloc(1000, GFP_KERNEL));
	set_active_memcg(old);
	rcu_read_lock();
	rcu_read_unlock();
	synchronize_rcu();
	cr_expect_eq(mem_cgroup_rmdir(below), 0);
	mem_cgroup_put(below);
}

Test(shrinker, does_all_sorts_of_things, .init = make)
{
	struct task_scope scope;

	toy.during = do_all_sorts;
	cr_assert(task_begin_callbacks(&scope));
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	task_end_callbacks(&scope);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- What they may not ------------------------------------------------------ */

static int message[2];
static void (*crime)(void);

static void commit(void)
{
	dup2(message[1], STDERR_FILENO);
	crime();
}

static int said(void (*what)(void), char *text, size_t size)
{
	ssize_t n;
	int status;

	crime = what;
	cr_assert_eq(pipe(message), 0);
	status = child_run(fork, commit);
	close(message[1]);
	n = read(message[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(message[0]);
	return status;
}

static void expect_death(void (*what)(void), const char *expected)
{
	char text[500];
	int status = said(what, text, sizeof(text));

	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d", status);
	cr_expect(strstr(text, expected), "says: %s", text);
}

/* One line, however often; and all goes on. */
static void expect_warning(void (*what)(void), const char *expected)
{
	char text[500];
	int status = said(what, text, sizeof(text));

	cr_expect_eq(status, 0);
	cr_expect_str_eq(text, expected);
}

static void free_self(struct toy *self, struct shrink_control *sc)
{
	(void)sc;
	shrinker_free(self->shrinker);
}

static void frees_itself(void)
{
	toy.during = free_self;
	toy_shrink(memcg, 0);
}

Test(shrinker_crime, frees_itself, .init = make)
{
	expect_death(frees_itself, "cgslab: shrinker 'toy' is freed in its own callback\n");
}

static pthread_barrier_t both;

static void free_each_other(struct toy *self, struct shrink_control *sc)
{
	(void)sc;
	pthread_barrier_wait(&both);
	shrinker_free(self == &toy ? other.shrinker : toy.shrinker);
}

static void circle(void)
{
	struct mem_cgroup *second = mem_cgroup_create(NULL, "second");

	pthread_barrier_init(&both, NULL, 2);
	set_shrinker_bit(second, other.shrinker->id);
	toy.during = other.during = free_each_other;
	start(shrink_in_thread, second);
	toy_shrink(memcg, 0);
}

Test(shrinker_crime, two_free_each_other, .init = make)
{
	expect_death(circle, "' free each other's shrinker\n");
}

static struct toy three[3];

static void free_next(struct toy *self, struct shrink_control *sc)
{
	(void)sc;
	pthread_barrier_wait(&both);
	shrinker_free(three[(self - three + 1) % 3].shrinker);
}

static void large_circle(void)
{
	pthread_barrier_init(&both, NULL, 3);
	for (int i = 0; i < 3; i++) {
		char name[] = {(char)('0' + i), '\0'};
		struct mem_cgroup *group = mem_cgroup_create(NULL, name);

		toy_start(&three[i], SHRINKER_MEMCG_AWARE, name);
		three[i].objects = 10;
		three[i].during = free_next;
		set_shrinker_bit(group, three[i].shrinker->id);
		start(shrink_in_thread, group);
	}
	for (;;)
		pause();
}

Test(shrinker_crime, three_free_each_other, .init = make)
{
	expect_death(large_circle, "' free each other's shrinker\n");
}

static void freed_twice(void)
{
	shrinker_free(toy.shrinker);
	shrinker_free(toy.shrinker);
}

Test(shrinker_crime, freed_twice, .init = make)
{
	expect_death(freed_twice, "cgslab: shrinker 'toy' is freed twice\n");
}

static void registered_twice(void)
{
	shrinker_register(toy.shrinker);
}

Test(shrinker_crime, registered_twice, .init = make)
{
	expect_death(registered_twice,
		     "cgslab: shrinker 'toy' is registered twice, or was freed\n");
}

static void no_callbacks(void)
{
	shrinker_register(shrinker_alloc(0, "void"));
}

Test(shrinker_crime, no_callbacks, .init = make)
{
	expect_death(no_callbacks, "cgslab: shrinker 'void' has no callbacks\n");
}

static void no_such_id(void)
{
	set_shrinker_bit(memcg, 4711);
}

Test(shrinker_crime, no_such_id, .init = make)
{
	expect_death(no_such_id, "cgslab: set_shrinker_bit(): no shrinker has the id 4711\n");
}

#ifdef CGSLAB_DEBUG
static void in_a_read_section(void)
{
	rcu_read_lock();
	shrinker_free(toy.shrinker);
}

Test(shrinker_crime, freed_in_a_read_section, .init = make)
{
	expect_death(in_a_read_section, "cgslab: shrinker 'toy' is freed in an RCU read section\n");
}
#endif

static void stay_in_rcu(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	rcu_read_lock();
}

static void stays_in_rcu(void)
{
	toy.during = stay_in_rcu;
	toy_shrink(memcg, 0);
}

Test(shrinker_crime, stays_in_rcu, .init = make)
{
	expect_death(stays_in_rcu,
		     "cgslab: a callback of shrinker 'toy' returned in an RCU read section\n");
}

static void counts_wrong(void)
{
	toy.objects = (unsigned long)-ENOMEM;
	for (int i = 0; i < 3; i++)
		CHILD_CHECK(toy_shrink(memcg, 0) == 0);
}

Test(shrinker_crime, counts_wrong, .init = make)
{
	expect_warning(counts_wrong, "cgslab: count_objects() of shrinker 'toy' returned -12: that "
				     "is no number of objects\n");
}

static void stops_when_counting(void)
{
	toy.objects = SHRINK_STOP;
	CHILD_CHECK(toy_shrink(memcg, 0) == 0);
	CHILD_CHECK(toy_bit(&toy, memcg));
}

Test(shrinker_crime, stops_when_counting, .init = make)
{
	expect_warning(stops_when_counting,
		       "cgslab: count_objects() of shrinker 'toy' returned -1: "
		       "that is no number of objects\n");
}

static unsigned long scan_too_much(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	sc->nr_scanned = 1000000;
	return 1;
}

static void looks_at_more(void)
{
	toy.shrinker->scan_objects = scan_too_much;
	for (int i = 0; i < 3; i++)
		CHILD_CHECK(toy_shrink(memcg, 0) == 1);
}

Test(shrinker_crime, looks_at_more, .init = make)
{
	expect_warning(looks_at_more, "cgslab: scan_objects() of shrinker 'toy' looked at 1000000 "
				      "objects: it was asked to look at 20\n");
}

static unsigned long free_too_much(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	return sc->nr_to_scan + 1;
}

static void frees_more(void)
{
	toy.shrinker->scan_objects = free_too_much;
	for (int i = 0; i < 3; i++)
		CHILD_CHECK(toy_shrink(memcg, 0) == 21);
}

Test(shrinker_crime, frees_more, .init = make)
{
	expect_warning(frees_more, "cgslab: scan_objects() of shrinker 'toy' freed 21 objects: it "
				   "looked at 20\n");
}

static unsigned long fail_to_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return (unsigned long)-EBUSY;
}

static void fails(void)
{
	toy.shrinker->scan_objects = fail_to_scan;
	for (int i = 0; i < 3; i++)
		CHILD_CHECK(toy_shrink(memcg, 0) == 0);
}

Test(shrinker_crime, fails, .init = make)
{
	expect_warning(fails, "cgslab: scan_objects() of shrinker 'toy' returned -16: that is no "
			      "number of objects\n");
}

/* It would be asked for ever. */
static unsigned long look_at_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	sc->nr_scanned = 0;
	return 0;
}

Test(shrinker, looks_at_none, .init = make)
{
	toy.shrinker->scan_objects = look_at_none;
	toy.objects = 100000;
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy_deferred(&toy, memcg), 200000);
}

static void keep_scope(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	memalloc_noreclaim_save();
}

static void keeps_scope(void)
{
	unsigned int flags;

	toy.during = keep_scope;
	for (int i = 0; i < 3; i++) {
		toy.objects = 10;
		toy_shrink(memcg, 0);
	}
	flags = memalloc_noreclaim_save();
	CHILD_CHECK(flags == 0);
}

Test(shrinker_crime, keeps_scope, .init = make)
{
	expect_warning(keeps_scope,
		       "cgslab: a callback of shrinker 'toy' left a memalloc scope open\n");
}

static void stay_there(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	set_active_memcg(sc->memcg);
}

static void stays_there(void)
{
	toy.during = stay_there;
	toy_shrink(memcg, 0);
	CHILD_CHECK(mem_cgroup_current() != memcg);
}

Test(shrinker_crime, stays_there, .init = make)
{
	expect_warning(stays_there,
		       "cgslab: a callback of shrinker 'toy' did not change the active "
		       "group back\n");
}

/* ---- Backing off ------------------------------------------------------------ */

/* Who frees nothing is called ever less often, but at priority 0. */
Test(shrinker, backs_off, .init = make)
{
	uint64_t end;

	toy.objects = 100000;
	toy.keep = true;
	for (end = os_clock_ms() + 300; os_clock_ms() < end;)
		toy_shrink(memcg, 1);
	cr_expect_lt(toy.counts, 20, "%u calls", toy.counts);
	cr_expect_gt(toy.counts, 4);

	toy.counts = 0;
	for (int i = 0; i < 10; i++)
		toy_shrink(memcg, 0);
	cr_expect_eq(toy.counts, 10);

	toy.keep = false;
	cr_expect_gt(toy_shrink(memcg, 0), 0);
	toy.counts = 0;
	toy_shrink(memcg, 1);
	cr_expect_eq(toy.counts, 1, "and it starts over");
}

/* In one group it has nothing: that does not count in another. */
Test(shrinker, backs_off_in_its_group, .init = make)
{
	struct mem_cgroup *second = mem_cgroup_create(NULL, "second");

	set_shrinker_bit(second, toy.shrinker->id);
	toy.objects = 100000;
	toy.keep = true;
	for (int i = 0; i < 20; i++)
		toy_shrink(memcg, 0);
	toy.keep = false;
	cr_expect_eq(toy_shrink(memcg, 1), 0);
	cr_expect_gt(toy_shrink(second, 1), 0);
}

/* ---- fork ------------------------------------------------------------------- */

static void free_in_child(void)
{
	other.objects = SHRINK_EMPTY;
	shrinker_free(toy.shrinker);
	rcu_barrier();
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	toy.objects = 10;
	toy.during = NULL;
	set_shrinker_bit(memcg, toy.shrinker->id);
	CHILD_CHECK(toy_shrink(memcg, 0) == 10);
}

/* The thread that runs the callback is lost in the child. */
Test(shrinker, fork_with_a_callback_elsewhere, .init = make)
{
	pthread_t thread;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	toy.during = wait_inside;
	thread = start(shrink_in_thread, memcg);
	sem_wait(&inside);
	cr_expect_eq(child_run(fork, free_in_child), 0);
	sem_post(&go_on);
	pthread_join(thread, NULL);
}

/* An object comes when the first look is over, and goes no further than the second. */
static unsigned long count_and_stay(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct toy *self = shrinker->private_data;

	switch (++self->counts) {
	case 1:
		self->objects = 10;
		set_shrinker_bit(sc->memcg, shrinker->id);
		return SHRINK_EMPTY;
	case 2:
		sem_post(&inside);
		sem_wait(&go_on);
	}
	return self->objects;
}

static void find_all(void)
{
	other.objects = SHRINK_EMPTY; /* it is asked, too */
	CHILD_CHECK(toy_shrink(memcg, 0) == 10);
	CHILD_CHECK(toy_shrink(memcg, 0) == 0);
}

/* Who has cleared a bit and is to look again is lost in the child: the object is not. */
Test(shrinker, fork_between_two_looks, .init = make)
{
	pthread_t thread;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	toy.shrinker->count_objects = count_and_stay;
	thread = start(shrink_in_thread, memcg);
	sem_wait(&inside);
	cr_expect_not(toy_bit(&toy, memcg));
	cr_expect_eq(child_run(fork, find_all), 0);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	cr_expect_eq(toy.objects, 0);
}

static int child_status;

static void free_other_in_child(void)
{
	shrinker_free(other.shrinker);
}

static void fork_there(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	child_status = child_run(fork, free_other_in_child);
}

Test(shrinker, fork_in_a_callback, .init = make)
{
	toy.during = fork_there;
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	cr_expect_eq(child_status, 0);
}

static void return_in_child(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	child_status = fork();
}

/* The callback returns in both, and the reference of each is put once. */
Test(shrinker, fork_and_return_from_a_callback, .init = make)
{
	int status = 0;

	toy.during = return_in_child;
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	if (child_status == 0) {
		alarm(CHILD_SECONDS);
		free_in_child();
		_exit(0);
	}
	cr_expect_eq(waitpid(child_status, &status, 0), child_status);
	cr_expect_eq(status, 0);
	toy_end(&toy);
}

static void *free_toy(void *arg)
{
	(void)arg;
	toy_end(&toy);
	return NULL;
}

static void use_the_id(void)
{
	struct toy next = {.objects = 0};
	int id = toy.shrinker->id;

	rcu_barrier();
	toy_start(&next, 0, "next");
	CHILD_CHECK(next.shrinker->id == id);
}

/* Who waits in shrinker_free() is lost in the child: what it wanted is done. */
Test(shrinker, fork_amid_shrinker_free, .init = make)
{
	pthread_t shrinking, freeing;

	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	toy.during = wait_inside;
	shrinking = start(shrink_in_thread, memcg);
	sem_wait(&inside);
	freeing = start(free_toy, NULL);
	while (!__atomic_load_n(&shrinker_body(toy.shrinker)->awaited, __ATOMIC_RELAXED))
		os_sleep_us(1000);
	cr_expect_eq(child_run(fork, use_the_id), 0);
	sem_post(&go_on);
	pthread_join(shrinking, NULL);
	pthread_join(freeing, NULL);
}
