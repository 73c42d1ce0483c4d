/* SPDX-License-Identifier: MIT */
/*
 * The short way of obj_cgroup_charge() and obj_cgroup_uncharge(), for the compiler
 * to put in place of the call. Included by memcg.h; CGSLAB_NO_INLINE leaves it out.
 * The functions are there all the same: for who takes their address, and for
 * other languages.
 *
 * It works on the stock of bytes of the group that the calling thread is in. Its
 * layout is part of the ABI and has its number in the name of the variable: a
 * library with another has no cgslab_stock_1, and the program does not start.
 */
#ifndef CGSLAB_CHARGE_INLINE_H
#define CGSLAB_CHARGE_INLINE_H

#include <cgslab/memcg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Written by the calling thread, but for limit and floor, which others lower and raise. */
struct cgslab_stock {
	int64_t used; /* taken out; at most limit, or the charge is not granted */
	int64_t limit;
	int64_t floor;		  /* below it the stock holds too much */
	struct obj_cgroup *objcg; /* whose stock it is; NULL: nobody's */
	int64_t manual;		  /* the part of used that is not in objects */
};

/* The calling thread's; never NULL. May be another after any call of the library. */
extern __thread struct cgslab_stock *cgslab_stock_1
	__attribute__((tls_model("initial-exec"), visibility("default")));

/* No charge is for more: a thousand times the memory of any machine. */
#define CGSLAB_CHARGE_MAX ((size_t)1 << 52)

/* Never a function of the program's: where one is needed, it is the library's. */
#define CGSLAB_INLINE extern __inline__ __attribute__((__gnu_inline__, __always_inline__))

/* The long ways: a stock that is empty, too full, or not that of @objcg. */
int obj_cgroup_charge_slow(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
	CGSLAB_API(obj_cgroup_charge_slow);
void obj_cgroup_uncharge_slow(struct obj_cgroup *objcg, size_t size)
	CGSLAB_API(obj_cgroup_uncharge_slow);

CGSLAB_INLINE int obj_cgroup_charge_inline(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	struct cgslab_stock *stock = cgslab_stock_1;
	int64_t used, limit;

	if (__builtin_expect(stock->objcg != objcg || size > CGSLAB_CHARGE_MAX, 0))
		return obj_cgroup_charge_slow(objcg, gfp, size);
	used = stock->used + (int64_t)size;
	__atomic_store_n(&stock->used, used, __ATOMIC_RELAXED);
	/* Taken first, then looked whether it may be: the library revokes the other way round. */
	__asm__ __volatile__("" ::: "memory");
	limit = __atomic_load_n(&stock->limit, __ATOMIC_RELAXED);
	if (__builtin_expect(used > limit, 0)) {
		__atomic_store_n(&stock->used, used - (int64_t)size, __ATOMIC_RELAXED);
		return obj_cgroup_charge_slow(objcg, gfp, size);
	}
	__atomic_store_n(&stock->manual, stock->manual + (int64_t)size, __ATOMIC_RELAXED);
	return 0;
}

CGSLAB_INLINE void obj_cgroup_uncharge_inline(struct obj_cgroup *objcg, size_t size)
{
	struct cgslab_stock *stock = cgslab_stock_1;
	int64_t used = stock->used - (int64_t)size;

	/* Here the look may come first: at worst the stock holds a little more for a while. */
	if (__builtin_expect(stock->objcg != objcg ||
				     used < __atomic_load_n(&stock->floor, __ATOMIC_RELAXED),
			     0)) {
		obj_cgroup_uncharge_slow(objcg, size);
		return;
	}
	__atomic_store_n(&stock->manual, stock->manual - (int64_t)size, __ATOMIC_RELAXED);
	__atomic_store_n(&stock->used, used, __ATOMIC_RELAXED);
}

CGSLAB_INLINE int obj_cgroup_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	return obj_cgroup_charge_inline(objcg, gfp, size);
}

CGSLAB_INLINE void obj_cgroup_uncharge(struct obj_cgroup *objcg, size_t size)
{
	obj_cgroup_uncharge_inline(objcg, size);
}

#undef CGSLAB_INLINE

#ifdef __cplusplus
}
#endif

#endif
