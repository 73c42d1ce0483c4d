/* SPDX-License-Identifier: MIT */
/*
 * Memory cgroups: a tree of groups, each byte charged to exactly one of them.
 *
 * Names and meanings follow the Linux cgroup v2 memory controller and
 * mm/memcontrol.c. Sizes are in bytes unless said otherwise; limits are kept
 * in pages of 4 KiB and rounded down to them, as in the kernel.
 *
 * All functions may be called from any thread, also inside an RCU read section
 * (liburcu, flavour bp) unless said otherwise; none may be called from a signal
 * handler. Actions return 0 or a negative errno.
 */
#ifndef CGSLAB_MEMCG_H
#define CGSLAB_MEMCG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cgslab/gfp.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mem_cgroup;
struct obj_cgroup;

/* "max": no limit. */
#define MEMCG_MAX UINT64_MAX

/* The longest name of a group, without the terminating 0. */
#define MEMCG_NAME_MAX 47

/* ---- Groups ---------------------------------------------------------- */

/* The root of the tree. It is not limited and always there; no reference. */
struct mem_cgroup *mem_cgroup_root(void) CGSLAB_API(mem_cgroup_root);

/*
 * Creates an online group under @parent; NULL: under the process's group, whose
 * limit then holds for it too. Groups of the same parent have different names.
 *
 * @name: 1 to MEMCG_NAME_MAX bytes without '/' or control characters, not "."
 *        or ".."; it is copied.
 *
 * Returns the group with a reference for the caller, or NULL with errno EINVAL
 * (name), EEXIST, ENODEV (@parent is offline) or ENOMEM.
 * Source: mkdir in a cgroup2 file system.
 */
struct mem_cgroup *mem_cgroup_create(struct mem_cgroup *parent, const char *name)
	CGSLAB_API(mem_cgroup_create);

/*
 * Takes the group out of the tree. Objects that are still alive stay valid,
 * and their charge passes to the parent; new charges through the group's
 * obj_cgroup go there too; what is on its list_lrus passes to the parent's. The struct
 * lives as long as references to it; it is charged nothing. The time it takes does not
 * depend on the number of siblings. May not be called in an RCU read section.
 *
 * Returns 0, -EBUSY while the group has children, or threads that are inside or
 * that came from there, having it for their home, -ENODEV if it is offline already,
 * -EINVAL for the root and the process's group.
 * Source: rmdir in a cgroup2 file system, mem_cgroup_css_offline().
 */
int mem_cgroup_rmdir(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_rmdir);

/* mem_cgroup_kill(): what was in the memory is gone before anybody gets it. */
#define MEMCG_KILL_WIPE 1u

/*
 * Takes the group and its subtree offline, children first, as mem_cgroup_rmdir()
 * does, and releases every object and span of theirs: those charged to a group of
 * the subtree, and what groups that were removed below it earlier have left to
 * it. Costs time by the slabs that they have, whatever else there is (and by the
 * bytes, with MEMCG_KILL_WIPE).
 *
 * All those pointers are invalid from then on: no thread may be using one when
 * this is called, nor use, free, resize or transfer one afterwards. What was freed
 * by kfree_rcu() before the call is freed first; other callbacks that will free
 * are the caller's to wait for. Readers of a SLAB_TYPESAFE_BY_RCU cache need not
 * be waited for: this does it. Destructors do not run. A debug build keeps the
 * memory of what was killed last out of reach: there a use faults, and a free
 * stops the program with the name of the group.
 *
 * Bytes charged by obj_cgroup_charge() are no objects: they stay charged, to the
 * parent, until they are uncharged. References of the groups and of their
 * obj_cgroups stay valid.
 *
 * MEMCG_KILL_WIPE overwrites the content with zeros, or gives its pages back to the
 * kernel. It does not reach what was freed earlier, and whose memory has found
 * another use since.
 *
 * What was on list_lrus for these groups is dropped with the objects. Shrinkers that
 * are at work for one of them are waited for, up to a second.
 *
 * May not be called in an RCU read section, nor by a callback of call_rcu().
 * Returns 0; -EBUSY while a thread is inside any of the groups, or a shrinker does not
 * come to its end (as the one that calls this); -ENODEV if @memcg is
 * offline already, -EINVAL for the root, the process's group and unknown flags:
 * then nothing has changed.
 */
