/* SPDX-License-Identifier: MIT */
/* The environment that a program is started in under cgslab. */
#ifndef TOOLS_CGSLAB_LAUNCH_ENV_H
#define TOOLS_CGSLAB_LAUNCH_ENV_H

/*
 * The library to preload: $CGSLAB_LIBRARY, or the one that was installed or
 * built with this command. Allocated. Ends the command if there is none.
 */
char *find_library(void);

/* Puts @library in front of LD_PRELOAD, unless a library of its name is there. */
void preload(const char *library);

/*
 * Adds pairs to CGSLAB_CONF, of which the last of a key counts: @defaults in
 * front of what is there, @explicit after it. Either may be "".
 */
void configure(const char *defaults, const char *explicit);

#endif
