/* SPDX-License-Identifier: MIT */
/* Groups and byte charges. */
#include <stdlib.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "bench/gbench_shim.h"
#include "bench/micro.h"

static struct mem_cgroup *group_create(struct bench *bench)
{
	struct mem_cgroup *group = mem_cgroup_create(NULL, "bench");

	if (!group)
		bench_fail(bench, "mem_cgroup_create failed");
	return group;
}

static void group_remove(struct mem_cgroup *group)
{
	mem_cgroup_rmdir(group);
	mem_cgroup_put(group);
}

/* Charges and takes back; the argument is the number of bytes. */
static void charge(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);
	struct obj_cgroup *objcg = get_obj_cgroup_from_current();

	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			if (obj_cgroup_charge(objcg, GFP_KERNEL, size))
				abort();
			obj_cgroup_uncharge(objcg, size);
		}
	}
	obj_cgroup_put(objcg);
}

/* Enters a group and leaves it again. */
static void switch_group(struct bench *bench)
{
	struct mem_cgroup *group = group_create(bench);

	if (!group)
		return;
	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			set_active_memcg(set_active_memcg(group));
	group_remove(group);
}

/* As a server does for a request: enter, allocate and free, leave. */
static void switch_and_allocate(struct bench *bench)
{
	struct mem_cgroup *group = group_create(bench);

	if (!group)
		return;
	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			struct mem_cgroup *before = set_active_memcg(group);
			void *object = kmalloc(64, GFP_KERNEL);

			bench_use(object);
			kfree(object);
			set_active_memcg(before);
		}
	}
	group_remove(group);
}

static void group_lifecycle(struct bench *bench)
{
	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			struct mem_cgroup *group = group_create(bench);

			if (!group)
				return;
			group_remove(group);
		}
	}
}

void micro_memcg_register(void)
{
	bench_register("obj_cgroup_charge_uncharge", charge, 64);
	bench_register("obj_cgroup_charge_uncharge", charge, 65536);
	bench_register("set_active_memcg", switch_group, -1);
	bench_register("set_active_memcg_kmalloc", switch_and_allocate, -1);
	bench_register("mem_cgroup_create_rmdir", group_lifecycle, -1);
}
