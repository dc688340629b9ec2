/* A peer that is gone is an error of each call that sends, and never a signal. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "coro/io.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

static void make_pair(int pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

enum sending { SEND_WRITE, SEND_WRITEV, SEND_MSG, SEND_FILE };
static const enum sending sendings[] = {SEND_WRITE, SEND_WRITEV, SEND_MSG, SEND_FILE};

static ssize_t send_by(enum sending how, int fd)
{
    char block[] = "nobody reads this";
    struct iovec iov[2] = {{block, 6}, {block + 6, 5}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    if (how == SEND_WRITE)
        return co_write(fd, block, sizeof(block), soon());
    if (how == SEND_WRITEV)
        return co_writev(fd, iov, 2, soon());
    if (how == SEND_MSG)
        return co_sendmsg(fd, &message, 0, soon());
    FILE *file = tmpfile();
    ck_assert_uint_eq(fwrite(block, 1, sizeof(block), file), sizeof(block));
    fflush(file);
    ssize_t n = co_sendfile(fd, fileno(file), 0, sizeof(block), soon());
    fclose(file);
    return n;
}

static volatile sig_atomic_t pipe_signals;

static void on_pipe_signal(int signo)
{
    (void)signo;
    pipe_signals++;
}

static int send_to_nobody(void *arg)
{
    int pair[2];
    make_pair(pair);
    ck_assert_int_eq(co_close(pair[1]), 0);
    ck_assert_int_eq(send_by(*(const enum sending *)arg, pair[0]), -EPIPE);
    return co_close(pair[0]);
}

START_TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
    enum sending how = sendings[_i];
    pipe_signals = 0;
    ck_assert(signal(SIGPIPE, on_pipe_signal) != SIG_ERR);
    ck_assert_int_eq(co_run(send_to_nobody, &how, NULL), 0);
    ck_assert_int_eq(pipe_signals, 0);
    /* one that somebody else has sent is not lost */
    sigset_t pipe_alone, pending;
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &pipe_alone, NULL), 0);
    raise(SIGPIPE);
    ck_assert_int_eq(co_run(send_to_nobody, &how, NULL), 0);
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert_int_eq(sigismember(&pending, SIGPIPE), 1);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &pipe_alone, NULL), 0);
    signal(SIGPIPE, SIG_DFL);
}
END_TEST

SUITE_MAIN("gone", SUITE_LOOP(a_peer_that_is_gone_is_an_error_and_no_signal, sendings))
