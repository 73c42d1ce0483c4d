/* SPDX-License-Identifier: MIT */
#include "bench/ways/gate.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* lock: */
static unsigned workers, running;
static unsigned round_number, at_end;

atomic_bool gate_closed; /* written with lock */

void gate_init(unsigned count)
{
	workers = running = count;
}

static void stop_running(void)
{
	running--;
	pthread_cond_broadcast(&changed);
}

void gate_wait(void)
{
	pthread_mutex_lock(&lock);
	stop_running();
	while (gate_closed)
		pthread_cond_wait(&changed, &lock);
	running++;
	pthread_mutex_unlock(&lock);
}

void gate_stop_others(void (*look)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	gate_closed = true;
	while (running > 1)
		pthread_cond_wait(&changed, &lock);
	look(arg);
	gate_closed = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Who waits here does not run: gate_stop_others() need not wait for them. */
void gate_end_round(void)
{
	unsigned number;

	pthread_mutex_lock(&lock);
	number = round_number;
	stop_running();
	if (++at_end == workers) {
		at_end = 0;
		round_number++;
		pthread_cond_broadcast(&changed);
	}
	while (number == round_number || gate_closed)
		pthread_cond_wait(&changed, &lock);
	running++;
	pthread_mutex_unlock(&lock);
}