int mem_cgroup_kill(struct mem_cgroup *memcg, unsigned int flags) CGSLAB_API(mem_cgroup_kill);

/*
 * Makes *@ptr, a live block of malloc(), kmalloc() or kmem_cache_alloc(), one of
 * @to; NULL: of the process's group. Its charge moves with it, so nothing is added
 * to a group that has both owners below it, and no limit there is in the way.
 * (Charges are by the page: the old owner gives a page for the bytes that go, and
 * may be short of less than one for some time; if it is short of that already, one
 * page is charged as for any allocation.)
 *
 * A span, which is a block of more than KMALLOC_MAX_CACHE_SIZE, stays where it is.
 * A smaller object is copied to memory of @to, the old one is freed, and *@ptr is changed;
 * alignment and usable size stay. The caller may be in any group and stays there, and is the only
 * one who uses the block meanwhile. While it copies to @to, removing @to is -EBUSY.
 *
 * Where *@ptr is NULL, or of @to already, nothing is done. A pointer that is no
 * block stops the program. Returns 0, -ENOMEM (memory, or a limit of @to or of an
 * ancestor that the old owner is not in), -ENODEV (@to is offline, or
 * the calling thread has ended but for some destructors), or -EINVAL for objects
 * with a constructor or of a SLAB_TYPESAFE_BY_RCU cache, whose users know them by
 * their address. On an error everything is as it was.
 */
int mem_cgroup_transfer(void **ptr, struct mem_cgroup *to) CGSLAB_API(mem_cgroup_transfer);

/*
 * The group that the block with @ptr in it is charged to now; NULL for what is no
 * block. (Of one of more than KMALLOC_MAX_CACHE_SIZE, and of a span that is pinned, only the
 * first 4096 bytes are known.) Valid under RCU, which the caller holds, as rmdir may pass the
 * charge to the parent. Source: mem_cgroup_from_slab_obj().
 */
struct mem_cgroup *mem_cgroup_from_obj(const void *ptr) CGSLAB_API(mem_cgroup_from_obj);

/* Takes another reference; the caller must hold one. */
void mem_cgroup_get(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_get);

/*
 * Takes a reference unless the last one is gone. The memory must be kept from
 * going away by RCU. Source: css_tryget().
 */
bool mem_cgroup_tryget(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_tryget);

/* As mem_cgroup_tryget(), and fails too once rmdir has begun. */
bool mem_cgroup_tryget_online(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_tryget_online);

/* Gives a reference back. NULL is allowed. */
void mem_cgroup_put(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_put);

/*
 * The online child of @parent (NULL: of the process's group) with that name, with
 * a reference for the caller, or NULL.
 */
struct mem_cgroup *mem_cgroup_lookup(struct mem_cgroup *parent, const char *name)
	CGSLAB_API(mem_cgroup_lookup);

/* NULL for the root. Valid as long as @memcg is; no reference. */
struct mem_cgroup *mem_cgroup_parent(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_parent);

/*
 * Unique in the process and never used again; older groups have smaller ones.
 * The root's is 1.
 */
uint64_t mem_cgroup_id(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_id);

/*
 * The group with that id, online or removed, with a reference for the caller;
 * NULL if there is none, or its last reference is gone. Takes no lock.
 * Source: mem_cgroup_from_id().
 */
struct mem_cgroup *mem_cgroup_from_id(uint64_t id) CGSLAB_API(mem_cgroup_from_id);

/* "" for the root. Valid as long as @memcg is. */
const char *mem_cgroup_name(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_name);

/*
 * Writes the path from the root ("/", "/server/tenant") and returns its length
 * as snprintf() does.
 */
size_t mem_cgroup_path(const struct mem_cgroup *memcg, char *buf, size_t len)
	CGSLAB_API(mem_cgroup_path);

/*
 * cgroup.stat: online groups below @memcg, and removed ones that are not gone:
 * something is charged to them still, or somebody holds a reference. Both are
 * exact at once, with the return of the create, rmdir, free or put that changes
 * them. What is below a removed group counts for its parent.
 */
