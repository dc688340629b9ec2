/* server/process.h - what domaind is to the system: a user, a pid file.
 *
 *   returns  0, or -errno, logged */
#pragma once

#include "coro/base/attr.h"

/* Does this user exist?  0 or -ENOENT; says nothing. */
MUST_USE int process_check_user(const char *name);
/* Give up root for good: groups, group, user, and check that there is no way back. */
MUST_USE int process_become_user(const char *name);
/* Raise the limit of open descriptors as far as the system lets us; -EMFILE when that is
 * fewer than `needed`. */
MUST_USE int process_allow_descriptors(unsigned needed);
/* Replaced as a whole, so that a reader never sees half of it. */
MUST_USE int process_write_pid(const char *path);
/* Remove it, when it is still ours. */
void process_remove_pid(const char *path);
