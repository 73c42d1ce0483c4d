/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNTING_RESERVE_H
#define ACCOUNTING_RESERVE_H

#include "accounting/mem_cgroup.h"

/* What mem_cgroup_set_reserve() has kept is uncharged. Needs no lock; cgroup_lock may be held. */
void memcg_give_up_reserve(struct mem_cgroup *memcg);

#endif
