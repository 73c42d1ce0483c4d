/* SPDX-License-Identifier: MIT */
/*
 * A server with --threads workers and --live tenants. A request is for one tenant; some have many
 * more than others. It
 *
 *	allocates blocks that it needs only for itself, and frees them,
 *	puts some into the tenant's store, and frees those that lay there, which any worker may
 *	have allocated,
 *	leaves one with another tenant, and frees the one that lay there, which a third tenant may
 *	have left.
 *
 *	serve	--ops requests. Requests per second, CPU time of a request, and what is resident
 *	audit	the same, with books about what each tenant holds: how far the way's numbers are
 *off, at the end of requests and in their midst limit	every tenant takes more and more until it is
 *refused, and then drops half: how far it gets past its limit
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/ways/gate.h"
#include "bench/ways/way.h"
#include "bench/workloads/block.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define TENANTS_MAX    65536u /* what fits in a tag */
#define STORE	       256u   /* blocks in a tenant's store */
#define GIFTS	       16u    /* from others, that lie with a tenant */
#define SHORT_LIVED    12u    /* blocks a request needs for itself */
#define KEPT	       4u     /* that it puts into the store */
#define ROUNDS	       8u     /* of an audit, each with a quiet moment at its end */
#define LOOKS	       8u     /* in the midst of a round */

#define ROOMY	       (64ull << 20) /* a limit that nobody reaches */
#define TIGHT	       (2ull << 20)
#define GREEDY_BLOCKS  64u    /* that a request keeps */
#define HOARD	       65536u /* blocks that a greedy tenant can have */
#define GREEDY_SECONDS 1

enum { SERVE, AUDIT, LIMIT };

struct tenant {
	struct block *_Atomic store[STORE];
	struct block *_Atomic gifts[GIFTS];

	/* LIMIT: */
	pthread_mutex_t lock;
	struct block **hoard; /* lock */
	unsigned hoarded;     /* lock */

	/* The books: bytes, by way_size(), and the most there ever were. */
	_Atomic int64_t truth __attribute__((aligned(64)));
	_Atomic int64_t most;
} __attribute__((aligned(64)));

static struct tenant *tenants;
static unsigned nr_tenants, nr_workers;
static bool books;							  /* are kept */
static double started[WORKLOAD_MAX_THREADS], ended[WORKLOAD_MAX_THREADS]; /* its worker */
static double cpu_seconds;						  /* worker 0 */
static atomic_ulong served, refused;

/* ---- Blocks --------------------------------------------------------------- */

static unsigned owner_of(const struct block *block)
{
	return block->tag % TENANTS_MAX;
}

static void note(unsigned tenant, int64_t bytes)
{
	int64_t now = bytes + atomic_fetch_add(&tenants[tenant].truth, bytes);
	int64_t most = tenants[tenant].most;

	while (now > most && !atomic_compare_exchange_weak(&tenants[tenant].most, &most, now))
		;
}

/* NULL: the tenant has too much. */
static struct block *try_new(unsigned tenant, size_t size, struct rng *rng)
{
	void *memory = way_alloc(size);

	if (!memory)
		return NULL;
	if (books)
		note(tenant, (int64_t)way_size(memory));
	return block_mark(memory, size, (rng_next(rng) & ~(TENANTS_MAX - 1)) | tenant);
}

static struct block *new_block(unsigned tenant, size_t size, struct rng *rng)
{
	struct block *block = try_new(tenant, size, rng);

	if (!block)
		workload_fail("refused far below the limit");
	gate_pass();
	return block;
}

static uint64_t drop(struct block *block)
{
	uint64_t sum;

	if (!block)
		return 0;
	sum = block_check(block);
	if (books)
		note(owner_of(block), -(int64_t)way_size(block));
	way_free(block, owner_of(block));
	gate_pass();
	return sum;
}

static uint64_t replace(struct block *_Atomic *place, struct block *block)
{
	return drop(atomic_exchange_explicit(place, block, memory_order_acq_rel));
}

/* ---- Requests --------------------------------------------------------------- */

/* Low ones are picked more often. */
static unsigned pick_tenant(struct rng *rng)
{
	return rng_below(rng, rng_below(rng, nr_tenants) + 1);
}

static size_t short_lived_size(struct rng *rng)
{
	return rng_below(rng, 128) ? rng_log_between(rng, 4, 9) : rng_log_between(rng, 12, 15);
}

