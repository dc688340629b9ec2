/* server/suffixes.c - see suffixes.h. */
#include "server/suffixes.h"

#include <errno.h>
#include <sys/stat.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "server/domain/domain.h"

/* Of the file in force: when none of these changed, nothing did. */
static struct stat in_force;

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int suffixes_reload(const struct config *cfg)
{
    const char *path = *cfg->suffix_list != '\0' ? cfg->suffix_list : DOMAIN_SUFFIX_LIST_PATH;
    struct stat st;
    struct domain_suffixes *suffixes;
    struct domain_load_error why;
    if (stat(path, &st) < 0) {
        int err = -errno;
        log_error("cannot load the suffix list %s: %s", path, err_text(err));
        return err;
    }
    if (domain_suffixes_current() != NULL && is_same(&st, &in_force))
        return 0;
    int rv = domain_suffixes_load(path, &suffixes, &why);
    if (rv < 0 && why.line > 0)
        log_error("%s:%u: %s", path, why.line, why.what);
    else if (rv < 0)
        log_error("cannot load the suffix list %s: %s", path, why.what);
    if (rv < 0)
        return rv;
    domain_suffixes_install(suffixes);
    in_force = st;
    return 0;
}
