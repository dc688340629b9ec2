/* server/mode/cpus.h - how many CPUs this process may use. */
#pragma once

/* What the affinity mask and the cgroup's quota (cpu.max, rounded up) allow, at
 * least 1. */
unsigned cpus_usable(void);

/* "max 100000" or "150000 100000" as CPUs, rounded up; 0: no limit, or not a quota. */
unsigned cpus_of_quota(const char *text);