static uint64_t serve(unsigned tenant, struct rng *rng)
{
	struct block *blocks[SHORT_LIVED];
	struct tenant *other = &tenants[pick_tenant(rng)];
	uint64_t sum = 0;

	for (unsigned i = 0; i < SHORT_LIVED; i++)
		blocks[i] = new_block(tenant, short_lived_size(rng), rng);
	for (unsigned i = 0; i < KEPT; i++)
		sum += replace(&tenants[tenant].store[rng_below(rng, STORE)],
			       new_block(tenant, rng_log_between(rng, 4, 11), rng));
	sum += replace(&other->gifts[rng_below(rng, GIFTS)],
		       new_block(tenant, rng_log_between(rng, 4, 9), rng));
	for (unsigned i = 0; i < SHORT_LIVED; i++)
		sum += drop(blocks[i]);
	return sum;
}

static uint64_t request(struct rng *rng)
{
	unsigned tenant = pick_tenant(rng);
	uint64_t sum;

	way_enter(tenant);
	if (!way_admit(tenant))
		workload_fail("refused far below the limit");
	sum = serve(tenant, rng);
	way_leave();
	return sum;
}

/* So that all stores are full from the first request on. */
static uint64_t fill_stores(unsigned index, struct rng *rng)
{
	uint64_t sum = 0;

	for (unsigned tenant = index; tenant < nr_tenants; tenant += nr_workers) {
		way_enter(tenant);
		for (unsigned i = 0; i < STORE; i++)
			sum += replace(&tenants[tenant].store[i],
				       new_block(tenant, rng_log_between(rng, 4, 11), rng));
		way_leave();
	}
	return sum;
}

static uint64_t requests(uint64_t count, struct rng *rng)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += request(rng);
	return sum;
}

static uint64_t work(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	uint64_t count = params->ops / nr_workers;
	struct rng rng = rng_make(params->seed, index);
	uint64_t sum = fill_stores(index, &rng);

	sum += requests(count / 4, &rng); /* to be warm */
	gate_end_round();
	if (index == 0)
		cpu_seconds = -measure_process_seconds();
	started[index] = measure_now();
	sum += requests(count, &rng);
	ended[index] = measure_now();
	gate_end_round();
	if (index == 0)
		cpu_seconds += measure_process_seconds();
	return sum;
}

/* ---- The audit -------------------------------------------------------------- */

static struct errors {
	double worst, sum, charged_above, charged_below;
	uint64_t count;
} at_quiet, in_midst;

static void look(void *arg)
{
	struct errors *errors = arg;

	way_refresh();
	for (unsigned i = 0; i < nr_tenants; i++) {
		double truth = (double)tenants[i].truth;
		double error = (double)way_held(i) - truth;
		double charged = (double)way_charged(i) - truth;

		error = error < 0 ? -error : error;
		errors->sum += error;
		errors->count++;
		if (error > errors->worst)
			errors->worst = error;
		if (charged > errors->charged_above)
			errors->charged_above = charged;
		if (-charged > errors->charged_below)
			errors->charged_below = -charged;
	}
}

/* Worker 0 stops the others in the midst of requests, being in one itself. */
static uint64_t looked_at_request(struct rng *rng)
{
	unsigned tenant = pick_tenant(rng);
	uint64_t sum;

	way_enter(tenant);
	sum = serve(tenant, rng);
	gate_stop_others(look, &in_midst);
	sum += serve(tenant, rng);
	way_leave();
	return sum;
}

static uint64_t audit_round(unsigned index, uint64_t requests, struct rng *rng)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < requests; i++) {
		bool looks = index == 0 && i % (requests / LOOKS + 1) == requests / LOOKS / 2;

		sum += looks ? looked_at_request(rng) : request(rng);
	}
	return sum;
}

static uint64_t work_audited(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	struct rng rng = rng_make(params->seed, index);
	uint64_t sum = fill_stores(index, &rng);

	for (unsigned i = 0; i < ROUNDS; i++) {
		sum += audit_round(index, params->ops / nr_workers / ROUNDS, &rng);
		gate_end_round();
		if (index == 0)
			look(&at_quiet);
		gate_end_round();
	}
	return sum;
}

/* ---- The limit -------------------------------------------------------------- */

/* Drops half of what the tenant has. */
static void give_way(struct tenant *tenant)
{
	unsigned keep = tenant->hoarded / 2;

	while (tenant->hoarded > keep)
		drop(tenant->hoard[--tenant->hoarded]);
}

