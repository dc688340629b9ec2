/* Slots: threads pass them on, dead children are buried, totals never fall. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "suite.h"

static void work(void)
{
    PROF_FN();
}

static uint64_t total_calls(const char *name)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < prof_slot_count(); i++) {
        const struct prof_slot *slot = prof_slot_at(i);
        for (uint32_t n = 0; slot != NULL && n < slot->used; n++)
            if (slot->nodes[n].site != NULL && strcmp(slot->nodes[n].site->name, name) == 0)
                sum += PROF_GET(slot->nodes[n].calls);
    }
    return sum;
}

static void *thread_main(void *arg)
{
    int calls = *(int *)arg;
    ck_assert_int_eq(prof_worker_open("thread"), 0);
    for (int i = 0; i < calls; i++)
        work();
    prof_worker_close();
    return NULL;
}

START_TEST(threads_pass_their_slot_on)
{
    ck_assert_int_eq(prof_segment_create(8), 0);
    int calls = 1000;
    for (int i = 0; i < 20; i++) { /* one after the other: all in slot 0 */
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, thread_main, &calls), 0);
        pthread_join(thread, NULL);
    }
    ck_assert_uint_eq(prof_slot_at(0)->generation, 20);
    ck_assert_uint_eq(prof_slot_count(), 1);
    ck_assert_uint_eq(total_calls("work"), 20000);
    prof_segment_destroy();
}
END_TEST

START_TEST(threads_at_once_lose_nothing)
{
    enum { N = 8 };
    ck_assert_int_eq(prof_segment_create(N), 0);
    pthread_t threads[N];
    int calls = 5000;
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, &calls), 0);
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(total_calls("work"), N * 5000);
    for (unsigned i = 0; i < N; i++)
        ck_assert_int_eq(prof_slot_owner(i), 0);
    prof_segment_destroy();
}
END_TEST

START_TEST(a_full_segment_is_survived_and_counted)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_segment_create(1), -EALREADY);
    ck_assert_int_eq(prof_worker_open("first"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        work(); /* the parent's slot is not the child's */
        int rv = prof_worker_open("second");
        work();
        _exit(rv == -EAGAIN ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(prof_workers_missed(), 1);
    ck_assert_uint_eq(total_calls("work"), 0);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

START_TEST(a_killed_child_loses_nothing_recorded)
{
    ck_assert_int_eq(prof_segment_create(4), 0);
    int pipe_fd[2];
    ck_assert_int_eq(pipe(pipe_fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (prof_worker_open("child") != 0)
            _exit(1);
        for (int i = 0; i < 1234; i++)
            work();
        PROF_SCOPE("killed in here");
        if (write(pipe_fd[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    ck_assert_int_eq((int)read(pipe_fd[0], &byte, 1), 1);
    ck_assert_int_eq(prof_slot_owner(0), pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    prof_worker_died(pid);
    ck_assert_int_eq(prof_slot_owner(0), 0);
    ck_assert_uint_eq(total_calls("work"), 1234);
    const struct prof_slot *slot = prof_slot_at(0);
    uint64_t self = 0;
    for (uint32_t i = 0; i < slot->used; i++) {
        ck_assert_int_eq(slot->nodes[i].in_flight, 0);
        self += slot->nodes[i].self;
    }
    ck_assert_uint_eq(self, slot->run);
    /* its successor goes on with the same counts */
    ck_assert_int_eq(prof_worker_open("successor"), 0);
    work();
    ck_assert_uint_eq(total_calls("work"), 1235);
    prof_worker_close();
    prof_segment_destroy();
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}
END_TEST

static void forks_inside(pid_t *ret_pid)
{
    PROF_FN();
    *ret_pid = fork();
    if (*ret_pid == 0 && prof_worker_open("child") == 0)
        work();
}

START_TEST(scopes_open_at_fork_stay_the_parents)
{
    ck_assert_int_eq(prof_segment_create(4), 0);
    ck_assert_int_eq(prof_worker_open("parent"), 0);
    pid_t pid;
    forks_inside(&pid);
    if (pid == 0) { /* its forks_inside() exits into a slot that never entered it */
        work();
        prof_worker_close();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert_int_eq(status, 0);
    prof_worker_close();
    ck_assert_uint_eq(total_calls("forks_inside"), 1);
    ck_assert_uint_eq(total_calls("work"), 2);
    for (unsigned i = 0; i < 2; i++)
        for (uint32_t n = 0; n < prof_slot_at(i)->used; n++) {
            ck_assert_int_eq(prof_slot_at(i)->nodes[n].in_flight, 0);
            if (prof_slot_at(i)->nodes[n].site != NULL)
                ck_assert_uint_eq(prof_slot_at(i)->nodes[n].parent, PROF_NODE_ROOT);
        }
    prof_segment_destroy();
}
END_TEST

START_TEST(closing_inside_a_scope_is_harmless)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("one"), 0);
    {
        PROF_SCOPE("open at close");
        prof_worker_close();
        work();
    }
    ck_assert_uint_eq(prof_slot_at(0)->abandoned, 1);
    ck_assert_uint_eq(total_calls("work"), 0);
    prof_segment_destroy();
}
END_TEST

SUITE_MAIN("prof_worker", SUITE_TEST(threads_pass_their_slot_on),
           SUITE_TEST(threads_at_once_lose_nothing),
           SUITE_TEST(a_full_segment_is_survived_and_counted),
           SUITE_TEST(a_killed_child_loses_nothing_recorded),
           SUITE_TEST(scopes_open_at_fork_stay_the_parents),
           SUITE_TEST(closing_inside_a_scope_is_harmless))
