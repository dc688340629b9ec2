/* Which list is read when none is named: the newest of those that are there.
 *
 * A list's time stamp is the publisher's (domainc psl update keeps the server's,
 * a package its archive's), so whichever source is behind yields by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/domain/domain.h"

bool domain_suffixes_own_path(char ret_path[DOMAIN_PATH_BYTES])
{
    static const char name[] = "domaind/public_suffix_list.dat";
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n;
    if (data != NULL && data[0] == '/')
        n = snprintf(ret_path, DOMAIN_PATH_BYTES, "%s/%s", data, name);
    else if (home != NULL && home[0] == '/')
        n = snprintf(ret_path, DOMAIN_PATH_BYTES, "%s/.local/share/%s", home, name);
    else
        return false;
    return n > 0 && n < DOMAIN_PATH_BYTES;
}

static void take_if_newer(const char *path, const char **best, struct timespec *best_time)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, R_OK) < 0)
        return;
    bool is_newer =
        st.st_mtim.tv_sec > best_time->tv_sec ||
        (st.st_mtim.tv_sec == best_time->tv_sec && st.st_mtim.tv_nsec > best_time->tv_nsec);
    if (*best != NULL && !is_newer)
        return;
    *best = path;
    *best_time = st.st_mtim;
}

const char *domain_suffixes_find(const char *own)
{
    const char *best = NULL;
    struct timespec best_time = {0};
    if (own != NULL)
        take_if_newer(own, &best, &best_time);
    take_if_newer(DOMAIN_SUFFIX_LIST_UPDATED, &best, &best_time);
    take_if_newer(DOMAIN_SUFFIX_LIST_PATH, &best, &best_time);
    return best != NULL ? best : DOMAIN_SUFFIX_LIST_PATH;
}
