/* Signals as something to wait for. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "coro/signal.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

static void make_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
}

static int takes(void *arg)
{
    struct co_signals signals;
    sigset_t set;
    (void)arg;
    make_set(&set);
    ck_assert_int_eq(co_signals_open(&signals, &set), 0);
    ck_assert_int_eq(co_signals_wait(&signals, co_after(NS_PER_MS)), -ETIMEDOUT);
    kill(getpid(), SIGUSR2);
    ck_assert_int_eq(co_signals_wait(&signals, soon()), SIGUSR2);
    /* both pending: each once, the lower number first as the kernel has it */
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(co_signals_wait(&signals, soon()), SIGUSR1);
    ck_assert_int_eq(co_signals_wait(&signals, soon()), SIGUSR2);
    ck_assert_int_eq(co_signals_wait(&signals, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_signals_close(&signals);
    return 0;
}

START_TEST(each_pending_signal_is_taken_once)
{
    ck_assert_int_eq(co_run(takes, NULL, NULL), 0);
}
END_TEST

static int waits(void *arg)
{
    return co_signals_wait(arg, CO_NO_DEADLINE);
}

static int wakes_and_cancels(void *arg)
{
    struct co_signals signals;
    sigset_t set;
    int result;
    (void)arg;
    make_set(&set);
    ck_assert_int_eq(co_signals_open(&signals, &set), 0);
    struct co_task *task = co_spawn(waits, &signals);
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0); /* it is parked now */
    kill(getpid(), SIGUSR1);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, SIGUSR1);
    task = co_spawn(waits, &signals);
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    co_signals_close(&signals);
    return 0;
}

START_TEST(a_signal_wakes_who_waits)
{
    ck_assert_int_eq(co_run(wakes_and_cancels, NULL, NULL), 0);
}
END_TEST

static volatile sig_atomic_t delivered;

static void on_signal(int signo)
{
    delivered = signo;
}

static int closes(void *arg)
{
    struct co_signals signals;
    sigset_t set, before, after;
    (void)arg;
    make_set(&set);
    signal(SIGUSR1, on_signal);
    sigemptyset(&before);
    sigaddset(&before, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &before, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    ck_assert_int_eq(co_signals_open(&signals, &set), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    ck_assert(sigismember(&after, SIGWINCH)); /* as before */
    pthread_kill(pthread_self(), SIGUSR1);
    ck_assert_int_eq(delivered, 0); /* it waits to be taken */
    co_signals_close(&signals);
    ck_assert_int_eq(delivered, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int signo = 1; signo < SIGRTMIN; signo++)
        ck_assert_int_eq(sigismember(&before, signo), sigismember(&after, signo));
    signal(SIGUSR1, SIG_DFL);
    return 0;
}

START_TEST(closing_restores_the_mask_and_delivers_what_waited)
{
    delivered = 0;
    ck_assert_int_eq(co_run(closes, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("signal", SUITE_TEST(each_pending_signal_is_taken_once),
           SUITE_TEST(a_signal_wakes_who_waits),
           SUITE_TEST(closing_restores_the_mask_and_delivers_what_waited))
