/* Which list is read when none is named. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/domain/domain.h"
#include "suite.h"

static const struct {
    const char *data; /* XDG_DATA_HOME; NULL: not set */
    const char *home;
    const char *path; /* NULL: no place */
} places[] = {
    {"/data", "/home/u", "/data/domaind/public_suffix_list.dat"},
    {NULL, "/home/u", "/home/u/.local/share/domaind/public_suffix_list.dat"},
    {"relative", "/home/u", "/home/u/.local/share/domaind/public_suffix_list.dat"},
    {"", "/home/u", "/home/u/.local/share/domaind/public_suffix_list.dat"},
    {NULL, NULL, NULL},
    {NULL, "", NULL},
    {NULL, "relative", NULL},
};

static void set_or_unset(const char *name, const char *value)
{
    if (value != NULL)
        ck_assert_int_eq(setenv(name, value, 1), 0);
    else
        ck_assert_int_eq(unsetenv(name), 0);
}

START_TEST(a_users_own_place)
{
    char path[DOMAIN_PATH_BYTES];
    set_or_unset("XDG_DATA_HOME", places[_i].data);
    set_or_unset("HOME", places[_i].home);
    ck_assert_int_eq(domain_suffixes_own_path(path), places[_i].path != NULL);
    if (places[_i].path != NULL)
        ck_assert_str_eq(path, places[_i].path);
}
END_TEST

START_TEST(a_place_that_is_too_long_is_none)
{
    char home[DOMAIN_PATH_BYTES + 1], path[DOMAIN_PATH_BYTES];
    memset(home, '/', sizeof home - 1);
    home[sizeof home - 1] = '\0';
    set_or_unset("XDG_DATA_HOME", NULL);
    set_or_unset("HOME", home);
    ck_assert(!domain_suffixes_own_path(path));
}
END_TEST

static void set_time(const char *path, time_t at_s)
{
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(the_newest_is_taken)
{
    char own[] = "/tmp/suffix_find.XXXXXX";
    int fd = mkstemp(own);
    ck_assert_int_ge(fd, 0);
    close(fd);
    const char *others = domain_suffixes_find(NULL);
    ck_assert_str_ne(others, own);
    set_time(own, 4000000000); /* newer than whatever this machine has */
    ck_assert_str_eq(domain_suffixes_find(own), own);
    set_time(own, 1);
    struct stat st;
    bool has_other = stat(others, &st) == 0;
    ck_assert_str_eq(domain_suffixes_find(own), has_other ? others : own);
    unlink(own);
    ck_assert_str_eq(domain_suffixes_find(own), others);
}
END_TEST

START_TEST(what_is_no_file_is_not_taken)
{
    char own[] = "/tmp/suffix_find.XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(own));
    set_time(own, 4000000000);
    ck_assert_str_ne(domain_suffixes_find(own), own);
    rmdir(own);
}
END_TEST

SUITE_MAIN("suffix_find", SUITE_LOOP(a_users_own_place, places),
           SUITE_TEST(a_place_that_is_too_long_is_none), SUITE_TEST(the_newest_is_taken),
           SUITE_TEST(what_is_no_file_is_not_taken))
