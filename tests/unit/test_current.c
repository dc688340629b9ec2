/* The list in force: exchanged while threads use it. */
#include <pthread.h>
#include <stdatomic.h>

#include "server/domain/domain.h"
#include "suite.h"

static struct domain_suffixes *load(const char *text)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(text, strlen(text), &s, &why), 0);
    return s;
}

START_TEST(the_newest_is_current)
{
    ck_assert_ptr_null(domain_suffixes_current());
    struct domain_suffixes *one = load("com\n"), *two = load("com\nuk\n");
    domain_suffixes_install(one);
    ck_assert_ptr_eq(domain_suffixes_current(), one);
    ck_assert_ptr_eq(domain_suffixes_current(), one);
    domain_suffixes_install(two); /* this thread still holds one */
    ck_assert_uint_eq(domain_suffixes_info(one).icann_rules, 1);
    ck_assert_ptr_eq(domain_suffixes_current(), two);
    domain_suffixes_install(NULL);
    ck_assert_ptr_null(domain_suffixes_current());
}
END_TEST

enum { READERS = 4, INSTALLS = 500 };
static atomic_bool is_over;

/* Whatever table is current, it answers, and one way or the other. */
static void *read_on(void *arg)
{
    long *ret_answers = arg;
    while (!atomic_load(&is_over)) {
        struct domain_result r;
        const struct domain_suffixes *s = domain_suffixes_current();
        if (domain_parse(s, "http://a.b.co.uk/", 17, &r) != DOMAIN_OK ||
            (r.all.registrable_at != 2 && r.all.registrable_at != 4))
            return arg;
        ++*ret_answers;
    }
    return NULL;
}

START_TEST(exchanged_under_load)
{
    pthread_t reader[READERS];
    long answers[READERS] = {0};
    domain_suffixes_install(load("uk\n"));
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&reader[i], NULL, read_on, &answers[i]), 0);
    for (int i = 0; i < INSTALLS; i++)
        domain_suffixes_install(load(i % 2 == 0 ? "uk\nco.uk\n" : "uk\n"));
    atomic_store(&is_over, true);
    for (int i = 0; i < READERS; i++) {
        void *failed;
        pthread_join(reader[i], &failed);
        ck_assert_ptr_null(failed);
    }
    domain_suffixes_install(NULL);
    ck_assert_ptr_null(domain_suffixes_current());
}
END_TEST

SUITE_MAIN("current", SUITE_TEST(the_newest_is_current), SUITE_TEST(exchanged_under_load))