uint64_t mem_cgroup_nr_descendants(const struct mem_cgroup *memcg)
	CGSLAB_API(mem_cgroup_nr_descendants);
uint64_t mem_cgroup_nr_dying_descendants(const struct mem_cgroup *memcg)
	CGSLAB_API(mem_cgroup_nr_dying_descendants);

/*
 * cgroup.events, populated: whether a thread is inside the subtree, or has its
 * home there.
 */
bool mem_cgroup_populated(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_populated);

/* A walker's part in a shared walk; no need to set it up. */
struct mem_cgroup_reclaim_cookie {
	unsigned int generation;
};

/*
 * Walks the online groups of the subtree of @root (NULL: of all), parents first,
 * siblings in the order of their creation:
 *
 *	for (memcg = mem_cgroup_iter(root, NULL, NULL); memcg;
 *	     memcg = mem_cgroup_iter(root, memcg, NULL))
 *		...
 *
 * @prev is what the last call returned, NULL at first. Each group is returned with
 * a reference, which the next call takes back; NULL ends the walk. To leave
 * earlier, call mem_cgroup_iter_break(). Groups may come and go meanwhile, also
 * @prev: a group that is online all the time is returned once, one that comes
 * or goes at most once. The caller holds @root.
 *
 * With a @cookie the walk is shared by all who walk @root with one, in turns: each
 * call returns the next group that none of them has had. A walk (a generation)
 * ends when it has seen all groups; whoever took part is returned NULL then, and
 * who begins with @prev NULL joins the walk that is under way, or begins the next.
 * So each online group is returned once in a generation, to one of them. The
 * position that is remembered between calls, also after a break, pins no group. A
 * cookie may be used by several threads, or each have its own. What was returned
 * to a walker that breaks off counts as visited.
 *
 * Takes no lock, but where the reference of @prev is the last. May be called in an
 * RCU read section. Source: mem_cgroup_iter(), mm/memcontrol.c.
 */
struct mem_cgroup *mem_cgroup_iter(struct mem_cgroup *root, struct mem_cgroup *prev,
				   struct mem_cgroup_reclaim_cookie *cookie)
	CGSLAB_API(mem_cgroup_iter);

/* Leaves a walk at @prev, which may be NULL. */
void mem_cgroup_iter_break(struct mem_cgroup *root, struct mem_cgroup *prev)
	CGSLAB_API(mem_cgroup_iter_break);

/*
 * Calls @fn for every online group of the subtree (NULL: of all), parents first, with a
 * reference held for the length of the call; stops at the first return that is
 * not 0 and returns it.
 */
int mem_cgroup_walk(struct mem_cgroup *root, int (*fn)(struct mem_cgroup *memcg, void *arg),
		    void *arg) CGSLAB_API(mem_cgroup_walk);

/* ---- The calling thread ----------------------------------------------- */

/*
 * Charges what the calling thread allocates from now on to @memcg; NULL: to the
 * thread's home group, which is the process's group, or the one that
 * group_by made for it. @memcg must be online, and is kept from being removed
 * while a thread is inside.
 *
 * Returns the value to restore: the previous argument, NULL at first. If
 * @memcg is offline or there is no memory for entering it, the thread stays
 * where it is, and errno is ENODEV or ENOMEM (it is left alone otherwise).
 * Source: set_active_memcg(), include/linux/sched/mm.h.
 */
struct mem_cgroup *set_active_memcg(struct mem_cgroup *memcg) CGSLAB_API(set_active_memcg);

/* The group that the calling thread charges to now; no reference. */
struct mem_cgroup *mem_cgroup_current(void) CGSLAB_API(mem_cgroup_current);

/*
 * Makes @memcg the home group of the calling thread; NULL: the process's
 * group. Returns 0, -ENODEV or -ENOMEM.
 */
int mem_cgroup_attach(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_attach);

/* ---- Numbers ------------------------------------------------------------ */

/* memory.current: what is charged to the subtree, stocks included. */
uint64_t mem_cgroup_usage(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_usage);

