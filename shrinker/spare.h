/* SPDX-License-Identifier: MIT */
/*
 * What the library keeps for the next to come, as shrinkers like those of programs:
 * parked heaps, empty slabs, free page runs. None of it is charged to a group. So they have
 * something to give only where memory of the machine is wanted.
 */
#ifndef SHRINKER_SPARE_H
#define SHRINKER_SPARE_H

/* Registers them, once. */
void spare_register(void);

#endif
