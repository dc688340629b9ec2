/* Files that are written: the page with its data inside, and what cannot be written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loadgen/html.h"
#include "suite.h"

static char folder[32];
static char path[64];

static void setup(void)
{
    strcpy(folder, "/tmp/test_html_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

static char *read_file(void)
{
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    return text;
}

START_TEST(data_stay_data)
{
    const char *json = "{\"url\":\"</script><b>x\",\"a<b\":1}";
    setup();
    ck_assert_int_eq(lg_html_write(path, json, strlen(json)), 0);
    char *page = read_file();
    ck_assert_ptr_nonnull(strstr(page, "{\"url\":\"\\u003c/script>\\u003cb>x\",\"a\\u003cb\":1}"));
    ck_assert_ptr_null(strstr(page, "</script><b>"));
    ck_assert_ptr_null(strstr(page, "LOADGEN_DATA"));
    ck_assert_int_eq(strncmp(page, "<!DOCTYPE html>", 15), 0);
    ck_assert_str_eq(page + strlen(page) - 8, "</html>\n");
    free(page);
    teardown();
}
END_TEST

START_TEST(a_file_is_replaced)
{
    setup();
    ck_assert_int_eq(lg_file_write(path, "longer text", 11), 0);
    ck_assert_int_eq(lg_file_write(path, "short", 5), 0);
    char *text = read_file();
    ck_assert_str_eq(text, "short");
    free(text);
    teardown();
}
END_TEST

START_TEST(what_cannot_be_written_says_why)
{
    char big[100000] = {0};
    ck_assert_int_eq(lg_file_write("/dev/full", "x", 1), -ENOSPC);
    ck_assert_int_eq(lg_file_write("/dev/full", big, sizeof big), -ENOSPC);
    ck_assert_int_eq(lg_html_write("/dev/full", "{}", 2), -ENOSPC);
    ck_assert_int_eq(lg_file_write("/nowhere/x", "x", 1), -ENOENT);
    ck_assert_int_eq(lg_html_write("/", "{}", 2), -EISDIR);
}
END_TEST

START_TEST(a_try_changes_nothing)
{
    struct stat st;
    setup();
    ck_assert_int_eq(lg_file_probe(path), 0);
    ck_assert_int_eq(stat(path, &st), -1); /* not left behind */
    ck_assert_int_eq(lg_file_write(path, "text", 4), 0);
    ck_assert_int_eq(lg_file_probe(path), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 4);
    ck_assert_int_eq(lg_file_probe("-"), 0);
    ck_assert_int_eq(lg_file_probe("/dev/null"), 0);
    ck_assert_int_eq(lg_file_probe("/nowhere/x"), -ENOENT);
    ck_assert_int_eq(lg_file_probe("/"), -EISDIR);
    teardown();
}
END_TEST

SUITE_MAIN("html", SUITE_TEST(data_stay_data), SUITE_TEST(a_file_is_replaced),
           SUITE_TEST(what_cannot_be_written_says_why), SUITE_TEST(a_try_changes_nothing))