/* memory.peak: the highest usage since creation, or since it was reset. */
uint64_t mem_cgroup_peak(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_peak);
void mem_cgroup_reset_peak(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_reset_peak);

/*
 * A reader of the peak who begins anew for himself, unseen by others: what he reads is
 * the group's memory.peak until he first resets his own, and the highest usage since
 * then afterwards. It holds a reference of the group. NULL with errno ENOMEM.
 * Any thread may use it. Source: memory.peak as an open file.
 */
struct mem_cgroup_peak;

struct mem_cgroup_peak *mem_cgroup_peak_open(struct mem_cgroup *memcg)
	CGSLAB_API(mem_cgroup_peak_open);
uint64_t mem_cgroup_peak_read(const struct mem_cgroup_peak *peak) CGSLAB_API(mem_cgroup_peak_read);
void mem_cgroup_peak_reset(struct mem_cgroup_peak *peak) CGSLAB_API(mem_cgroup_peak_reset);
void mem_cgroup_peak_close(struct mem_cgroup_peak *peak) CGSLAB_API(mem_cgroup_peak_close);

/* memory.max; MEMCG_MAX if there is none. */
uint64_t mem_cgroup_max(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_max);

/*
 * A charge that would take the subtree past @bytes first has memory reclaimed, and is
 * refused if that does not help. If more is charged already, this reclaims, with
 * callbacks, until it fits or nothing more is to be had; what is left stays charged.
 * So whoever calls it holds no lock that a callback may want; in an RCU read section
 * nothing is reclaimed. Returns 0, or -EINVAL for the root.
 */
int mem_cgroup_set_max(struct mem_cgroup *memcg, uint64_t bytes) CGSLAB_API(mem_cgroup_set_max);

/*
 * memory.high: beyond it nothing is refused, but memory is reclaimed, by a thread of
 * the library's; and whoever allocates is slowed down, the more the further usage is
 * above it, by two seconds for one charge at most. (Within malloc() only with
 * throttle:true in CGSLAB_CONF.) Setting it below the usage reclaims as above.
 */
uint64_t mem_cgroup_high(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_high);
int mem_cgroup_set_high(struct mem_cgroup *memcg, uint64_t bytes) CGSLAB_API(mem_cgroup_set_high);

/*
 * memory.min and memory.low: so much of the subtree's usage is not reclaimed for want
 * of memory outside of it; low only as long as there is anything else. Siblings share
 * what their parent has; what they do not ask for protects the rest of their usage
 * (memory_recursiveprot). 0: none. Setting returns 0, -EINVAL for the root, or -ENODEV
 * for a removed group.
 */
uint64_t mem_cgroup_min(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_min);
int mem_cgroup_set_min(struct mem_cgroup *memcg, uint64_t bytes) CGSLAB_API(mem_cgroup_set_min);
uint64_t mem_cgroup_low(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_low);
int mem_cgroup_set_low(struct mem_cgroup *memcg, uint64_t bytes) CGSLAB_API(mem_cgroup_set_low);

/*
 * memory.swap.current: the spans of the subtree that have room in swap (<cgslab/span.h>).
 * Memory and swap are charged apart, and a span to that in which it is; on its way to both.
 */
uint64_t mem_cgroup_swap_usage(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_swap_usage);

/*
 * memory.swap.max: beyond it nothing is swapped out; what is there stays. Returns 0, or
 * -EINVAL for the root.
 */
uint64_t mem_cgroup_swap_max(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_swap_max);
int mem_cgroup_set_swap_max(struct mem_cgroup *memcg, uint64_t bytes)
	CGSLAB_API(mem_cgroup_set_swap_max);

/*
 * memory.swap.high: beyond it whoever allocates memory is slowed down as above
 * memory.high, and for both if it is above both. A group that gets there has more to do
 * than it has memory for. Returns likewise.
 */
uint64_t mem_cgroup_swap_high(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_swap_high);
int mem_cgroup_set_swap_high(struct mem_cgroup *memcg, uint64_t bytes)
	CGSLAB_API(mem_cgroup_set_swap_high);

