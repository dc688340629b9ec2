#include "server/mode/cpus.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

unsigned cpus_of_quota(const char *text)
{
    int64_t quota_us = 0, period_us = 0;
    if (sscanf(text, "%" SCNd64 " %" SCNd64, &quota_us, &period_us) != 2)
        return 0;
    if (quota_us <= 0 || period_us <= 0)
        return 0;
    return (unsigned)((quota_us + period_us - 1) / period_us);
}

static unsigned quota_of(const char *folder, size_t len)
{
    char path[512], text[64] = "";
    snprintf(path, sizeof path, "/sys/fs/cgroup%.*s/cpu.max", (int)len, folder);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    fclose(file);
    return cpus_of_quota(text);
}

/* The tightest quota from our own cgroup up to the root. */
static unsigned cgroup_quota(void)
{
    char line[400] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "0::", 3) != 0)
        line[0] = '\0';
    fclose(file);
    if (line[0] == '\0')
        return 0; /* no unified hierarchy */
    const char *folder = line + 3;
    unsigned least = 0;
    for (size_t len = strcspn(folder, "\n");; len--) {
        while (len > 0 && folder[len] != '/' && folder[len] != '\n')
            len--;
        unsigned quota = quota_of(folder, len);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        if (len == 0)
            return least;
    }
}

unsigned cpus_usable(void)
{
    cpu_set_t set;
    unsigned count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = (unsigned)CPU_COUNT(&set);
    unsigned quota = cgroup_quota();
    return quota > 0 && quota < count ? quota : count;
}
