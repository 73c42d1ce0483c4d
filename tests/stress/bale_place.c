/* SPDX-License-Identifier: MIT */
#include "tests/stress/bale_place.h"

#include "tests/stress/check.h"

void places_init(struct place *places, int nr)
{
	for (int i = 0; i < nr; i++)
		pthread_mutex_init(&places[i].lock, NULL);
}

struct bale *place_exchange(struct place *place, struct bale *bale)
{
	struct bale *old;

	pthread_mutex_lock(&place->lock);
	old = place->bale;
	place->bale = bale;
	pthread_mutex_unlock(&place->lock);
	return old;
}

struct bale *place_get(struct place *place)
{
	struct bale *bale;

	pthread_mutex_lock(&place->lock);
	bale = place->bale;
	if (bale)
		bale_get(bale);
	pthread_mutex_unlock(&place->lock);
	return bale;
}

static void use(struct random *random, struct bale *bale)
{
	switch (random_below(random, 12)) {
	case 0:
		bale_rewrite(random, bale);
		break;
	case 1:
		bale_migrate(random, bale);
		break;
	case 2:
		bale_free_block(random, bale);
		break;
	default:
		bale_check(random, bale);
	}
}

void place_use(struct random *random, struct place *place)
{
	struct bale *bale = place_get(place);

	if (bale)
		use(random, bale);
	bale_put(bale);
}

void place_check(struct random *random, struct place *place)
{
	struct bale *bale = place_get(place);

	if (bale)
		bale_check(random, bale);
	bale_put(bale);
}

void places_check(struct place *places, int nr)
{
	struct random random = {.state = 1};

	for (int i = 0; i < nr; i++) {
		struct bale *bale = place_get(&places[i]);

		CHECK(!bale || !bale_check(&random, bale), "lost");
		bale_put(bale);
	}
}

void places_empty(struct place *places, int nr)
{
	for (int i = 0; i < nr; i++)
		bale_put(place_exchange(&places[i], NULL));
}
