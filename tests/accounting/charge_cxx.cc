/* SPDX-License-Identifier: MIT */
#include "tests/accounting/charge_cxx.h"

int charge_in_cxx(obj_cgroup *objcg, size_t size)
{
	return obj_cgroup_charge(objcg, GFP_KERNEL, size);
}

void uncharge_in_cxx(obj_cgroup *objcg, size_t size)
{
	obj_cgroup_uncharge(objcg, size);
}