static bool hoard(unsigned index, struct rng *rng)
{
	struct tenant *tenant = &tenants[index];

	if (!way_admit(index))
		return false;
	for (unsigned i = 0; i < GREEDY_BLOCKS && tenant->hoarded < HOARD; i++) {
		struct block *block = try_new(index, rng_log_between(rng, 4, 11), rng);

		if (!block)
			return false;
		tenant->hoard[tenant->hoarded++] = block;
	}
	return true;
}

static void greedy_request(struct rng *rng)
{
	unsigned index = rng_below(rng, nr_tenants);
	struct tenant *tenant = &tenants[index];

	pthread_mutex_lock(&tenant->lock);
	way_enter(index);
	if (hoard(index, rng)) {
		served++;
	} else {
		refused++;
		give_way(tenant);
	}
	way_leave();
	pthread_mutex_unlock(&tenant->lock);
}

static uint64_t work_greedily(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	struct rng rng = rng_make(params->seed, index);
	double end = measure_now() + GREEDY_SECONDS;

	while (measure_now() < end)
		greedy_request(&rng);
	return 0;
}

/* ---- Reports ---------------------------------------------------------------- */

static void report_serve(uint64_t served_requests)
{
	double first = started[0], last = ended[0];

	for (unsigned i = 1; i < nr_workers; i++) {
		first = started[i] < first ? started[i] : first;
		last = ended[i] > last ? ended[i] : last;
	}
	measure_print("requests_per_second", (double)served_requests / (last - first));
	measure_print("cpu_ns_per_request", cpu_seconds * 1e9 / (double)served_requests);
	measure_print("rss_bytes", (double)measure_rss_bytes());
}

static void report_errors(void)
{
	measure_print("error_quiet", at_quiet.worst);
	measure_print("error_quiet_mean", at_quiet.sum / (double)at_quiet.count);
	measure_print("error_midst", in_midst.worst);
	measure_print("error_midst_mean", in_midst.sum / (double)in_midst.count);
	measure_print("charged_above", in_midst.charged_above);
	measure_print("charged_below", in_midst.charged_below);
}

static void report_limit(void)
{
	int64_t worst = INT64_MIN;

	for (unsigned i = 0; i < nr_tenants; i++) {
		int64_t past = tenants[i].most - (int64_t)TIGHT;

		worst = past > worst ? past : worst;
	}
	measure_print("overshoot_bytes", worst > 0 ? (double)worst : 0);
	measure_print("refused", (double)refused);
	measure_print("served", (double)served);
}

/* ---- A run ------------------------------------------------------------------ */

static void tenants_create(unsigned mode)
{
	tenants = aligned_alloc(64, nr_tenants * sizeof(*tenants));
	if (!tenants)
		workload_fail("out of memory");
	memset(tenants, 0, nr_tenants * sizeof(*tenants));
	way_start(nr_tenants, mode == LIMIT ? TIGHT : ROOMY);
	for (unsigned i = 0; i < nr_tenants; i++) {
		pthread_mutex_init(&tenants[i].lock, NULL);
		if (mode == LIMIT)
			tenants[i].hoard = malloc(HOARD * sizeof(struct block *));
		way_create(i);
	}
}

static uint64_t tenants_empty(void)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < nr_tenants; t++) {
		for (unsigned i = 0; i < STORE; i++)
			sum += replace(&tenants[t].store[i], NULL);
		for (unsigned i = 0; i < GIFTS; i++)
			sum += replace(&tenants[t].gifts[i], NULL);
		while (tenants[t].hoarded)
			drop(tenants[t].hoard[--tenants[t].hoarded]);
		free(tenants[t].hoard);
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	static thread_body *const bodies[] = {work, work_audited, work_greedily};
	uint64_t sum;

	if (params->live > TENANTS_MAX)
		workload_fail("too many tenants for --live");
	nr_tenants = (unsigned)params->live;
	nr_workers = params->threads;
	books = params->mode != SERVE;
	tenants_create(params->mode);
	gate_init(nr_workers);
	sum = threads_run(nr_workers, bodies[params->mode], (void *)params);
	if (params->mode == SERVE)
		report_serve(params->ops / nr_workers * nr_workers);
	else if (params->mode == AUDIT)
		report_errors();
	else
		report_limit();
	return params->mode == LIMIT ? (tenants_empty(), 0) : sum + tenants_empty();
}

const struct workload workload = {
	.about = "a server with --live tenants",
	.modes = {"serve", "audit", "limit"},
	.defaults = {.ops = 2000000, .live = 200},
	.run = run,
};
