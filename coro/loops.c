/* coro/loops.c - the list of loops, reports of all of them, deadlocks.
 *
 * co_dump_all posts a request to every loop; each answers with a snapshot
 * between two turns; whoever asked waits for all, at most until its deadline.
 * A request is shared by the asker and the loops it went to; the last one
 * frees it.
 *
 * A signal handler may only ring: it raises a number and writes to the loops'
 * eventfds; each loop finds the number changed and writes its own report.  A loop
 * that ends takes its eventfd off and waits until nobody is ringing: the number
 * of a closed descriptor may be anybody's. */
#include "coro/loops.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/buf.h"
#include "coro/inspect.h"
#include "coro/offload.h"
#include "coro/snapshot.h"

#define LOOPS_MAX      256 /* that a signal can reach */
#define REPORT_MAX     ((size_t)64 << 20)
#define NAME_MAX_BYTES 40

static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct co_list loops = {&loops, &loops};
static int ring_fds[LOOPS_MAX]; /* plus 1; 0: free.  Atomic: a signal handler reads it */
static unsigned dumps_asked;    /* atomic */
static unsigned ringers;        /* atomic: who may have read a number from ring_fds */
static bool is_fork_handled;

/* A fork happens while nobody else is at the list: the child has it whole. */
static void before_fork(void)
{
    pthread_mutex_lock(&loops_lock);
}

static void on_fork_parent(void)
{
    pthread_mutex_unlock(&loops_lock);
}

static void on_fork_child(void)
{
    /* The parent's loops are not ours: their threads do not exist here. */
    list_init(&loops);
    memset(ring_fds, 0, sizeof(ring_fds));
    ringers = 0;
    pthread_mutex_unlock(&loops_lock);
}

int coro_loops_add(struct co_loop *loop)
{
    pthread_mutex_lock(&loops_lock);
    if (!is_fork_handled) {
        is_fork_handled = true;
        pthread_atfork(before_fork, on_fork_parent, on_fork_child);
    }
    list_add_tail(&loops, &loop->all);
    loop->is_listed = true;
    loop->dumps_seen = __atomic_load_n(&dumps_asked, __ATOMIC_RELAXED);
    loop->ring_slot = -1;
    for (int i = 0; i < LOOPS_MAX && loop->ring_slot < 0; i++)
        if (ring_fds[i] == 0) {
            __atomic_store_n(&ring_fds[i], coro_port_fd(loop->port) + 1, __ATOMIC_RELEASE);
            loop->ring_slot = i;
        }
    pthread_mutex_unlock(&loops_lock);
    return 0;
}

void coro_loops_remove(struct co_loop *loop)
{
    if (!loop->is_listed)
        return;
    pthread_mutex_lock(&loops_lock);
    list_del(&loop->all);
    if (loop->ring_slot >= 0)
        __atomic_store_n(&ring_fds[loop->ring_slot], 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&loops_lock);
    while (loop->ring_slot >= 0 && __atomic_load_n(&ringers, __ATOMIC_SEQ_CST) > 0)
        sched_yield();
}

void coro_loops_each(void (*fn)(struct co_loop *loop, void *arg), void *arg)
{
    pthread_mutex_lock(&loops_lock);
    LIST_FOR_EACH(link, &loops)
    fn(LIST_ENTRY(link, struct co_loop, all), arg);
    pthread_mutex_unlock(&loops_lock);
}

/* ---- one loop ---- */

/* Append a report of one loop, that of this thread. */
static int dump(struct co_loop *loop, struct buf *out, enum co_dump_format format)
{
    struct co_loop_info *info;
    int rv = coro_snapshot(loop, &info);
    if (rv < 0)
        return rv;
    rv = coro_snapshot_write(out, format, &info, 1);
    coro_snapshot_free(info);
    return rv;
}

/* Hand the text over, which the buffer owned until now; or free it. */
static int take_text(int rv, struct buf *text, char **ret_text)
{
    if (rv == 0)
        rv = buf_append_char(text, 0);
    if (rv == 0)
        *ret_text = text->data;
    else
        buf_fini(text);
    return rv;
}

