/* SPDX-License-Identifier: MIT */
/*
 * Spans: long memory with a reference count, charged to a group by the page.
 *
 *	struct span *run = span_alloc(64 << 20, GFP_KERNEL | SPAN_SWAPPABLE);
 *	char *data = span_pin(run);
 *
 *	if (data) {
 *		fill(data, span_size(run));
 *		span_unpin(run);
 *	}
 *	...
 *	span_put(run);
 *
 * A span lives as long as somebody has a reference to it, and is charged once, from
 * span_alloc() until after the last span_put(). Where it lies in memory is certain
 * only while it is pinned. One that is not may be moved, so that memory in whole huge
 * pages goes back to the system, and, if it is SPAN_SWAPPABLE, written to a file
 * when its group is short of memory (span_swapon()). span_pin() has it back. Then
 * it is charged to memory.swap, not to memory; on the way from the one to the other to both,
 * as it occupies both.
 *
 * All functions may be called from any thread; not from a signal handler. Those that
 * may wait for a file say so. References and pins belong to nobody: what one thread
 * has taken, another may give back. Bytes are charged to the group that the caller of
 * span_alloc() is in (set_active_memcg()), and go back to it, or to who has inherited its
 * charges, whoever gives up the last reference.
 *
 * When a group is killed (mem_cgroup_kill()) its spans go with it, in memory or out.
 * After fork() the child has all spans, references and pins that the parent has, those of
 * threads that are not there any more, too.
 */
#ifndef CGSLAB_SPAN_H
#define CGSLAB_SPAN_H

#include <stddef.h>
#include <stdint.h>

#include <cgslab/gfp.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mem_cgroup;
struct span;

/* ---- Life ----------------------------------------------------------------- */

/* While nobody has it pinned it may go to the swap file. */
#define SPAN_SWAPPABLE 0x10000u

/* It is charged to nobody: a target for mem_cgroup_migrate(), which gives it a charge. */
#define SPAN_UNCHARGED 0x20000u

/*
 * A span of at least @size bytes, rounded up to whole pages (os pages, which may
 * be more than 4096 bytes); any size from one byte on.
 *
 * @flags: how it may be got, as for kmalloc() (GFP_KERNEL, GFP_NOFS, GFP_NOWAIT...;
 *         with __GFP_ZERO it reads as zero, else what is in it is not defined), and
 *         SPAN_SWAPPABLE or SPAN_UNCHARGED.
 *
 * Returns the span with one reference, and not pinned; or NULL with errno ENOMEM
 * (memory, or the limit of the group or one above it), or EINVAL (@size is 0, unknown
 * flags, or both of SPAN_SWAPPABLE and SPAN_UNCHARGED).
 */
struct span *span_alloc(size_t size, unsigned int flags) CGSLAB_API(span_alloc);

/* Takes another reference; the caller has one, or the block (virt_to_span()). */
void span_get(struct span *span) CGSLAB_API(span_get);

/*
 * Gives a reference back. With the last one the span goes: its memory, its room in the
 * swap file, and its charge. A span that is still pinned then stops the program, but in the
 * child of a fork, where pins of lost threads may be left. NULL is allowed. Keeps errno.
 */
void span_put(struct span *span) CGSLAB_API(span_put);

/* ---- Content -------------------------------------------------------------- */

/*
 * The address of the span's content, aligned to a page. It stays there until as
 * many span_unpin() have followed as there were span_pin(). The caller has a reference, and
 * keeps it, or another does, until then. Pins nest, up to 2^24 - 1 at a time.
 *
 * If the content is out, memory is charged to its group and it is read back. This
 * reclaims as an allocation with GFP_NOFS does. If somebody is moving the content it
 * waits for him. A pin of a span in memory costs as much as a few instructions
 * by the thread that allocated it, and an atomic one by others.
 *
 * Returns NULL with errno ENOMEM (memory, or a limit), or that of the read (EIO...);
 * then the content is where it was, and a later call may find it.
 */
