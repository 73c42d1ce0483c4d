/* SPDX-License-Identifier: MIT */
/* A memory group for each tenant: the allocator itself knows whose the bytes are. */
#include <stdio.h>
#include <stdlib.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "bench/ways/way.h"
#include "bench/workloads/workload.h"

static struct mem_cgroup **groups; /* const, but for who creates and destroys */
static uint64_t max;

unsigned way_tenants_max(void)
{
	return 1u << 20;
}

void way_start(unsigned tenants, uint64_t limit)
{
	groups = calloc(tenants, sizeof(struct mem_cgroup *));
	if (!groups)
		workload_fail("out of memory");
	/* Resident from now on. */
	for (unsigned i = 0; i < tenants; i++)
		((struct mem_cgroup *volatile *)groups)[i] = NULL;
	max = limit;
}

void way_create(unsigned tenant)
{
	char name[MEMCG_NAME_MAX + 1];

	snprintf(name, sizeof(name), "tenant-%u", tenant);
	groups[tenant] = mem_cgroup_create(NULL, name);
	if (!groups[tenant])
		workload_fail("cannot create a group");
	if (max != WAY_NO_LIMIT && mem_cgroup_set_max(groups[tenant], max))
		workload_fail("cannot set a limit");
}

void way_destroy(unsigned tenant)
{
	if (mem_cgroup_rmdir(groups[tenant]))
		workload_fail("cannot remove a group");
	mem_cgroup_put(groups[tenant]);
	groups[tenant] = NULL;
}

void way_enter(unsigned tenant)
{
	set_active_memcg(groups[tenant]);
}

void way_leave(void)
{
	set_active_memcg(NULL);
}

bool way_admit(unsigned tenant)
{
	(void)tenant;
	return true; /* the allocation is refused, not the request */
}

void *way_alloc(size_t size)
{
	return malloc(size);
}

void way_free(void *object, unsigned owner)
{
	(void)owner;
	free(object);
}

size_t way_size(void *object)
{
	return ksize(object);
}

void way_refresh(void)
{
}

uint64_t way_held(unsigned tenant)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	if (mem_cgroup_stat(groups[tenant], &stat))
		workload_fail("no statistics");
	return stat.object_bytes + stat.span_bytes;
}

uint64_t way_charged(unsigned tenant)
{
	return mem_cgroup_usage(groups[tenant]);
}