/* memory.swap.peak, for the group, and for readers as mem_cgroup_peak_open() gives. */
uint64_t mem_cgroup_swap_peak(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_swap_peak);
void mem_cgroup_reset_swap_peak(struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_reset_swap_peak);
struct mem_cgroup_peak *mem_cgroup_swap_peak_open(struct mem_cgroup *memcg)
	CGSLAB_API(mem_cgroup_swap_peak_open);

/*
 * memory.zswap.current: bytes that the compressed part of the subtree's swap takes; they
 * are part of its memory, too. memory.zswap.max: beyond it what is swapped out goes to
 * the file uncompressed. Setting it returns 0, or -EINVAL for the root.
 */
uint64_t mem_cgroup_zswap_usage(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_zswap_usage);
uint64_t mem_cgroup_zswap_max(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_zswap_max);
int mem_cgroup_set_zswap_max(struct mem_cgroup *memcg, uint64_t bytes)
	CGSLAB_API(mem_cgroup_set_zswap_max);

/* memory.stat, over the subtree. The caller sets size to sizeof the struct. */
struct mem_cgroup_stat {
	size_t size;
	uint64_t current;      /* charged: object_bytes + stock_bytes + span_bytes */
	uint64_t object_bytes; /* live objects and obj_cgroup_charge()s */
	uint64_t span_bytes;   /* live page runs: what they have in memory */
	uint64_t stock_bytes;  /* charged and in nobody's hands */
	uint64_t objects;      /* live objects, spans not counted */
	uint64_t slab_bytes;   /* pages the objects occupy */
	uint64_t waste_bytes;  /* slab_bytes without live objects in them */
	uint64_t swap_bytes;   /* spans with room in swap */
	uint64_t swap_transit; /* of them, on their way: in span_bytes, too */
	uint64_t zswap_bytes;  /* memory.zswap.current; in span_bytes, too */
	uint64_t zswapped;     /* the part of swap_bytes that is compressed to that */
	/* Pages so far: read, written; decompressed, compressed, and then written after all. */
	uint64_t pswpin, pswpout;
	uint64_t zswpin, zswpout, zswpwb;
};

/* Exact at a quiet moment. Returns 0 or -EINVAL (size). */
int mem_cgroup_stat(struct mem_cgroup *memcg, struct mem_cgroup_stat *stat)
	CGSLAB_API(mem_cgroup_stat);

/* memory.events and memory.swap.events, over the subtree. */
enum memcg_event {
	MEMCG_EVENT_LOW,	    /* reclaimed although usage was below low */
	MEMCG_EVENT_HIGH,	    /* usage went past high */
	MEMCG_EVENT_MAX,	    /* usage was about to go past max */
	MEMCG_EVENT_OOM,	    /* nothing made room: about to refuse an allocation */
	MEMCG_EVENT_OOM_KILL,	    /* the OOM callback ended something of the group */
	MEMCG_EVENT_OOM_GROUP_KILL, /* the same of all the group has */
	MEMCG_EVENT_SWAP_HIGH,	    /* who allocated was slowed down for swap past its high */
	MEMCG_EVENT_SWAP_MAX,	    /* swap was about to go past its max */
	MEMCG_EVENT_SWAP_FAIL,	    /* a span could not be swapped out, whatever the reason */
	NR_MEMCG_EVENTS
};

uint64_t mem_cgroup_event(const struct mem_cgroup *memcg, enum memcg_event event)
	CGSLAB_API(mem_cgroup_event);

/* memory.events.local: where the group itself was the cause. Not of swap: 0. */
uint64_t mem_cgroup_event_local(const struct mem_cgroup *memcg, enum memcg_event event)
	CGSLAB_API(mem_cgroup_event_local);

/*
 * From now on 1 is written to @fd, an eventfd(2), with each @event that is counted in
 * @memcg, that is of its subtree, by the thread that causes it. What has not been read
 * adds up there. @fd may stand for several events, but once for one. It stays the
 * caller's, who keeps it open until it is unregistered. A forked child starts without any.
 *
 * Returns 0, -EINVAL (@event, or @fd is no eventfd), -EEXIST, -ENODEV if @memcg is
 * offline, or -ENOMEM.
 */
