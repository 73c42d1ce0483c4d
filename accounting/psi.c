/* SPDX-License-Identifier: MIT */
#include "accounting/psi.h"

#define PERIOD_US 2000000ul
#define ONE	  (1u << PSI_FRACTION_BITS)

/* What is left of an average after a period: ONE / e^(2s / 10s), and so on. */
static const uint32_t kept[NR_PSI_SPANS] = {1677, 1981, 2034};

/* @share^@n */
static uint32_t power(uint64_t share, uint64_t n)
{
	uint64_t result = ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			result = (result * share + ONE / 2) >> PSI_FRACTION_BITS;
		share = (share * share + ONE / 2) >> PSI_FRACTION_BITS;
	}
	return (uint32_t)result;
}

/* Rounds up while it rises, so that it gets to 100%. */
static uint32_t decay(uint64_t avg, uint32_t share, uint64_t percent)
{
	uint64_t sum = avg * share + percent * (ONE - share);

	if (percent >= avg)
		sum += ONE - 1;
	return (uint32_t)(sum >> PSI_FRACTION_BITS);
}

/* So many periods went by with nobody stalled. */
static void decay_idle(struct psi_times *times, uint64_t periods)
{
	for (int state = 0; state < NR_PSI_STATES; state++)
		for (int span = 0; span < NR_PSI_SPANS; span++)
			times->avg[state][span] =
				decay(times->avg[state][span], power(kept[span], periods), 0);
}

/* The period is over. */
static void take_sample(struct psi_times *times)
{
	for (int state = 0; state < NR_PSI_STATES; state++) {
		uint64_t stalled = times->total[state] - times->sampled[state];
		uint64_t percent = stalled * 100 / PERIOD_US << PSI_FRACTION_BITS;

		times->sampled[state] = times->total[state];
		for (int span = 0; span < NR_PSI_SPANS; span++)
			times->avg[state][span] =
				decay(times->avg[state][span], kept[span], percent);
	}
	times->period_end += PERIOD_US;
}

static void add_time(struct psi_times *times, uint64_t now)
{
	for (int state = 0; state < NR_PSI_STATES; state++)
		if (times->active[state])
			times->total[state] += now - times->now;
	times->now = now;
}

void psi_advance(struct psi_times *times, uint64_t now)
{
	if (!times->period_end)
		times->period_end = now + PERIOD_US;
	if (now < times->now) /* another thread read the clock later */
		return;
	while (now >= times->period_end) {
		add_time(times, times->period_end);
		take_sample(times);
		if (!times->active[PSI_SOME] && now >= times->period_end) {
			uint64_t idle = (now - times->period_end) / PERIOD_US + 1;

			decay_idle(times, idle);
			times->period_end += idle * PERIOD_US;
		}
	}
	add_time(times, now);
}

void psi_change(struct psi_times *times, uint64_t now, bool some, bool full)
{
	psi_advance(times, now);
	times->active[PSI_SOME] = some;
	times->active[PSI_FULL] = full;
}
