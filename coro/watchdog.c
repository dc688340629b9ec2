/* coro/watchdog.c - a thread that notices when a task blocks its loop.
 *
 * Every loop counts its turns, and in a turn its switches, and says when it is in its poll.  A
 * loop that is not, and whose counts have not moved for its watchdog_ns, gets a
 * signal; the handler, on the loop's thread, copies the running task's name
 * and its native stack; the watchdog reports it, once a stretch.  Time that the
 * loop's thread was ready and waited for a CPU is the machine's fault, not the
 * task's: the kernel counts it (/proc/self/task/TID/schedstat) and it is taken
 * off.  A watchdog that itself was late to wake judges nothing.
 *
 * A loop that ends waits until no report is being made: the process may exit
 * next, and its libraries end under the feet of a thread that still uses them.
 *
 * The signal is SIGURG: ignored by default, and restarted system calls go on.  A
 * program that has a handler for it keeps it, and has no watchdog. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coro/inspect.h"
#include "coro/loops.h"
#include "coro/trace.h"

#define WATCH_SIGNAL    SIGURG
#define LOOK_MIN_NS     (5 * NS_PER_MS)
#define ANSWER_S        1
#define STACK_MAX       ((size_t)64 << 10)
#define IDLE_LOOKS      20 /* without a loop to watch; then the thread ends */
#define LOOK_DEFAULT_NS (50 * NS_PER_MS)

/* What the handler found; one question at a time. */
static struct {
    sem_t answered;
    const struct co_loop *asked; /* atomic: whose handler is to answer; NULL: nobody's */
    char task[40];
    const struct co_site *site;
    bool is_ignored;
    int frames;
    uintptr_t pcs[CO_TRACE_MAX];
} answer;

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool is_watcher;
static bool is_running; /* guarded by watch_lock */
static bool is_set_up;
static bool is_signal_taken; /* by the program: nobody watches */
static co_blocked_fn *blocked_fn;
static void *blocked_arg;

/* A finding, to be told without the list of loops locked. */
struct finding {
    char loop[40];
    int64_t busy_ns;
    bool is_answered;
};

