/* coro/local.c - values that belong to a task: a short list, newest first. */
#include <stdlib.h>

#include "coro/internal.h"

struct co_local_value {
    struct co_local_value *next;
    const struct co_local *local;
    void *value;
};

static struct co_local_value *find(const struct co_task *task, const struct co_local *local)
{
    struct co_local_value *it = task->locals;
    while (it != NULL && it->local != local)
        it = it->next;
    return it;
}

void *co_local_get(const struct co_local *local)
{
    const struct co_task *task = co_self();
    const struct co_local_value *found = task != NULL ? find(task, local) : NULL;
    return found != NULL ? found->value : NULL;
}

int co_local_set(const struct co_local *local, void *value)
{
    struct co_task *task = coro_self_or_die("co_local_set");
    struct co_local_value *entry = find(task, local);
    if (entry == NULL) {
        entry = malloc(sizeof(*entry));
        if (entry == NULL)
            return -ENOMEM;
        *entry = (struct co_local_value){.next = task->locals, .local = local};
        task->locals = entry;
    }
    entry->value = value;
    return 0;
}

void coro_locals_destroy(struct co_task *task)
{
    /* A destructor may set values anew: go on until none is left. */
    while (task->locals != NULL) {
        struct co_local_value *entry = task->locals;
        task->locals = entry->next;
        if (entry->value != NULL && entry->local->destroy != NULL)
            entry->local->destroy(entry->value);
        free(entry);
    }
}
