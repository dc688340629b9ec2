/* coro/park.c - descriptors that wait without a task.
 *
 * An event puts a parked descriptor on the loop's list of fired ones; its task
 * is made when nothing else is ready.  When no task can be had the edge is used
 * up all the same, so a timer brings the descriptor back.
 *
 * The deadline is lazy: a timer that is armed too early is left alone and looks
 * at the true deadline when it fires, so a busy connection with an idle deadline
 * arms one timer per deadline span. */
#include "coro/fd.h"

/* A parked descriptor fired and no task could be had: try again after this. */
#define RESPAWN_NS (10 * NS_PER_MS)

/* Turn a parked descriptor into a task. */
static void unpark(struct co_fd *f, int why)
{
    struct co_loop *loop = f->loop;
    list_del(&f->link);
    struct co_task *task = coro_spawn(loop, f->site, NULL, (co_fn *)(void *)f->parked, f->arg);
    if (UNLIKELY(task == NULL)) {
        /* The edge is gone: the timer has to bring us back. */
        f->parked_why = why;
        f->is_overdue = true;
        coro_timer_disarm(&loop->timers, &f->timer);
        (void)!coro_timer_arm(&loop->timers, &f->timer, loop->now_ns + RESPAWN_NS);
        return;
    }
    task->is_parked_fd = true;
    task->is_detached = true;
    task->why = why;
    f->parked = NULL;
    loop->parked_fds--;
}

/* Its task is made when nothing else is ready: then one that ended lends the next
 * its stack, warm, and a burst of events does not take a stack each. */
void coro_fd_fire(struct co_fd *f)
{
    if (list_is_empty(&f->link))
        list_add_tail(&f->loop->fired, &f->link);
}

void coro_fds_start(struct co_loop *loop)
{
    unpark(LIST_ENTRY(loop->fired.next, struct co_fd, link), 0);
}

void coro_fd_on_deadline(struct co_timer *timer)
{
    struct co_fd *f = CONTAINER_OF(timer, struct co_fd, timer);
    struct co_loop *loop = f->loop;
    if (f->parked == NULL || !list_is_empty(&f->link)) /* busy, or about to be */
        return;
    if (!f->is_overdue && f->deadline_ns > loop->now_ns) {
        /* Parked anew since this was armed.  No memory: its heap slot is still ours. */
        if (f->deadline_ns != CO_NO_DEADLINE)
            (void)!coro_timer_arm(&loop->timers, timer, f->deadline_ns);
        return;
    }
    unpark(f, f->is_overdue ? f->parked_why : -ETIMEDOUT);
}

int co_park_fd_at(struct co_site *site, int fd, int64_t deadline_ns, co_parked_fn *fn, void *arg)
{
    struct co_loop *loop = coro_loop_tls;
    if (loop == NULL)
        return -EPERM;
    struct co_fd *f;
    int rv = coro_fd_obtain(loop, fd, -1, &f);
    if (rv < 0)
        return rv;
    if (f->parked != NULL || f->reader != NULL)
        return -EBUSY;
    bool ask = f->is_watched && (f->ready & CO_READABLE);
    if (!f->is_watched) {
        rv = coro_fd_watch(f);
        if (rv < 0)
            return rv;
    }
    if (deadline_ns != CO_NO_DEADLINE) {
        if (f->timer.place != 0 && coro_timer_when(&loop->timers, &f->timer) > deadline_ns)
            coro_timer_disarm(&loop->timers, &f->timer);
        if (f->timer.place == 0 && coro_timer_arm(&loop->timers, &f->timer, deadline_ns) < 0)
            return -ENOMEM;
    }
    f->parked = fn;
    f->arg = arg;
    f->site = site;
    f->is_overdue = false;
    f->deadline_ns = deadline_ns;
    f->parked_ns = loop->now_ns;
    loop->parked_fds++;
    if (loop->is_ending)
        unpark(f, -ECANCELED);
    else if (ask && coro_fd_poll(fd, CO_READABLE) != 0)
        unpark(f, 0);
    return 0;
}

bool co_unpark_fd(int fd)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_fd *f = loop != NULL ? coro_fd_find(loop, fd) : NULL;
    if (f == NULL || f->parked == NULL)
        return false;
    f->parked = NULL;
    list_del(&f->link);
    loop->parked_fds--;
    return true;
}

void coro_fds_cancel(struct co_loop *loop)
{
    for (size_t i = 0; i < loop->fds_cap; i++)
        if (loop->fds[i] != NULL && loop->fds[i]->parked != NULL)
            unpark(loop->fds[i], -ECANCELED);
}