int mem_cgroup_register_event(struct mem_cgroup *memcg, enum memcg_event event, int fd)
	CGSLAB_API(mem_cgroup_register_event);

/*
 * Nothing is written any more when this returns; it waits for a grace period, so it may
 * not be called in an RCU read section. Not needed for a group that is freed.
 * Returns 0 or -ENOENT.
 */
int mem_cgroup_unregister_event(struct mem_cgroup *memcg, enum memcg_event event, int fd)
	CGSLAB_API(mem_cgroup_unregister_event);

/*
 * memory.pressure: how much of the time threads that work for the subtree had to wait
 * for memory: in reclaim, or held back above memory.high. "some": one at least;
 * "full": every thread inside the subtree. The shares are decaying averages over
 * 10, 60 and 300 seconds, in hundredths of a percent. The caller sets size to sizeof the
 * struct. Returns 0 or -EINVAL (size).
 */
struct mem_cgroup_pressure_line {
	uint32_t avg10, avg60, avg300;
	uint64_t total_us;
};

struct mem_cgroup_pressure {
	size_t size;
	struct mem_cgroup_pressure_line some, full;
};

int mem_cgroup_pressure(struct mem_cgroup *memcg, struct mem_cgroup_pressure *pressure)
	CGSLAB_API(mem_cgroup_pressure);

/*
 * memory.reclaim: reclaims, with callbacks, until usage has fallen by @bytes. So
 * whoever calls it holds no lock that a callback may want. Returns 0 only if it has; -EAGAIN
 * if it does not fall so far, -ENODEV for a removed group. Time spent here
 * is no pressure. Source: user_proactive_reclaim(), mm/vmscan.c.
 */
int mem_cgroup_reclaim(struct mem_cgroup *memcg, uint64_t bytes) CGSLAB_API(mem_cgroup_reclaim);

/*
 * Reads an interface file by its cgroup v2 name as text: "memory.current",
 * "memory.min", "memory.low", "memory.high", "memory.max", "memory.peak",
 * "memory.stat", "memory.events", "memory.events.local", "memory.oom.group",
 * "memory.pressure", "memory.swap.current", "memory.swap.high", "memory.swap.max",
 * "memory.swap.peak", "memory.swap.events", "memory.zswap.current", "memory.zswap.max",
 * "cgroup.stat", "cgroup.events". Returns the length as snprintf() does, -ENOENT, or
 * -EACCES ("memory.reclaim").
 */
long mem_cgroup_read(struct mem_cgroup *memcg, const char *file, char *buf, size_t len)
	CGSLAB_API(mem_cgroup_read);

/*
 * Writes one: "memory.min", "memory.low", "memory.high", "memory.max", "memory.reclaim",
 * "memory.swap.high", "memory.swap.max" and "memory.zswap.max" take "max" or bytes with an
 * optional K, M, G or T; "memory.oom.group" 0 or 1; anything resets "memory.peak" and
 * "memory.swap.peak". Returns what the function
 * for it returns, -ENOENT, -EACCES (read-only) or -EINVAL (value). On -EINVAL nothing
 * has changed.
 */
int mem_cgroup_write(struct mem_cgroup *memcg, const char *file, const char *value)
	CGSLAB_API(mem_cgroup_write);

/* What mem_cgroup_verify() compared, in bytes. */
struct mem_cgroup_identity {
	int64_t usage;		/* the page counter */
	int64_t object_bytes;	/* counted from the slabs, and charged by hand */
	int64_t span_bytes;	/* counted from the spans: what they have in memory */
	int64_t stock_bytes;	/* all stocks of the subtree */
	int64_t leftover_bytes; /* nr_charged_bytes of its obj_cgroups */
	int64_t swap_usage;	/* the page counter of swap */
	int64_t swap_bytes;	/* counted from the spans with room in swap */
	int64_t transit_bytes;	/* of them, those that are counted in span_bytes, too */
	int64_t zswap_usage;	/* memory.zswap.current */
	int64_t zswap_bytes;	/* counted likewise, and in span_bytes, too */
};

