/* SPDX-License-Identifier: MIT */
/*
 * Atomics by their ordering.
 *
 * READ_ONCE/WRITE_ONCE mark a plain access that races by design: one load or
 * store, no ordering. Everything stronger says so in its name, and the place
 * that uses it names the place it pairs with.
 */
#ifndef ALLOC_BASE_ATOMIC_H
#define ALLOC_BASE_ATOMIC_H

#define READ_ONCE(x)	    __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)    __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

#define load_acquire(p)	    __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Compiler barrier: the processor's half of the pair is os_membarrier(). */
#define barrier()		 __asm__ __volatile__("" ::: "memory")

#define atomic_add(p, v)	 __atomic_add_fetch((p), (v), __ATOMIC_RELAXED)
#define atomic_sub(p, v)	 __atomic_sub_fetch((p), (v), __ATOMIC_RELAXED)
#define atomic_add_acq_rel(p, v) __atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL)
#define atomic_sub_acq_rel(p, v) __atomic_sub_fetch((p), (v), __ATOMIC_ACQ_REL)
#define atomic_xchg(p, v)	 __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/* On failure *@old is updated to the value found. */
#define cmpxchg_relaxed(p, old, new)                                                               \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cmpxchg_acquire(p, old, new)                                                               \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cmpxchg_release(p, old, new)                                                               \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define cmpxchg_acq_rel(p, old, new)                                                               \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define cmpxchg_seq_cst(p, old, new)                                                               \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif
