/* SPDX-License-Identifier: MIT */
/* Start and end of a process: configuration, the group's name, the report. */
#include <cgslab/span.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "accounting/high.h"
#include "accounting/mem_cgroup.h"
#include "accounting/obj_stock.h"
#include "alloc/base/message.h"
#include "alloc/preload/conf.h"
#include "alloc/preload/group_by.h"
#include "alloc/preload/report.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/task.h"
#include "shrinker/pressure.h"
#include "shrinker/reclaim_thread.h"
#include "shrinker/zswap.h"

static struct conf conf = {
	.high = UINT64_MAX,
	.max = UINT64_MAX,
	.swap_max = UINT64_MAX,
	.purge_thread = true,
};

static void name_process(void)
{
	const char *program = program_invocation_short_name;
	char name[MEMCG_NAME_MAX + 1];

	group_name_from(program ? program : "", name, sizeof(name));
	memcg_rename(process_memcg, name);
	strncpy(counters_header()->program, name, sizeof(counters_header()->program) - 1);
}

static void abort_if_asked(void)
{
	if (conf.abort_conf)
		die("CGSLAB_CONF: aborted, as abort_conf:true asks");
}

static void start_swap(void)
{
	int err = span_swapon(conf.swap, conf.swap_max);

	if (!err)
		return;
	warn("CGSLAB_CONF: swap: '%s': %s", conf.swap,
	     conf.swap_max ? strerror(-err) : "not used, as swap_max is 0");
	abort_if_asked();
}

static void start_zswap(void)
{
	int err = zswap_switch(true);

	if (!err)
		return;
	warn("CGSLAB_CONF: zswap: %s", err == -ENOSYS ? "there is no liblz4.so.1" : strerror(-err));
	abort_if_asked();
}

/* After the handlers of fork, which slab registers at 101, and shrinker at 102. */
__attribute__((constructor(103))) static void preload_start(void)
{
	/* Not secure_getenv(), for which every small program would have more of libc mapped. */
	const char *text = getauxval(AT_SECURE) ? NULL : getenv("CGSLAB_CONF");
	int saved_errno = errno;

	slab_init();
	name_process();
	if (text)
		conf_parse(&conf, text);
	if (conf.confirm_conf)
		conf_print(&conf);
	if (conf.verify || (conf.report != REPORT_NONE && !conf.output[0]))
		message_keep_stderr();
	memcg_throttle_malloc = conf.throttle;
	if (conf.high != UINT64_MAX)
		mem_cgroup_set_high(process_memcg, conf.high);
	if (conf.max != UINT64_MAX)
		mem_cgroup_set_max(process_memcg, conf.max);
	if (conf.purge_thread)
		purger_enable();
	if (conf.group_by == GROUP_BY_COMM)
		group_by_comm();
	if (conf.swap[0])
		start_swap();
	if (conf.zswap)
		start_zswap();
	pressure_configure(conf.pressure, conf.pressure_root);
	if (conf.pressure == PRESSURE_ON || conf.control)
		reclaim_thread_kick();
	errno = saved_errno;
}

static void verify_at_exit(void)
{
	struct mem_cgroup_identity sum;
	int64_t rest;

	if (!mem_cgroup_verify(mem_cgroup_root(), &sum))
		return;
	if (sum.swap_usage != sum.swap_bytes || sum.zswap_usage != sum.zswap_bytes)
		die("accounting identity of swap: usage %" PRId64 ", spans in swap %" PRId64
		    "; zswap %" PRId64 ", compressed %" PRId64,
		    sum.swap_usage, sum.swap_bytes, sum.zswap_usage, sum.zswap_bytes);
	rest = sum.usage - sum.object_bytes - sum.span_bytes - sum.stock_bytes - sum.leftover_bytes;
	die("accounting identity is off by %" PRId64 " bytes: usage %" PRId64 ", objects %" PRId64
	    ", spans %" PRId64 ", stocks %" PRId64 ", leftovers %" PRId64,
	    rest, sum.usage, sum.object_bytes, sum.span_bytes, sum.stock_bytes, sum.leftover_bytes);
}

__attribute__((destructor)) static void preload_end(void)
{
	if (conf.verify)
		verify_at_exit();
	if (conf.report == REPORT_NONE || (conf.only_pid && conf.only_pid != (uint64_t)getpid()))
		return;
	memcg_drain_stocks(mem_cgroup_root()); /* what nobody uses is nobody's */
	report_write(&conf);
}
