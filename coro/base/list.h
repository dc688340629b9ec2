/* coro/base/list.h - an intrusive, circular, doubly linked list.
 *
 * The head is a struct co_list (public.h) whose links point to itself when empty.  An entry
 * that is on no list is self-linked too, so that list_del may be called on it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/attr.h"

/* The entry (of TYPE, linked by MEMBER) that a link belongs to. */
#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name takes none */
/* for each link of the list; the body may not delete `it` ... */
#define LIST_FOR_EACH(it, head) for (struct co_list *it = (head)->next; it != (head); it = it->next)
/* ... here it may. */
#define LIST_FOR_EACH_SAFE(it, head)                                                               \
    for (struct co_list *it = (head)->next, *it##_next = it->next; it != (head);                   \
         it = it##_next, it##_next = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void list_init(struct co_list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct co_list *head)
{
    return head->next == head;
}

static inline void list_add_tail(struct co_list *head, struct co_list *entry)
{
    entry->prev = head->prev;
    entry->next = head;
    head->prev->next = entry;
    head->prev = entry;
}

static inline void list_add_head(struct co_list *head, struct co_list *entry)
{
    list_add_tail(head->next, entry);
}

/* Unlink; the entry is self-linked afterwards. */
static inline void list_del(struct co_list *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    list_init(entry);
}

/* Unlink and return the first link, NULL when empty. */
static inline struct co_list *list_pop_head(struct co_list *head)
{
    if (list_is_empty(head))
        return NULL;
    struct co_list *first = head->next;
    list_del(first);
    return first;
}
