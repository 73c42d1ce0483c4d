/* SPDX-License-Identifier: MIT */
/*
 * liburcu, flavour bp: no registration, survives fork. The program shares the
 * library with us, so its read sections hold off our grace periods too.
 */
#ifndef ALLOC_BASE_RCU_H
#define ALLOC_BASE_RCU_H

#include <urcu-bp.h>

#endif
