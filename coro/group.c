/* coro/group.c - tasks whose lives end before their group's scope does.
 *
 * Members are detached tasks that know their group; the end of one takes it
 * off the list, counts it, and wakes who waits for the group.  The first
 * member that fails has the group cancelled, unless it was told to keep going. */
#include "coro/waiters.h"

void co_group_init(struct co_group *group, size_t limit, unsigned flags)
{
    *group = (struct co_group){.limit = limit, .flags = flags};
    list_init(&group->members);
    list_init(&group->waiters);
    list_init(&group->spawners);
}

int co_group_spawn_at(struct co_site *site, struct co_group *group, co_fn *fn, void *arg,
                      int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_group_spawn");
    if (group->limit != 0 && group->alive >= group->limit) {
        if (UNLIKELY(self->is_cancelled))
            return -ECANCELED;
        if (deadline_ns == 0)
            return -EAGAIN;
        /* The member that ended left us its place. */
        int rv = coro_wait_on(&group->spawners, CO_WAIT_GROUP, group, deadline_ns);
        if (rv < 0)
            return rv;
        group->alive--;
    }
    struct co_task *task = co_spawn_at(site, NULL, fn, arg);
    if (task == NULL) {
        /* The place we could not use goes to the next spawner. */
        if (coro_waiter_grant(&group->spawners))
            group->alive++;
        else if (group->alive == 0)
            coro_waiters_wake(&group->waiters, 0);
        return -ENOMEM;
    }
    task->group = group;
    task->is_detached = true;
    list_add_tail(&group->members, &task->group_link);
    group->alive++;
    if (group->is_cancelled)
        co_cancel(task);
    return 0;
}

void coro_group_ended(struct co_task *task)
{
    struct co_group *group = task->group;
    list_del(&task->group_link);
    task->group = NULL;
    group->ended++;
    /* Whom the end of the scope cancels has not failed. */
    bool has_failed = task->result < 0 && !(group->is_closing && task->result == -ECANCELED);
    if (has_failed && group->first_error == 0) {
        group->first_error = task->result;
        if (!(group->flags & CO_GROUP_KEEP_GOING))
            co_group_cancel(group);
    }
    /* A place that is handed on stays counted, so that nobody overtakes. */
    if (!coro_waiter_grant(&group->spawners))
        group->alive--;
    if (!list_is_empty(&group->waiters))
        coro_waiters_wake(&group->waiters, 0);
}

int co_group_wait_count(struct co_group *group, size_t count, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_group_wait");
    if (self->group == group)
        return -EDEADLK;
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    /* Whoever was promised a place is about to be a member. */
    while (group->alive > 0 && group->ended < count) {
        int rv = coro_wait_on(&group->waiters, CO_WAIT_GROUP, group, deadline_ns);
        if (rv < 0)
            return rv;
    }
    return 0;
}

int co_group_wait(struct co_group *group, int64_t deadline_ns)
{
    int rv = co_group_wait_count(group, SIZE_MAX, deadline_ns);
    return rv < 0 ? rv : group->first_error;
}

void co_group_cancel(struct co_group *group)
{
    group->is_cancelled = true;
    LIST_FOR_EACH(link, &group->members)
    co_cancel(LIST_ENTRY(link, struct co_task, group_link));
}

int co_group_close(struct co_group *group)
{
    if (coro_self_or_die("co_group_close")->group == group)
        return -EDEADLK;
    group->is_closing = !group->is_cancelled;
    co_group_cancel(group);
    /* The scope may not end before they do.  A deadlock ends their waits too. */
    struct co_shield shield = coro_shield_raise();
    while (co_group_wait_count(group, SIZE_MAX, CO_NO_DEADLINE) < 0)
        ;
    coro_shield_lower(&shield);
    return group->first_error;
}
