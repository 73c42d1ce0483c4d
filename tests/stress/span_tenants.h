/* SPDX-License-Identifier: MIT */
/* Groups that use spans, are short of memory, and go: with what they have, or without. */
#ifndef TESTS_STRESS_SPAN_TENANTS_H
#define TESTS_STRESS_SPAN_TENANTS_H

#include <cgslab/memcg.h>

#include "tests/stress/random.h"

/* Bytes; the sanitizers are slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_SANITIZED false
#endif

#define SPAN_LARGEST (IS_SANITIZED ? 256u << 10 : 1u << 20)

void tenants_begin(void);

/* Lives of threads. */
void tenants_use(unsigned int index, struct random *random);
void tenants_end_and_found(unsigned int index, struct random *random);

/* The group above all, which stays. */
struct mem_cgroup *tenants_top(void);

/* Any group, with a reference. */
struct mem_cgroup *tenants_get(struct random *random);

/* All that is left is looked at, and put; then the groups are removed. */
void tenants_end(void);

struct tenants_counts {
	unsigned long removed, killed; /* atomic */
};

extern struct tenants_counts tenants_counts;

#endif