int co_dump(enum co_dump_format format, char **ret_text)
{
    struct buf text;
    if (coro_loop_tls == NULL)
        return -EPERM;
    buf_init(&text, REPORT_MAX);
    return take_text(dump(coro_loop_tls, &text, format), &text, ret_text);
}

static void dump_to_stderr(struct co_loop *loop, const char *title)
{
    struct buf text;
    buf_init(&text, REPORT_MAX);
    int rv = buf_printf(&text, "%s\n", title);
    if (rv == 0)
        rv = dump(loop, &text, CO_DUMP_TEXT);
    /* half a report is better than none */
    (void)rv;
    for (size_t done = 0; done < text.len;) {
        ssize_t n = write(STDERR_FILENO, text.data + done, text.len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    buf_fini(&text);
}

int co_dump_request(void)
{
    int rung = 0;
    __atomic_add_fetch(&ringers, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&dumps_asked, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < LOOPS_MAX; i++) {
        int fd = __atomic_load_n(&ring_fds[i], __ATOMIC_SEQ_CST) - 1;
        if (fd >= 0)
            rung += write(fd, &(uint64_t){1}, sizeof(uint64_t)) > 0;
    }
    __atomic_sub_fetch(&ringers, 1, __ATOMIC_RELEASE);
    return rung;
}

static void on_dump_signal(int signo)
{
    (void)signo;
    int err = errno;
    co_dump_request();
    errno = err;
}

int co_dump_on_signal(int signo)
{
    struct sigaction action = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(signo, &action, NULL) < 0 ? -errno : 0;
}

void coro_dump_if_asked(struct co_loop *loop)
{
    unsigned asked = __atomic_load_n(&dumps_asked, __ATOMIC_ACQUIRE);
    if (LIKELY(asked == loop->dumps_seen))
        return;
    loop->dumps_seen = asked;
    /* Naming frames and writing take their time; whoever asked wants no word of that. */
    __atomic_store_n(&loop->is_polling, true, __ATOMIC_RELAXED);
    dump_to_stderr(loop, "coro: report of tasks");
    __atomic_store_n(&loop->is_polling, false, __ATOMIC_RELAXED);
}

/* ---- deadlock ---- */

static bool end_wait(struct co_task *task, void *arg)
{
    (void)arg;
    coro_wake(task, -EDEADLK);
    return true;
}

void coro_deadlock(struct co_loop *loop)
{
    if (!loop->is_deadlock_told) {
        loop->is_deadlock_told = true;
        dump_to_stderr(loop, "coro: deadlock: every task waits, and nothing can wake any of them");
    }
    coro_task_each(loop, end_wait, NULL);
}

/* ---- all loops ---- */

struct answer {
    struct co_post post;
    struct dump *dump;
    struct co_loop_info *info; /* NULL until the loop has answered */
    char name[NAME_MAX_BYTES];
};

/* A request to all loops. */
struct dump {
    pthread_mutex_t lock;
    unsigned refs;
    size_t pending;
    size_t count;
    struct co_post done;   /* to the asker's loop, when the last one has answered */
    struct co_port *asker; /* shared */
    struct co_task *task;  /* NULL: it has stopped waiting; its loop's thread alone */
    struct answer answers[LOOPS_MAX];
};

static void dump_unref(struct dump *dump)
{
    pthread_mutex_lock(&dump->lock);
    bool is_last = --dump->refs == 0;
    pthread_mutex_unlock(&dump->lock);
    if (!is_last)
        return;
    for (size_t i = 0; i < dump->count; i++)
        coro_snapshot_free(dump->answers[i].info);
    coro_port_unref(dump->asker);
    pthread_mutex_destroy(&dump->lock);
    free(dump);
}

/* On the asker's loop. */
static void on_all_answered(void *arg)
{
    struct dump *dump = arg;
    if (dump->task != NULL)
        coro_wake(dump->task, 0);
    dump_unref(dump);
}

/* On the loop that is asked. */
static void on_asked(void *arg)
{
    struct answer *answer = arg;
    struct dump *dump = answer->dump;
    struct co_loop_info *info = NULL;
    (void)!coro_snapshot(coro_loop_tls, &info);
    pthread_mutex_lock(&dump->lock);
    answer->info = info;
    bool is_last = --dump->pending == 0;
    if (is_last)
        dump->refs++;
    pthread_mutex_unlock(&dump->lock);
    if (is_last && coro_port_post(dump->asker, &dump->done) < 0)
        dump_unref(dump);
    dump_unref(dump);
}

static void ask(struct co_loop *loop, void *arg)
{
    struct dump *dump = arg;
    if (dump->count == LOOPS_MAX)
        return;
    struct answer *answer = &dump->answers[dump->count];
    *answer = (struct answer){.post = {.fn = on_asked, .arg = answer}, .dump = dump};
    snprintf(answer->name, sizeof(answer->name), "%s", loop->name);
    pthread_mutex_lock(&dump->lock);
    dump->count++;
    dump->refs++;
    dump->pending++;
    pthread_mutex_unlock(&dump->lock);
    if (coro_port_post(loop->port, &answer->post) < 0) {
        pthread_mutex_lock(&dump->lock);
        dump->count--;
        dump->refs--;
        dump->pending--;
        pthread_mutex_unlock(&dump->lock);
    }
}

/* The rendering, on the pool: takes over the answers that have come. */
struct render {
    struct buf text;
    enum co_dump_format format;
    size_t count;
    struct co_loop_info *infos[LOOPS_MAX];
};

static int render_run(void *job)
{
    struct render *render = job;
    return coro_snapshot_write(&render->text, render->format, render->infos, render->count);
}

static void render_free(void *job)
{
    struct render *render = job;
    for (size_t i = 0; i < render->count; i++)
        coro_snapshot_free(render->infos[i]);
    buf_fini(&render->text);
    free(render);
}

static int take_answers(struct dump *dump, struct render *render)
{
    int rv = 0;
    pthread_mutex_lock(&dump->lock);
    for (size_t i = 0; i < dump->count && rv == 0; i++) {
        struct co_loop_info *info = dump->answers[i].info;
        dump->answers[i].info = NULL;
        if (info == NULL && (info = calloc(1, sizeof(*info))) == NULL) {
            rv = -ENOMEM;
            break;
        }
        if (info->tasks == NULL) {
            info->is_busy = true;
            snprintf(info->name, sizeof(info->name), "%s", dump->answers[i].name);
        }
        render->infos[render->count++] = info;
    }
    pthread_mutex_unlock(&dump->lock);
    return rv;
}

static int render_answers(struct dump *dump, enum co_dump_format format, char **ret_text)
{
    struct render *render = calloc(1, sizeof(*render));
    if (render == NULL)
        return -ENOMEM;
    buf_init(&render->text, REPORT_MAX);
    render->format = format;
    int rv = take_answers(dump, render);
    if (rv < 0) {
        render_free(render);
        return rv;
    }
    int result = 0;
    /* naming takes a while: not charged to the deadline of answering */
    rv = co_offload(render_run, render, render_free, CO_NO_DEADLINE, &result);
    if (rv < 0)
        return rv;
    rv = take_text(result, &render->text, ret_text);
    buf_init(&render->text, 0); /* handed over, or freed */
    render_free(render);
    return rv;
}

int co_dump_all(enum co_dump_format format, int64_t deadline_ns, char **ret_text)
{
    struct co_task *self = coro_self_or_die("co_dump_all");
    struct dump *dump = calloc(1, sizeof(*dump));
    if (dump == NULL)
        return -ENOMEM;
    pthread_mutex_init(&dump->lock, NULL);
    dump->refs = 1;
    dump->pending = 1; /* ours, until everybody has been asked */
    dump->asker = coro_port_ref(self->loop->port);
    dump->done = (struct co_post){.fn = on_all_answered, .arg = dump};
    dump->task = self;
    coro_loops_each(ask, dump);
    pthread_mutex_lock(&dump->lock);
    bool is_done = --dump->pending == 0;
    pthread_mutex_unlock(&dump->lock);
    int rv = 0;
    if (!is_done) {
        self->loop->outside++;
        rv = coro_park(CO_WAIT_OFFLOAD, NULL, deadline_ns);
        self->loop->outside--;
    }
    dump->task = NULL;
    if (rv == 0 || rv == -ETIMEDOUT)
        rv = render_answers(dump, format, ret_text);
    dump_unref(dump);
    return rv;
}