/*
 * Checks usage = object_bytes + span_bytes + stock_bytes + leftover_bytes,
 * swap_usage = swap_bytes, and, if nothing is in transit, zswap_usage = zswap_bytes,
 * over the subtree, with the live bytes counted anew from every slab and span. So
 * span_bytes + swap_bytes - transit_bytes - zswap_bytes is what all spans have. Other
 * threads are held at their next allocation or free meanwhile.
 *
 * Returns 0, or -EUCLEAN if a difference is not 0. @identity may be NULL.
 */
int mem_cgroup_verify(struct mem_cgroup *memcg, struct mem_cgroup_identity *identity)
	CGSLAB_API(mem_cgroup_verify);

/* ---- When there is no room ----------------------------------------------- */

/* What mem_cgroup_set_oom()'s callback is told. References are the caller's. */
struct mem_cgroup_oom {
	struct mem_cgroup *memcg;     /* is at its limit */
	struct mem_cgroup *current;   /* it, or a descendant: is to be charged */
	struct mem_cgroup *oom_group; /* the highest of those with memory.oom.group; NULL */
	uint64_t bytes;		      /* asked for */
	gfp_t gfp;		      /* of the charge */
};

enum mem_cgroup_oom_verdict {
	MEMCG_OOM_REFUSE,     /* it fails, with ENOMEM */
	MEMCG_OOM_RETRY,      /* something was freed or ended: counted as oom_kill */
	MEMCG_OOM_OVERCHARGE, /* this charge may go past the limits */
};

typedef enum mem_cgroup_oom_verdict (*mem_cgroup_oom_fn)(const struct mem_cgroup_oom *oom,
							 void *arg);

/*
 * @fn decides what becomes of a charge that a limit of @memcg or below it is in the way
 * of, and for which nothing could be reclaimed: unless a group between has a callback
 * of its own. NULL: none.
 *
 * It is called in the thread that charges, with no lock of the library held, and may
 * allocate (past limits), free, and enter groups; kill groups, too. It is also called
 * within malloc(): unless oom->gfp has __GFP_FS it takes no lock that a caller of
 * malloc() may hold. Not in an RCU read section, nor within memalloc_noreclaim_save(),
 * nor for charges without __GFP_DIRECT_RECLAIM. It is called by one thread at a time for
 * the same @memcg; others wait for it, for a second at most, and try again.
 *
 * When this returns, the old callback is not called any more, nor running, but for the
 * calling thread's own; so it is not called in an RCU read section. Returns 0 or
 * -ENOMEM. Source: the OOM killer, mm/oom_kill.c.
 */
int mem_cgroup_set_oom(struct mem_cgroup *memcg, mem_cgroup_oom_fn fn, void *arg)
	CGSLAB_API(mem_cgroup_set_oom);

/*
 * memory.oom.group: what is in the subtree should go together, or not at all. That is
 * up to the callback, which is told the highest such group, up to the one at its limit.
 * Returns 0, -EINVAL for the root, or -ENOMEM.
 */
int mem_cgroup_set_oom_group(struct mem_cgroup *memcg, bool together)
	CGSLAB_API(mem_cgroup_set_oom_group);
bool mem_cgroup_get_oom_group(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_get_oom_group);

/*
 * Charges @memcg for @bytes that nobody has. When a charge is refused, the group that it
 * was for, and those above up to the one at its limit, give theirs up: so who has to
 * undo things finds room. It is not taken again until this is called again; a removed
 * group has none. 0: none. Returns 0, -ENOMEM if it is refused itself (then it is
 * given up, too), or -ENODEV. mem_cgroup_reserve() is what there is now.
 */
int mem_cgroup_set_reserve(struct mem_cgroup *memcg, uint64_t bytes)
	CGSLAB_API(mem_cgroup_set_reserve);
uint64_t mem_cgroup_reserve(const struct mem_cgroup *memcg) CGSLAB_API(mem_cgroup_reserve);

/* The last charge that the calling thread was refused. Sizes in bytes. */
struct mem_cgroup_refusal {
	size_t size;	/* sizeof the struct; set by the caller */
	uint64_t id;	/* of the group at its limit */
	uint64_t usage; /* of that, then */
	uint64_t limit;
	uint64_t bytes; /* asked for */
	char path[256]; /* now; "" if the group is gone, cut off if it is longer */
};

