/* The list in force: replaced while threads read it, without a lock on their way.
 *
 * A thread holds a reference to the table it used last, with the number of the
 * install it came from.  As long as that number is the newest, asking costs two
 * loads.  When it is not, the thread takes the lock once, exchanges its
 * reference, and the old table goes when its last thread has done so.
 * Invariant: a table a thread was handed lives until that thread asks again. */
#include <pthread.h>
#include <stdatomic.h>

#include "server/domain/domain.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct domain_suffixes *in_force; /* under lock; one reference */
static atomic_uint installs;             /* 0: never */
static pthread_key_t at_thread_end;      /* drops the thread's reference */
static bool has_key;                     /* false: out of keys, an ended thread's reference stays */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static _Thread_local struct {
    struct domain_suffixes *table; /* one reference, or NULL */
    unsigned install;
} mine;

static void drop_mine(void *table)
{
    mine.table = NULL;
    mine.install = 0;
    domain_suffixes_unref(table);
}

static void make_key(void)
{
    has_key = pthread_key_create(&at_thread_end, drop_mine) == 0;
}

void domain_suffixes_install(struct domain_suffixes *suffixes)
{
    pthread_mutex_lock(&lock);
    struct domain_suffixes *old = in_force;
    in_force = suffixes;
    atomic_fetch_add_explicit(&installs, 1, memory_order_release);
    pthread_mutex_unlock(&lock);
    domain_suffixes_unref(old);
}

static NOINLINE void take_newest(void)
{
    struct domain_suffixes *old = mine.table;
    pthread_once(&key_once, make_key);
    pthread_mutex_lock(&lock);
    mine.table = in_force;
    mine.install = atomic_load_explicit(&installs, memory_order_relaxed);
    if (mine.table != NULL)
        domain_suffixes_ref(mine.table);
    pthread_mutex_unlock(&lock);
    if (has_key)
        pthread_setspecific(at_thread_end, mine.table);
    domain_suffixes_unref(old);
}

const struct domain_suffixes *domain_suffixes_current(void)
{
    if (UNLIKELY(mine.install != atomic_load_explicit(&installs, memory_order_acquire)))
        take_newest();
    return mine.table;
}
