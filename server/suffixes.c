/* server/suffixes.c - see suffixes.h. */
#include "server/suffixes.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "server/domain/domain.h"

/* Of the file in force: when none of these changed, nothing did. */
static struct stat in_force;

/* Places for tables, used in turn; what is never written takes no memory. */
#define PLACES      8
#define PLACE_BYTES ((size_t)16 << 20)

struct sharing {
    atomic_uint published;  /* how often a table was; 0: never */
    atomic_int current;     /* the newest one's place; -1: there was none for it */
    unsigned ended[PLACES]; /* the reload that took its table out of force; 0: none was there */
    _Alignas(64) char places[PLACES][PLACE_BYTES];
};
static struct sharing *sharing; /* shared; written by the master alone */
static unsigned adopted;        /* this process's: which publication it goes by */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The list that the configuration names; NULL: it is the one in force. */
static int read_list(const struct config *cfg, struct domain_suffixes **ret_suffixes)
{
    const char *path = *cfg->suffix_list != '\0' ? cfg->suffix_list : domain_suffixes_find(NULL);
    struct stat st;
    struct domain_load_error why;
    *ret_suffixes = NULL;
    if (stat(path, &st) < 0) {
        int err = -errno;
        log_error("cannot load the suffix list %s: %s", path, err_text(err));
        return err;
    }
    if (domain_suffixes_current() != NULL && is_same(&st, &in_force))
        return 0;
    int rv = domain_suffixes_load(path, ret_suffixes, &why);
    if (rv < 0 && why.line > 0)
        log_error("%s:%u: %s", path, why.line, why.what);
    else if (rv < 0)
        log_error("cannot load the suffix list %s: %s", path, why.what);
    if (rv == 0)
        in_force = st;
    return rv;
}

int suffixes_load(const struct config *cfg)
{
    struct domain_suffixes *suffixes;
    int rv = read_list(cfg, &suffixes);
    if (suffixes != NULL)
        domain_suffixes_install(suffixes);
    return rv;
}

int suffixes_share(void)
{
    void *memory = mmap(NULL, sizeof *sharing, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    sharing = memory;
    adopted = 0;
    atomic_store(&sharing->current, -1);
    return 0;
}

/* A place that no child reads any more, -EAGAIN. */
static int free_place(unsigned oldest)
{
    int current = atomic_load(&sharing->current);
    for (int i = 0; i < PLACES; i++)
        if (i != current && sharing->ended[i] <= oldest)
            return i;
    return -EAGAIN;
}

/* Put it where children find it; the table to be in force here. */
static struct domain_suffixes *publish(struct domain_suffixes *suffixes, unsigned reload,
                                       unsigned oldest)
{
    int before = atomic_load(&sharing->current);
    int place = domain_suffixes_bytes(suffixes) <= PLACE_BYTES ? free_place(oldest) : -EFBIG;
    if (before >= 0)
        sharing->ended[before] = reload;
    if (place >= 0) {
        struct domain_suffixes *shared = domain_suffixes_copy(suffixes, sharing->places[place]);
        domain_suffixes_unref(suffixes);
        suffixes = shared;
    }
    atomic_store(&sharing->current, place >= 0 ? place : -1);
    adopted = atomic_fetch_add(&sharing->published, 1) + 1;
    return suffixes;
}

int suffixes_reload(const struct config *cfg, unsigned reload, unsigned oldest)
{
    struct domain_suffixes *suffixes;
    int rv = read_list(cfg, &suffixes);
    if (suffixes == NULL)
        return rv;
    if (sharing != NULL)
        suffixes = publish(suffixes, reload, oldest);
    domain_suffixes_install(suffixes);
    return 0;
}

bool suffixes_adopt(void)
{
    unsigned published = atomic_load(&sharing->published);
    int current = atomic_load(&sharing->current);
    if (published == adopted)
        return true;
    if (current < 0)
        return false;
    /* the table stands at the front of its place */
    domain_suffixes_install((struct domain_suffixes *)(void *)sharing->places[current]);
    adopted = published;
    return true;
}
