/* server/suffixes.h - the Public Suffix List that the configuration names, in force.
 *
 * Where workers are processes, the master reads a changed file once and puts
 * the table into memory that all of them share; children take it from there.
 * Reloads are numbered, from 1: a table is overwritten when every child has
 * obeyed the reload that took it out of force.
 *
 *   context   the main thread; suffixes_adopt: a child's
 *   returns   0, or -errno, logged; then the list before it stays */
#pragma once

#include "server/config/config.h"

/* Load it, unless the file is the one that is in force already. */
MUST_USE int suffixes_load(const struct config *cfg);

/* Make the memory for tables that children share; before the first fork. */
MUST_USE int suffixes_share(void);
/* The same as suffixes_load, for the children too.  reload: the number of this one;
 * oldest: that of the reload which each child has obeyed, or a later one. */
MUST_USE int suffixes_reload(const struct config *cfg, unsigned reload, unsigned oldest);
/* In a child: take what the master has loaded.  false: there was no room for it, and the
 * child is to load the file itself. */
MUST_USE bool suffixes_adopt(void);
