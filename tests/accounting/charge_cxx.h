/* SPDX-License-Identifier: MIT */
/* Charges made by C++. */
#ifndef TESTS_ACCOUNTING_CHARGE_CXX_H
#define TESTS_ACCOUNTING_CHARGE_CXX_H

#include <cgslab/memcg.h>

#ifdef __cplusplus
extern "C" {
#endif

int charge_in_cxx(struct obj_cgroup *objcg, size_t size);
void uncharge_in_cxx(struct obj_cgroup *objcg, size_t size);

#ifdef __cplusplus
}
#endif

#endif
