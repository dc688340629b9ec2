/* What Valgrind is run on.  Without an argument: tasks that do a bit of everything, on
 * two loops, and leave nothing behind.  "leak", "read", "undefined": the same, and one
 * mistake in a function of that name, made inside a task. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"
#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/offload.h"
#include "coro/sync.h"

enum { TASKS = 40, DEEP = 200, ROUNDS = 3 };

static const char *mistake = "";

/* Frames that later tasks on the same stack come across again. */
static NOINLINE int deep(int left)
{
    char frame[400];
    memset(frame, left, sizeof(frame));
    if (left == 0)
        return co_yield ();
    int rv = deep(left - 1);
    return rv < 0 ? rv : rv + frame[left % (int)sizeof(frame)] - (char)left;
}

static int deep_task(void *arg)
{
    (void)arg;
    int rv = deep(DEEP);
    return rv < 0 ? rv : co_sleep(NS_PER_MS);
}

static int times_two(void *job)
{
    *(int *)job *= 2;
    return 0;
}

static int offloaded(void *arg)
{
    (void)arg;
    static int number = 21;
    int result;
    int rv = co_offload(times_two, &number, NULL, CO_NO_DEADLINE, &result);
    return rv;
}

static int echo(void *arg)
{
    char text[8];
    int fd = (int)(intptr_t)arg;
    ssize_t n;
    while ((n = co_read(fd, text, sizeof(text), CO_NO_DEADLINE)) > 0)
        if (co_write(fd, text, (size_t)n, CO_NO_DEADLINE) < 0)
            break;
    return co_close(fd);
}

static int sockets(void *arg)
{
    int ends[2];
    char text[8] = "";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    (void)arg;
    co_detach(co_spawn(echo, (void *)(intptr_t)ends[1]));
    if (co_write(ends[0], "hello", 5, CO_NO_DEADLINE) != 5 ||
        co_read(ends[0], text, sizeof(text), CO_NO_DEADLINE) != 5 || strcmp(text, "hello") != 0)
        return -EIO;
    return co_close(ends[0]);
}

static int sender(void *arg)
{
    for (void *item = arg; item != NULL; item = NULL) {
        int rv = co_chan_send(arg, &item, CO_NO_DEADLINE);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static int channels(void *arg)
{
    void *item;
    struct co_chan *chan = co_chan_new(sizeof(item), 0);
    if (chan == NULL)
        return -ENOMEM;
    (void)arg;
    co_detach(co_spawn(sender, chan));
    int rv = co_chan_recv(chan, &item, CO_NO_DEADLINE);
    if (rv == 0 && item != chan)
        rv = -EIO;
    co_yield ();
    co_chan_free(chan);
    return rv;
}

/* ---- the mistakes ---- */

static NOINLINE void leak(void)
{
    char *volatile lost = malloc(123);
    lost = NULL;
    (void)lost;
}

static NOINLINE void read_freed(void)
{
    char *volatile gone = malloc(4);
    free(gone);
    (void)*(volatile char *)(gone + 1);
}

static NOINLINE void use_undefined(void)
{
    int never_set[4];
    __asm__ volatile("" : : "r"(never_set) : "memory"); /* for all the compiler knows, set */
    co_yield (); /* others run meanwhile, on their own stacks */
    if (never_set[2] == 7)
        abort();
}

static NOINLINE int mistaken(void *arg)
{
    (void)arg;
    if (strcmp(mistake, "leak") == 0)
        leak();
    else if (strcmp(mistake, "read") == 0)
        read_freed();
    else if (strcmp(mistake, "undefined") == 0)
        use_undefined();
    return 0;
}

/* ---- the rest ---- */

static int report(void)
{
    char *text = NULL;
    int rv = co_dump(CO_DUMP_TEXT, &text);
    free(text);
    return rv;
}

static int everything(void *arg)
{
    co_fn *const kinds[] = {deep_task, offloaded, sockets, channels, mistaken};
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        struct co_group group;
        co_group_init(&group, 0, 0);
        int rv = 0;
        for (size_t i = 0; i < TASKS && rv == 0; i++)
            rv = co_group_spawn(&group, kinds[i % ARRAY_LEN(kinds)], NULL, CO_NO_DEADLINE);
        if (rv == 0)
            rv = co_group_wait(&group, CO_NO_DEADLINE);
        int left = co_group_close(&group);
        if (rv < 0 || left < 0)
            return rv < 0 ? rv : left;
    }
    return report();
}

static void *run(void *arg)
{
    struct co_options options = {.name = arg, .watchdog_ns = -1}; /* everything is slow here */
    return (void *)(intptr_t)co_run(everything, NULL, &options);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *other = NULL;
    if (argc > 1)
        mistake = argv[1];
    if (pthread_create(&thread, NULL, run, "second") != 0)
        return EXIT_FAILURE;
    void *own = run("first");
    pthread_join(thread, &other);
    return own == NULL && other == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