void *span_pin(struct span *span) CGSLAB_API(span_pin);

/* Gives a pin back. */
void span_unpin(struct span *span) CGSLAB_API(span_unpin);

/* Bytes: as many as are charged, and may be used while it is pinned. */
size_t span_size(const struct span *span) CGSLAB_API(span_size);

/*
 * The group it is charged to now; NULL for one that is charged to nobody. Valid under
 * RCU, which the caller holds, as rmdir may pass the charge to the parent.
 */
struct mem_cgroup *span_memcg(struct span *span) CGSLAB_API(span_memcg);

/*
 * The span of a live block of malloc() or kmalloc() of more than KMALLOC_MAX_CACHE_SIZE
 * bytes, or the one that is pinned at that address; @block is where it starts. NULL for
 * anything else. Takes no reference.
 *
 * Such a block is a span that is always pinned: one reference and one pin are its own, which
 * free() gives back. Who calls span_get() before has the memory, with its content and its
 * charge, also after the free(); to know its address then he pins it as any other.
 * realloc() of a block whose span has more references copies it. The address of a span of
 * span_alloc() is no block: free(), realloc() and malloc_usable_size() of it stop the program.
 */
struct span *virt_to_span(const void *block) CGSLAB_API(virt_to_span);

/* ---- Moving --------------------------------------------------------------- */

/*
 * Moves the content of @old to @new, as long or longer, and its charge with it. What @old
 * holds afterwards is not defined, nor what @new is longer by; it is nothing of another
 * group's. Spans of equal length take no time, long ones are remapped.
 *
 *   @old charged, @new SPAN_UNCHARGED: the charge becomes @new's, and @old is charged to
 *       nobody from then on. No counter changes but by what @new is longer, which is
 *       charged first. So it works at the limit.
 *   both charged: each keeps its charge until its own last reference goes.
 *   @old charged to nobody: nothing is charged.
 *
 * The caller has references to both, and nobody has one pinned. What is out is brought
 * back first. May wait for a file.
 *
 * Returns 0; -EINVAL (@new is shorter, or is @old; or one is a block of malloc()), -EBUSY
 * (one is pinned), -ENOMEM, or an error as of span_pin(). On an error nothing has moved.
 * Source: mem_cgroup_migrate(), mm/memcontrol.c.
 */
int mem_cgroup_migrate(struct span *old, struct span *new_span) CGSLAB_API(mem_cgroup_migrate);

/*
 * Makes the span one of @to; NULL: of the process's group. Its charge moves with it, that of
 * memory or, if it is out, that of swap, as that of a block does: see mem_cgroup_transfer().
 * The content stays where it is.
 *
 * Returns 0, -EBUSY (it is pinned, as blocks of malloc() are), -EINVAL (it is charged to
 * nobody), -ENOMEM (a limit of @to or of an ancestor that the old owner is not in), or -ENODEV
 * (@to is offline).
 */
int span_transfer(struct span *span, struct mem_cgroup *to) CGSLAB_API(span_transfer);

/*
 * Moves spans that are not pinned together, so that huge pages get free, and gives those
 * back to the system. Returns how many bytes went back in whole huge pages.
 */
size_t span_compact(void) CGSLAB_API(span_compact);

/* ---- Swap ----------------------------------------------------------------- */

/*
 * From now on spans that are SPAN_SWAPPABLE go to a file in @directory when their group is
 * short of memory: an unlinked one, of up to @max_bytes (UINT64_MAX: no limit of its own).
 * What is out already stays where it is. Returns 0, -EINVAL, -ENOMEM, or the error of opening
 * a file there.
 */
int span_swapon(const char *directory, uint64_t max_bytes) CGSLAB_API(span_swapon);

/* No span goes out any more; those that are out can still be brought back. Returns 0. */
int span_swapoff(void) CGSLAB_API(span_swapoff);

#ifdef __cplusplus
}
#endif

#endif
