/* A suffix table in one piece of memory, read by a process that inherited it. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/domain/domain.h"
#include "suite.h"

static const char list[] = "// VERSION: 7\n"
                           "com\nuk\nco.uk\n*.ck\n!www.ck\n"
                           "a-label-longer-than-eight-bytes.com\n"
                           "// ===BEGIN PRIVATE DOMAINS===\n"
                           "github.io\n"
                           "// ===END PRIVATE DOMAINS===\n";

static const char *const urls[] = {
    "http://a.b.co.uk/",
    "http://x.y.ck/",
    "http://www.ck/",
    "http://me.github.io/",
    "http://w.a-label-longer-than-eight-bytes.com/",
    "http://nowhere/",
};

static struct domain_suffixes *load(const char *text)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(text, strlen(text), &s, &why), 0);
    return s;
}

static void *room(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

static bool answers_alike(const struct domain_suffixes *a, const struct domain_suffixes *b)
{
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct domain_result x, y;
        if (domain_parse(a, urls[i], strlen(urls[i]), &x) != DOMAIN_OK ||
            domain_parse(b, urls[i], strlen(urls[i]), &y) != DOMAIN_OK)
            return false;
        if (x.all.registrable_at != y.all.registrable_at ||
            x.icann.registrable_at != y.icann.registrable_at || x.all.suffix_at != y.all.suffix_at)
            return false;
    }
    return true;
}

START_TEST(the_copy_answers_like_its_model)
{
    struct domain_suffixes *model = load(list);
    size_t bytes = domain_suffixes_bytes(model);
    void *memory = room(bytes);
    struct domain_suffixes *copy = domain_suffixes_copy(model, memory);
    ck_assert_ptr_eq(copy, memory);
    ck_assert(answers_alike(model, copy));
    ck_assert_str_eq(domain_suffixes_info(copy).version, "7");
    ck_assert_uint_eq(domain_suffixes_info(copy).private_rules, 1);
    /* it needs nothing of its model, and is not freed when its last user goes */
    struct domain_suffixes *again = load(list);
    domain_suffixes_unref(model);
    domain_suffixes_install(copy);
    ck_assert_ptr_eq(domain_suffixes_current(), copy);
    domain_suffixes_install(NULL);
    ck_assert_ptr_null(domain_suffixes_current());
    ck_assert(answers_alike(again, copy));
    domain_suffixes_unref(again);
    munmap(memory, bytes);
}
END_TEST

START_TEST(a_process_forked_before_reads_it_at_the_same_address)
{
    struct domain_suffixes *model = load(list);
    size_t bytes = domain_suffixes_bytes(model);
    void *memory = room(bytes);
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (read(ready[0], &byte, 1) != 1)
            _exit(2);
        domain_suffixes_install(memory);
        _exit(answers_alike(model, domain_suffixes_current()) ? 0 : 1);
    }
    domain_suffixes_copy(model, memory);
    ck_assert_int_eq(write(ready[1], "x", 1), 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    close(ready[0]);
    close(ready[1]);
    domain_suffixes_unref(model);
    munmap(memory, bytes);
}
END_TEST

SUITE_MAIN("suffix_copy", SUITE_TEST(the_copy_answers_like_its_model),
           SUITE_TEST(a_process_forked_before_reads_it_at_the_same_address))
