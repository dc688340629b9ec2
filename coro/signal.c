#include "coro/signal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>

#include "coro/io.h"

int co_signals_open(struct co_signals *signals, const sigset_t *set)
{
    int err = pthread_sigmask(SIG_BLOCK, set, &signals->before);
    if (err != 0)
        return -err;
    signals->fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0) {
        int rv = -errno;
        pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
        return rv;
    }
    return 0;
}

int co_signals_wait(struct co_signals *signals, int64_t deadline_ns)
{
    struct signalfd_siginfo info;
    ssize_t n = co_read(signals->fd, &info, sizeof(info), deadline_ns);
    return n < 0 ? (int)n : (int)info.ssi_signo;
}

void co_signals_close(struct co_signals *signals)
{
    co_close(signals->fd);
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
