/* server/suffixes.h - the Public Suffix List that the configuration names, in force. */
#pragma once

#include "server/config/config.h"

/* Load it, unless the file is the one that is in force already.  0, or -errno,
 * logged; then the list before it stays. */
int suffixes_reload(const struct config *cfg);
