/* The intrusive list: order, removal, removal while walking. */
#include "coro/base/list.h"
#include "suite.h"

struct item {
    int number;
    struct co_list link;
};

static int number_at(struct co_list *link)
{
    return LIST_ENTRY(link, struct item, link)->number;
}

START_TEST(keeps_order_from_both_ends)
{
    struct co_list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    ck_assert(list_is_empty(&head));
    ck_assert_ptr_null(list_pop_head(&head));
    list_add_tail(&head, &items[1].link);
    list_add_tail(&head, &items[2].link);
    list_add_head(&head, &items[0].link);
    for (int i = 1; i <= 3; i++)
        ck_assert_int_eq(number_at(list_pop_head(&head)), i);
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(an_unlinked_entry_may_be_unlinked_again)
{
    struct co_list head;
    struct item item = {.number = 1};
    list_init(&head);
    list_add_tail(&head, &item.link);
    list_del(&item.link);
    list_del(&item.link);
    ck_assert(list_is_empty(&head));
    ck_assert(list_is_empty(&item.link));
}
END_TEST

START_TEST(entries_may_go_while_walking)
{
    struct co_list head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    int sum = 0;
    list_init(&head);
    for (int i = 0; i < 4; i++)
        list_add_tail(&head, &items[i].link);
    LIST_FOR_EACH_SAFE(it, &head)
    {
        if (number_at(it) % 2 == 0)
            list_del(it);
    }
    LIST_FOR_EACH(it, &head)
    {
        sum = sum * 10 + number_at(it);
    }
    ck_assert_int_eq(sum, 13);
}
END_TEST

SUITE_MAIN("list", SUITE_TEST(keeps_order_from_both_ends),
           SUITE_TEST(an_unlinked_entry_may_be_unlinked_again),
           SUITE_TEST(entries_may_go_while_walking))
