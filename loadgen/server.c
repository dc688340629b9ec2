#include "loadgen/server.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"

#define READY_NS    (10 * NS_PER_S)
#define STOP_NS     (3 * NS_PER_S)
#define LOOK_NS     (2 * NS_PER_MS)
#define LOG_BYTES   8192
#define EXEC_FAILED 127
#define LISTENING   "listening on "

int lg_server_beside(const char *name, char *ret_path, size_t bytes)
{
    ssize_t n = readlink("/proc/self/exe", ret_path, bytes - 1);
    if (n < 0)
        return -errno;
    ret_path[n] = '\0';
    char *slash = strrchr(ret_path, '/');
    size_t room = slash == NULL ? 0 : bytes - (size_t)(slash + 1 - ret_path);
    if (room <= strlen(name))
        return -ENAMETOOLONG;
    memcpy(slash + 1, name, strlen(name) + 1);
    return 0;
}

static void pause_ns(int64_t ns)
{
    struct timespec span = {.tv_nsec = (long)ns};
    nanosleep(&span, NULL);
}

/* Signals as a shell would hand them over.  They are blocked until then: one that
 * comes before must end this process, not run the parent's handler in it. */
static void reset_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

NORETURN static void be_server(const char *const *argv, int core, int log_fd, pid_t parent)
{
    setpgid(0, 0);
    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(EXEC_FAILED);
    if (core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)core, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    dup2(log_fd, STDERR_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(EXEC_FAILED);
}

/* What it has said so far, as text. */
static size_t read_log(const struct lg_server *s, char text[LOG_BYTES])
{
    ssize_t n = pread(s->log_fd, text, LOG_BYTES - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

/* 1 ready, 0 not yet. */
static int is_ready(struct lg_server *s)
{
    char text[LOG_BYTES];
    read_log(s, text);
    const char *at = strstr(text, LISTENING);
    const char *ready = strstr(text, ": ready");
    if (at == NULL || ready == NULL || strchr(ready, '\n') == NULL)
        return 0;
    at += strlen(LISTENING);
    size_t n = strcspn(at, " \n");
    if (n == 0 || n >= sizeof s->address)
        return 0;
    memcpy(s->address, at, n);
    s->address[n] = '\0';
    return 1;
}

/* Has it ended?  It stays a zombie, so that its group cannot be anybody else's. */
static bool has_ended(const struct lg_server *s)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

static int fail(struct lg_server *s, const char *program, const char *what, int err,
                struct lg_why *why)
{
    char text[LOG_BYTES];
    size_t n = s->log_fd >= 0 ? read_log(s, text) : 0;
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    const char *last = n > 0 ? memrchr(text, '\n', n) : NULL;
    last = n == 0 ? "" : last == NULL ? text : last + 1;
    lg_why_set(why, "%s: %s%s%s", program, what, n > 0 ? ": " : "", last);
    lg_server_stop(s);
    return err;
}

int lg_server_start(struct lg_server *s, const char *const *argv, int core, const bool *stop,
                    struct lg_why *why)
{
    *s = (struct lg_server){.log_fd = -1};
    if (access(argv[0], X_OK) < 0) {
        int err = errno;
        lg_why_set(why, "cannot run %s: %s", argv[0], err_text(err));
        return -err;
    }
    /* A file, not a pipe: a server that logs must never wait for us. */
    s->log_fd = memfd_create("server log", MFD_CLOEXEC);
    if (s->log_fd < 0)
        return fail(s, argv[0], err_text(errno), -errno, why);
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int err = errno;
    if (pid == 0)
        be_server(argv, core, s->log_fd, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return fail(s, argv[0], err_text(err), -err, why);
    setpgid(pid, pid); /* whoever of the two comes first */
    s->pid = pid;
    int64_t deadline_ns = clock_now_ns() + READY_NS;
    while (!is_ready(s)) {
        if (has_ended(s))
            return fail(s, argv[0], "did not start", -ECHILD, why);
        if (stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED))
            return fail(s, argv[0], "interrupted", -EINTR, why);
        if (clock_now_ns() > deadline_ns)
            return fail(s, argv[0], "was not ready in 10 s", -ETIMEDOUT, why);
        pause_ns(LOOK_NS);
    }
    return 0;
}

void lg_server_stop(struct lg_server *s)
{
    if (s->pid > 0) {
        struct rusage usage = {0};
        int64_t deadline_ns = clock_now_ns() + STOP_NS;
        kill(s->pid, SIGTERM);
        while (!has_ended(s) && clock_now_ns() < deadline_ns)
            pause_ns(LOOK_NS);
        kill(-s->pid, SIGKILL); /* what is left of its group */
        wait4(s->pid, NULL, 0, &usage);
        s->switches = usage.ru_nvcsw + usage.ru_nivcsw;
        s->pid = 0;
    }
    if (s->log_fd >= 0)
        close(s->log_fd);
    s->log_fd = -1;
}