static void on_watch_signal(int signo)
{
    (void)signo;
    int err = errno;
    const struct co_loop *loop = coro_loop_tls;
    const struct co_loop *asked = loop;
    /* (a signal that comes late may find the next question, to another loop) */
    if (loop == NULL || !__atomic_compare_exchange_n(&answer.asked, &asked, NULL, false,
                                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    const struct co_task *task = loop->self;
    const char *name = task != NULL ? co_task_name(task) : "(loop)";
    strncpy(answer.task, name, sizeof(answer.task) - 1);
    answer.site = task != NULL ? task->site : NULL;
    answer.is_ignored = task != NULL && task->is_unwatched;
    answer.frames = coro_trace_self(answer.pcs, CO_TRACE_MAX, 2);
    sem_post(&answer.answered);
    errno = err;
}

/* Ask a loop that seems stuck.  Called with the list of loops locked. */
static bool question(struct co_loop *loop)
{
    struct timespec until;
    while (sem_trywait(&answer.answered) == 0)
        ;
    answer.frames = 0;
    answer.is_ignored = false;
    answer.site = NULL;
    memset(answer.task, 0, sizeof(answer.task));
    __atomic_store_n(&answer.asked, loop, __ATOMIC_RELEASE);
    if (pthread_kill(loop->thread, WATCH_SIGNAL) != 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_S;
    while (sem_timedwait(&answer.answered, &until) != 0) {
        if (errno == EINTR)
            continue;
        if (__atomic_exchange_n(&answer.asked, NULL, __ATOMIC_ACQ_REL) != NULL)
            return false;
        /* The handler has begun to answer: what it writes may not be read yet. */
        while (sem_wait(&answer.answered) != 0)
            ;
        return true;
    }
    return true;
}

static void tell(const struct finding *finding)
{
    if (answer.is_ignored)
        return;
    struct buf stack;
    buf_init(&stack, STACK_MAX);
    if (!finding->is_answered || coro_trace_text(&stack, answer.pcs, answer.frames) < 0 ||
        buf_append_char(&stack, 0) < 0)
        buf_clear(&stack);
    static const struct co_site nowhere = {"?", "?", 0, 0};
    struct co_blocked blocked = {.loop = finding->loop,
                                 .task = finding->is_answered ? answer.task : "?",
                                 .site = answer.site != NULL ? answer.site : &nowhere,
                                 .busy_ns = finding->busy_ns,
                                 .stack = stack.len > 0 ? stack.data : ""};
    if (blocked_fn != NULL)
        blocked_fn(&blocked, blocked_arg);
    else
        fprintf(stderr,
                "coro: task %s blocks loop %s for more than %.0f ms, spawned at %s:%d (%s)\n%s",
                blocked.task, blocked.loop, (double)blocked.busy_ns / 1e6, blocked.site->file,
                blocked.site->line, blocked.site->function, blocked.stack);
    buf_fini(&stack);
}

/* How long the thread has been ready without a CPU, ever; 0: the kernel does not say. */
static int64_t run_delay_ns(pid_t tid)
{
    char path[48], text[64];
    long long ran_ns, delay_ns = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "%lld %lld", &ran_ns, &delay_ns) == 2 ? delay_ns : 0;
}

struct look {
    int64_t now_ns;
    int64_t pause_ns; /* until the next look */
    size_t watched;
    bool is_late;
    bool is_found;
    struct finding finding;
};

static void look_at(struct co_loop *loop, void *arg)
{
    struct look *look = arg;
    if (loop->watchdog_ns <= 0)
        return;
    look->watched++;
    if (loop->watchdog_ns / 2 < look->pause_ns)
        look->pause_ns = loop->watchdog_ns / 2;
    uint64_t beat = __atomic_load_n(&loop->turns, __ATOMIC_RELAXED) << 32 |
                    (uint32_t)__atomic_load_n(&loop->budget, __ATOMIC_RELAXED);
    bool is_polling = __atomic_load_n(&loop->is_polling, __ATOMIC_RELAXED);
    bool is_new = loop->watch_since_ns == 0;
    if (is_new || is_polling || beat != loop->watch_beat || look->is_late) {
        loop->is_watch_told = loop->is_watch_told && beat == loop->watch_beat && !is_polling;
        loop->watch_beat = beat;
        loop->watch_since_ns = look->now_ns;
        loop->watch_delay_ns = -1;
        return;
    }
    if (loop->is_watch_told || look->is_found)
        return;
    int64_t delay_ns = run_delay_ns(loop->tid);
    if (loop->watch_delay_ns < 0)
        loop->watch_delay_ns = delay_ns;
    int64_t busy_ns = look->now_ns - loop->watch_since_ns - (delay_ns - loop->watch_delay_ns);
    if (busy_ns < loop->watchdog_ns)
        return;
    loop->is_watch_told = true;
    look->is_found = true;
    look->finding.busy_ns = busy_ns;
    snprintf(look->finding.loop, sizeof(look->finding.loop), "%s", loop->name);
    look->finding.is_answered = question(loop);
}

static void *watch_main(void *arg)
{
    (void)arg;
    is_watcher = true;
    int idle = 0;
    int64_t pause_ns = LOOK_MIN_NS;
    for (;;) {
        int64_t asleep_ns = clock_now_ns();
        struct timespec pause = {.tv_sec = pause_ns / NS_PER_S, .tv_nsec = pause_ns % NS_PER_S};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        struct look look = {.now_ns = clock_now_ns(), .pause_ns = LOOK_DEFAULT_NS};
        look.is_late = look.now_ns - asleep_ns > 2 * pause_ns;
        pthread_mutex_lock(&watch_lock);
        coro_loops_each(look_at, &look);
        pause_ns = look.pause_ns > LOOK_MIN_NS ? look.pause_ns : LOOK_MIN_NS;
        if (look.is_found)
            tell(&look.finding);
        idle = look.watched == 0 ? idle + 1 : 0;
        if (idle > IDLE_LOOKS)
            is_running = false;
        bool is_over = !is_running;
        pthread_mutex_unlock(&watch_lock);
        if (is_over)
            return NULL;
    }
}

/* A fork happens while the watchdog sleeps, or tells: what is told may fork.  It
 * comes before the fork handlers of loops.c, whose lock is taken inside this one:
 * those were registered earlier. */
static void before_fork(void)
{
    if (!is_watcher)
        pthread_mutex_lock(&watch_lock);
}

static void on_fork_parent(void)
{
    if (!is_watcher)
        pthread_mutex_unlock(&watch_lock);
}

static void on_fork_child(void)
{
    is_running = false;
    if (!is_watcher)
        pthread_mutex_unlock(&watch_lock);
}

/* Once per process.  Called with watch_lock held. */
static void set_up(void)
{
    is_set_up = true;
    sem_init(&answer.answered, 0, 0);
    pthread_atfork(before_fork, on_fork_parent, on_fork_child);
    /* Its first use loads the unwinder, which a signal handler may not. */
    uintptr_t pc;
    (void)coro_trace_self(&pc, 1, 0);
    struct sigaction before, action = {.sa_handler = on_watch_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    is_signal_taken = sigaction(WATCH_SIGNAL, NULL, &before) < 0 ||
                      (before.sa_flags & SA_SIGINFO) ||
                      (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN);
    if (!is_signal_taken)
        sigaction(WATCH_SIGNAL, &action, NULL);
}

void coro_watchdog_start(void)
{
    pthread_mutex_lock(&watch_lock);
    if (!is_set_up)
        set_up();
    if (!is_running && !is_signal_taken) {
        pthread_t thread;
        pthread_attr_t attr;
        sigset_t all, before;
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        /* Without a thread nobody watches, and nothing else is lost. */
        is_running = pthread_create(&thread, &attr, watch_main, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
    }
    pthread_mutex_unlock(&watch_lock);
}

void coro_watchdog_settle(void)
{
    pthread_mutex_lock(&watch_lock);
    pthread_mutex_unlock(&watch_lock);
}

void co_on_blocked(co_blocked_fn *fn, void *arg)
{
    pthread_mutex_lock(&watch_lock);
    blocked_fn = fn;
    blocked_arg = arg;
    pthread_mutex_unlock(&watch_lock);
}

void co_watchdog_ignore(bool is_ignored)
{
    coro_self_or_die("co_watchdog_ignore")->is_unwatched = is_ignored;
}