/* Returns 0, -ENOENT if there was none, or -EINVAL (size). Allocates nothing. */
int mem_cgroup_last_refusal(struct mem_cgroup_refusal *refusal) CGSLAB_API(mem_cgroup_last_refusal);

/*
 * The same in words, with the children that use most now. Returns the length as
 * snprintf() does, or -ENOENT. Allocates nothing.
 */
long mem_cgroup_explain_refusal(char *buf, size_t len) CGSLAB_API(mem_cgroup_explain_refusal);

/* ---- Scopes of the calling thread ---------------------------------------- */

/*
 * Between save and restore, which may be nested, what the thread allocates and charges
 * reclaims nothing and runs no callback; it goes past limits rather than to be
 * refused, so it should be little, or soon be freed. Callbacks of shrinkers, and those
 * of mem_cgroup_set_oom(), are called within such a scope.
 * Source: memalloc_noreclaim_save(), include/linux/sched/mm.h.
 */
unsigned int memalloc_noreclaim_save(void) CGSLAB_API(memalloc_noreclaim_save);
void memalloc_noreclaim_restore(unsigned int flags) CGSLAB_API(memalloc_noreclaim_restore);

/*
 * The same, as if each gfp were without __GFP_FS: for who holds a lock that a callback
 * may want, and calls what gives GFP_KERNEL. Source: memalloc_nofs_save().
 */
unsigned int memalloc_nofs_save(void) CGSLAB_API(memalloc_nofs_save);
void memalloc_nofs_restore(unsigned int flags) CGSLAB_API(memalloc_nofs_restore);

/*
 * Between save and restore charges that would be refused go past limits, by @bytes in
 * all: so that who has to unwind can. What was charged so stays charged until it is
 * freed. Save returns what restore is to be given; a scope within another has an
 * allowance of its own.
 */
size_t memalloc_overcharge_save(size_t bytes) CGSLAB_API(memalloc_overcharge_save);
void memalloc_overcharge_restore(size_t left) CGSLAB_API(memalloc_overcharge_restore);

/* ---- Byte charges: obj_cgroup ------------------------------------------ */

/*
 * The obj_cgroup of the group the calling thread charges to, with a reference
 * for the caller. It outlives the group: after rmdir it stands for the nearest
 * living ancestor. Source: get_obj_cgroup_from_current().
 */
struct obj_cgroup *get_obj_cgroup_from_current(void) CGSLAB_API(get_obj_cgroup_from_current);

/* Takes another reference; the caller must hold one. */
void obj_cgroup_get(struct obj_cgroup *objcg) CGSLAB_API(obj_cgroup_get);

/* Takes one unless the last one is gone; under RCU. */
bool obj_cgroup_tryget(struct obj_cgroup *objcg) CGSLAB_API(obj_cgroup_tryget);

/* Gives one back. May not be called with a lock held that mem_cgroup_* takes. */
void obj_cgroup_put(struct obj_cgroup *objcg) CGSLAB_API(obj_cgroup_put);

/*
 * The group charged through @objcg now. Valid under RCU, which the caller
 * holds, as rmdir may swap it for the parent.
 */
struct mem_cgroup *obj_cgroup_memcg(struct obj_cgroup *objcg) CGSLAB_API(obj_cgroup_memcg);

/*
 * Charges @size bytes that the caller keeps by its own means. Returns 0, or
 * -ENOMEM with nothing charged (with __GFP_NOFAIL only beyond 4 PiB, which no
 * memory can be meant by).
 */
int obj_cgroup_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
	CGSLAB_API(obj_cgroup_charge);

/* Takes back what was charged; any thread may. */
void obj_cgroup_uncharge(struct obj_cgroup *objcg, size_t size) CGSLAB_API(obj_cgroup_uncharge);

#ifdef __cplusplus
}
#endif

#ifndef CGSLAB_NO_INLINE
#include <cgslab/charge_inline.h>
#endif

#endif
