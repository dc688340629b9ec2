/* Which list is in force after loads and reloads, in the master and in a child. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/domain/domain.h"
#include "server/suffixes.h"
#include "suite.h"

static char path[64];
static struct config cfg = {.suffix_list = path};

/* A new file in the old one's place, with `rules` rules. */
static void put_list(unsigned rules)
{
    char draft[80];
    snprintf(draft, sizeof draft, "%s.new", path);
    FILE *file = fopen(draft, "w");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < rules; i++)
        fprintf(file, "suffix%u\n", i);
    fclose(file);
    ck_assert_int_eq(rename(draft, path), 0);
}

static unsigned rules_in_force(void)
{
    return domain_suffixes_info(domain_suffixes_current()).icann_rules;
}

static void set_up(void)
{
    snprintf(path, sizeof path, "/tmp/test_suffixes.%d", (int)getpid());
    put_list(1);
}

static void tear_down(void)
{
    unlink(path);
    domain_suffixes_install(NULL);
    (void)domain_suffixes_current(); /* lets go of the last one */
}

START_TEST(a_list_that_is_wrong_or_gone_changes_nothing)
{
    set_up();
    ck_assert_int_eq(suffixes_load(&cfg), 0);
    const struct domain_suffixes *first = domain_suffixes_current();
    ck_assert_int_eq(suffixes_load(&cfg), 0); /* the same file: nothing to do */
    ck_assert_ptr_eq(domain_suffixes_current(), first);
    put_list(2);
    ck_assert_int_eq(suffixes_load(&cfg), 0);
    ck_assert_uint_eq(rules_in_force(), 2);
    FILE *file = fopen(path, "w");
    fputs("<html>\n", file);
    fclose(file);
    ck_assert_int_eq(suffixes_load(&cfg), -EINVAL);
    ck_assert_uint_eq(rules_in_force(), 2);
    unlink(path);
    ck_assert_int_eq(suffixes_load(&cfg), -ENOENT);
    ck_assert_uint_eq(rules_in_force(), 2);
    tear_down();
}
END_TEST

/* A child that obeys when told and says what it sees. */
struct follower {
    pid_t pid;
    int to, from;
};

static struct follower follow(void)
{
    int to[2], from[2];
    ck_assert_int_eq(pipe(to), 0);
    ck_assert_int_eq(pipe(from), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(to[1]);
        while (read(to[0], &byte, 1) == 1) {
            unsigned said = suffixes_adopt() ? rules_in_force() : 0;
            if (write(from[1], &said, sizeof said) < 0)
                _exit(1);
        }
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    return (struct follower){pid, to[1], from[0]};
}

static unsigned obey(const struct follower *f)
{
    unsigned said = 0;
    ck_assert_int_eq(write(f->to, "x", 1), 1);
    ck_assert_int_eq(read(f->from, &said, sizeof said), sizeof said);
    return said;
}

static void dismiss(const struct follower *f)
{
    int status;
    close(f->to);
    close(f->from);
    ck_assert_int_eq(waitpid(f->pid, &status, 0), f->pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(children_take_what_the_master_has_read)
{
    set_up();
    ck_assert_int_eq(suffixes_load(&cfg), 0);
    ck_assert_int_eq(suffixes_share(), 0);
    struct follower child = follow();
    ck_assert_uint_eq(obey(&child), 1); /* inherited */
    for (unsigned reload = 1; reload <= 30; reload++) {
        put_list(reload + 1);
        ck_assert_int_eq(suffixes_reload(&cfg, reload, reload - 1), 0);
        ck_assert_uint_eq(rules_in_force(), reload + 1);
        ck_assert_uint_eq(obey(&child), reload + 1);
    }
    ck_assert_int_eq(suffixes_reload(&cfg, 31, 30), 0); /* unchanged */
    ck_assert_uint_eq(obey(&child), 31);
    struct follower late = follow();
    ck_assert_uint_eq(obey(&late), 31);
    dismiss(&late);
    dismiss(&child);
    tear_down();
}
END_TEST

START_TEST(a_table_that_a_child_may_still_read_is_not_overwritten)
{
    set_up();
    ck_assert_int_eq(suffixes_load(&cfg), 0);
    ck_assert_int_eq(suffixes_share(), 0);
    put_list(2);
    ck_assert_int_eq(suffixes_reload(&cfg, 1, 0), 0);
    struct follower slow = follow();
    ck_assert_uint_eq(obey(&slow), 2);
    const struct domain_suffixes *its = domain_suffixes_current();
    for (unsigned reload = 2; reload <= 20; reload++) {
        put_list(reload + 1);
        ck_assert_int_eq(suffixes_reload(&cfg, reload, 1), 0); /* it has obeyed 1 alone */
        ck_assert_uint_eq(rules_in_force(), reload + 1);
        ck_assert_uint_eq(domain_suffixes_info(its).icann_rules, 2);
    }
    ck_assert_uint_eq(obey(&slow), 0); /* there was no place for the last one */
    put_list(50);
    ck_assert_int_eq(suffixes_reload(&cfg, 21, 20), 0);
    ck_assert_uint_eq(obey(&slow), 50);
    dismiss(&slow);
    tear_down();
}
END_TEST

SUITE_MAIN("suffixes", SUITE_TEST(a_list_that_is_wrong_or_gone_changes_nothing),
           SUITE_TEST(children_take_what_the_master_has_read),
           SUITE_TEST(a_table_that_a_child_may_still_read_is_not_overwritten))
