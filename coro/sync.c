/* coro/sync.c - mutex, condition, semaphore, event. */
#include "coro/sync.h"

#include "coro/waiters.h"

/* ---- mutex ---- */

void co_mutex_init(struct co_mutex *mutex)
{
    mutex->owner = NULL;
    list_init(&mutex->waiters);
}

void co_mutex_fini(struct co_mutex *mutex)
{
    coro_require(mutex->owner == NULL && list_is_empty(&mutex->waiters),
                 "co_mutex_fini of a mutex that is locked or waited for");
}

int co_mutex_lock(struct co_mutex *mutex, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_mutex_lock");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (LIKELY(mutex->owner == NULL)) {
        mutex->owner = self;
        return 0;
    }
    if (mutex->owner == self)
        return -EDEADLK;
    /* 0: the unlocker has made us the owner. */
    return coro_wait_on(&mutex->waiters, CO_WAIT_MUTEX, mutex, deadline_ns);
}

bool co_mutex_try_lock(struct co_mutex *mutex)
{
    if (mutex->owner != NULL)
        return false;
    mutex->owner = coro_self_or_die("co_mutex_try_lock");
    return true;
}

int co_mutex_unlock(struct co_mutex *mutex)
{
    if (mutex->owner == NULL || mutex->owner != co_self())
        return -EPERM;
    struct co_waiter *next = coro_waiter_take(&mutex->waiters);
    mutex->owner = next != NULL ? next->task : NULL;
    if (next != NULL)
        coro_wake(next->task, 0);
    return 0;
}

/* ---- condition ---- */

void co_cond_init(struct co_cond *cond)
{
    list_init(&cond->waiters);
}

void co_cond_fini(struct co_cond *cond)
{
    coro_require(list_is_empty(&cond->waiters), "co_cond_fini of a condition that is waited for");
}

int co_cond_wait(struct co_cond *cond, struct co_mutex *mutex, int64_t deadline_ns)
{
    int rv = co_mutex_unlock(mutex);
    if (rv < 0)
        return rv;
    rv = coro_wait_on(&cond->waiters, CO_WAIT_COND, cond, deadline_ns);
    /* The caller counts on holding it.  A deadlock ends its holder's wait too. */
    struct co_shield shield = coro_shield_raise();
    while (co_mutex_lock(mutex, CO_NO_DEADLINE) < 0)
        ;
    coro_shield_lower(&shield);
    return rv;
}

void co_cond_signal(struct co_cond *cond)
{
    (void)coro_waiter_grant(&cond->waiters);
}

void co_cond_broadcast(struct co_cond *cond)
{
    coro_waiters_wake(&cond->waiters, 0);
}

/* ---- semaphore ---- */

void co_sem_init(struct co_sem *sem, size_t count)
{
    sem->count = count;
    list_init(&sem->waiters);
}

void co_sem_fini(struct co_sem *sem)
{
    coro_require(list_is_empty(&sem->waiters), "co_sem_fini of a semaphore that is waited for");
}

int co_sem_acquire(struct co_sem *sem, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_sem_acquire");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (co_sem_try_acquire(sem))
        return 0;
    return coro_wait_on(&sem->waiters, CO_WAIT_SEM, sem, deadline_ns);
}

bool co_sem_try_acquire(struct co_sem *sem)
{
    /* Releases go to waiters directly: with a waiter there is nothing to take. */
    if (sem->count == 0)
        return false;
    sem->count--;
    return true;
}

void co_sem_release(struct co_sem *sem)
{
    if (!coro_waiter_grant(&sem->waiters))
        sem->count++;
}

/* ---- event ---- */

void co_event_init(struct co_event *event)
{
    event->is_set = false;
    list_init(&event->waiters);
}

void co_event_fini(struct co_event *event)
{
    coro_require(list_is_empty(&event->waiters), "co_event_fini of an event that is waited for");
}

int co_event_wait(struct co_event *event, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_event_wait");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (event->is_set)
        return 0;
    return coro_wait_on(&event->waiters, CO_WAIT_EVENT, event, deadline_ns);
}

void co_event_set(struct co_event *event)
{
    event->is_set = true;
    coro_waiters_wake(&event->waiters, 0);
}

void co_event_clear(struct co_event *event)
{
    event->is_set = false;
}
