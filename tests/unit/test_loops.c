/* All loops of the process: reports that ask each of them, and signals that reach them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "child.h"
#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/switch.h"
#include "coro/sync.h"
#include "dump.h"
#include "suite.h"

/* A child of a process with threads starts none of its own (ThreadSanitizer). */
static const struct co_options unwatched = {.watchdog_ns = -1};

enum { OTHERS = 3 };

static pthread_barrier_t started;
static int others_over; /* atomic */

static int other_main(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&started);
    while (!__atomic_load_n(&others_over, __ATOMIC_ACQUIRE))
        if (co_sleep(NS_PER_MS) < 0)
            break;
    return 0;
}

static void *other_thread(void *arg)
{
    struct co_options options = {.name = arg, .watchdog_ns = -1};
    ck_assert_int_eq(co_run(other_main, NULL, &options), 0);
    return NULL;
}

static int count_of(const struct buf *text, const char *what)
{
    int count = 0;
    const char *at = text->data, *end = text->data + text->len;
    while ((at = memmem(at, (size_t)(end - at), what, strlen(what))) != NULL) {
        count++;
        at++;
    }
    return count;
}

static int asks_all(void *arg)
{
    struct buf text;
    (void)arg;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 5; i++) {
        buf_clear(&text);
        ck_assert_int_eq(dump_all(&text, CO_DUMP_JSON, co_after(20 * NS_PER_S)), 0);
        ck_assert_int_eq(count_of(&text, "\"loop\":"), 1 + OTHERS);
        ck_assert_int_eq(count_of(&text, "\"busy\":false"), 1 + OTHERS);
        ck_assert_int_eq(count_of(&text, "(asks_all)") + count_of(&text, "asks_all"), 1);
    }
    contains(&text, "\"loop\":\"second\"");
    ck_assert_int_ge(co_dump_request(), 0);
    buf_fini(&text);
    return 0;
}

START_TEST(every_loop_answers)
{
    static const char *const names[OTHERS] = {"second", "third", "fourth"};
    pthread_t threads[OTHERS];
    struct buf text;
    buf_init(&text, 1 << 16);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), -EPERM);
    __atomic_store_n(&others_over, 0, __ATOMIC_RELEASE);
    pthread_barrier_init(&started, NULL, OTHERS + 1);
    for (int i = 0; i < OTHERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, other_thread, (void *)names[i]), 0);
    pthread_barrier_wait(&started);
    ck_assert_int_eq(co_run(asks_all, NULL, &unwatched), 0);
    __atomic_store_n(&others_over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < OTHERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(co_dump_request(), 0); /* nobody is left to be rung */
    pthread_barrier_destroy(&started);
    buf_fini(&text);
}
END_TEST

/* ---- asking and giving up ---- */

static int asks_once(void *arg)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    int rv = dump_all(&text, CO_DUMP_TEXT, CO_NO_DEADLINE);
    *(size_t *)arg = text.len;
    buf_fini(&text);
    return rv;
}

static int cancelled_main(void *arg)
{
    size_t len = 1;
    int result;
    (void)arg;
    struct co_task *task = co_spawn(asks_once, &len);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert_uint_eq(len, 0);
    /* the answer that is still under way finds nobody, and harms nothing */
    ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0);
    return 0;
}

START_TEST(who_gives_up_asking_gets_nothing)
{
    ck_assert_int_eq(co_run(cancelled_main, NULL, &unwatched), 0);
}
END_TEST

/* ---- a forked child ---- */

static int child_main(void *arg)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    int rv = dump_all(&text, CO_DUMP_JSON, co_after(10 * NS_PER_S));
    bool is_alone = count_of(&text, "\"loop\":") == 1;
    buf_fini(&text);
    (void)arg;
    return rv < 0 ? rv : !is_alone;
}

static void child(void)
{
    _exit(co_run(child_main, NULL, &unwatched) == 0 ? 0 : 1);
}

START_TEST(a_forked_child_knows_only_its_own)
{
    pthread_t thread;
    struct buf text;
    buf_init(&text, 1 << 20);
    __atomic_store_n(&others_over, 0, __ATOMIC_RELEASE);
    pthread_barrier_init(&started, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, (void *)"parents"), 0);
    pthread_barrier_wait(&started);
#if !defined(CO_TSAN) /* starts the pool's thread in the child */
    int status = in_child(child, &text);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
#else
    (void)child;
#endif
    __atomic_store_n(&others_over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&started);
    buf_fini(&text);
}
END_TEST

SUITE_MAIN("loops", SUITE_TEST(every_loop_answers), SUITE_TEST(who_gives_up_asking_gets_nothing),
           SUITE_TEST(a_forked_child_knows_only_its_own))
