/* server/mode/admin.c - the administrators' own listener.
 *
 * An event loop of its own, so that it answers when every worker is busy: one
 * thread beside the workers, or, where workers are processes, a process of its
 * own (forking a master that has threads would be asking for trouble), which keeps
 * the master's larger share of the CPU (cpu_share_ahead): its reports go on nicely
 * (cpu_share_background), its health must not wait behind children.  It starts and
 * ends last; a process that dies is replaced. */
#include "server/mode/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "server/io/access_log.h"
#include "server/metrics/metrics.h"

#define RETRY_NS NS_PER_S

static int start_loop(struct mode_server *admin)
{
    int rv = admin->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (rv < 0)
        return -errno;
    return mode_coroutine.start(admin);
}

/* Serve until TERM, which a dying master sends too; USR1: the log was moved. */
static NORETURN void process_main(struct mode_server *server, pid_t master)
{
    const struct mode_hooks *hooks = &server->hooks;
    sigset_t taken;
    int signo = 0;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGUSR1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, "domaind-admin");
    if (getppid() != master)
        _exit(EXIT_SUCCESS);
    int rv = start_loop(server->admin);
    if (rv < 0)
        log_error("the administrators' process cannot start: %s", err_text(rv));
    while (rv >= 0 && signo != SIGTERM) { /* both blocked since before the fork */
        sigwait(&taken, &signo);
        if (signo == SIGUSR1)
            (void)hooks->reopen_logs(hooks->arg); /* the master says so */
    }
    access_log_flush();
    _exit(rv < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int start_process(struct mode_server *server)
{
    pid_t master = getpid();
    server->admin->slot = metrics_lease(); /* only the master knows which are free */
    pid_t pid = fork();
    if (pid == 0)
        process_main(server, master);
    if (pid < 0) {
        int err = -errno;
        metrics_release(server->admin->slot);
        return err;
    }
    server->admin_pid = pid;
    return 0;
}

int admin_start(struct mode_server *server)
{
    if (server->admin == NULL)
        return 0;
    server->admin->ops = &mode_coroutine;
    return server->ops->has_processes ? start_process(server) : start_loop(server->admin);
}

void admin_tick(struct mode_server *server)
{
    if (server->admin == NULL)
        return;
    if (!server->ops->has_processes) {
        mode_coroutine.tick(server->admin);
        return;
    }
    int64_t now_ns = clock_now_ns();
    if (server->admin_pid != 0 || now_ns < server->admin_retry_ns)
        return;
    server->admin_retry_ns = now_ns + RETRY_NS;
    int rv = start_process(server);
    if (rv < 0)
        log_warn("cannot start the administrators' process: %s", err_text(rv));
}

bool admin_ended(struct mode_server *server, pid_t pid)
{
    if (server->admin_pid != pid)
        return false;
    server->admin_pid = 0;
    metrics_release(server->admin->slot);
    log_warn("the administrators' process %d ended", (int)pid);
    return true;
}

void admin_stop(struct mode_server *server)
{
    if (server->admin == NULL)
        return;
    if (server->admin_pid > 0)
        kill(server->admin_pid, SIGTERM);
    if (server->ops->has_processes)
        return;
    mode_coroutine.finish(server->admin);
    if (server->admin->wake_fd > 0)
        close(server->admin->wake_fd);
}
