/* SPDX-License-Identifier: MIT */
/*
 * How an allocation may be satisfied. Names and meanings are those of
 * include/linux/gfp_types.h, as far as they make sense in a process.
 */
#ifndef CGSLAB_GFP_H
#define CGSLAB_GFP_H

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned int gfp_t;

#define __GFP_DIRECT_RECLAIM ((gfp_t)0x01u) /* may reclaim: run callbacks */
#define __GFP_ZERO	     ((gfp_t)0x02u) /* the object reads as zero */
#define __GFP_ACCOUNT	     ((gfp_t)0x04u) /* accepted: everything is charged */
#define __GFP_NOFAIL	     ((gfp_t)0x08u) /* may pass the group's limit */
#define __GFP_NOWARN	     ((gfp_t)0x10u) /* accepted: failures are silent */

#define __GFP_FS	     ((gfp_t)0x20u) /* callbacks may take the program's locks */

#define __GFP_BITS	     ((gfp_t)0x3fu)

/*
 * GFP_KERNEL: whoever gives it holds no lock that a callback may want.
 * GFP_NOFS: only callbacks that are safe inside malloc() run at once; malloc() and
 * its like use it. GFP_NOWAIT: nothing is waited for, and no callback runs.
 */
#define GFP_KERNEL	   (__GFP_DIRECT_RECLAIM | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOFS	   (__GFP_DIRECT_RECLAIM)
#define GFP_NOWAIT	   ((gfp_t)0)
#define GFP_ATOMIC	   ((gfp_t)0)

/*
 * In every declaration of the API: the symbol behind a kernel name has the
 * prefix cgslab_, so that a preloaded library does not interpose on programs
 * that have a kmalloc of their own.
 */
#define CGSLAB_API(name) __asm__("cgslab_" #name) __attribute__((visibility("default")))

#ifdef __cplusplus
}
#endif

#endif
