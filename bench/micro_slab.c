/* SPDX-License-Identifier: MIT */
/* Object caches and kmalloc: an allocation and its free, at once and in batches. */
#include <stdlib.h>

#include <cgslab/slab.h>

#include "bench/gbench_shim.h"
#include "bench/micro.h"

static struct kmem_cache *cache_create(struct bench *bench)
{
	struct kmem_cache *cache =
		kmem_cache_create("bench", (unsigned)bench_arg(bench), 0, 0, NULL);

	if (!cache)
		bench_fail(bench, "kmem_cache_create failed");
	return cache;
}

static void *checked(void *object)
{
	if (!object)
		abort();
	bench_use(object);
	return object;
}

static void cache_pair(struct bench *bench)
{
	struct kmem_cache *cache = cache_create(bench);

	if (!cache)
		return;
	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			kmem_cache_free(cache, checked(kmem_cache_alloc(cache, GFP_KERNEL)));
	kmem_cache_destroy(cache);
}

static void cache_batch(struct bench *bench)
{
	struct kmem_cache *cache = cache_create(bench);
	void *objects[MICRO_BATCH];

	if (!cache)
		return;
	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			objects[i] = checked(kmem_cache_alloc(cache, GFP_KERNEL));
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			kmem_cache_free(cache, objects[i]);
	}
	kmem_cache_destroy(cache);
}

static void cache_bulk(struct bench *bench)
{
	struct kmem_cache *cache = cache_create(bench);
	void *objects[MICRO_BATCH];

	if (!cache)
		return;
	while (bench_batch(bench, MICRO_BATCH)) {
		if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, MICRO_BATCH, objects))
			abort();
		kmem_cache_free_bulk(cache, MICRO_BATCH, objects);
	}
	kmem_cache_destroy(cache);
}

static void kmalloc_pair(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);

	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			kfree(checked(kmalloc(size, GFP_KERNEL)));
}

static void kmalloc_batch(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);
	void *objects[MICRO_BATCH];

	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			objects[i] = checked(kmalloc(size, GFP_KERNEL));
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			kfree(objects[i]);
	}
}

static void cache_lifecycle(struct bench *bench)
{
	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			struct kmem_cache *cache = kmem_cache_create("bench", 64, 0, 0, NULL);

			if (!cache) {
				bench_fail(bench, "kmem_cache_create failed");
				return;
			}
			kmem_cache_destroy(cache);
		}
	}
}

void micro_slab_register(void)
{
	for (int64_t size = 16; size <= 4096; size *= 16) {
		bench_register("kmem_cache_alloc_free", cache_pair, size);
		bench_register("kmem_cache_batch", cache_batch, size);
		bench_register("kmem_cache_bulk", cache_bulk, size);
		bench_register("kmalloc_kfree", kmalloc_pair, size);
		bench_register("kmalloc_batch", kmalloc_batch, size);
	}
	bench_register("kmem_cache_create_destroy", cache_lifecycle, -1);
}
