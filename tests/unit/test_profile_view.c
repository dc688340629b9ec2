/* Sort keys and restrictions: pstats' rules without Python at hand.
 * (tests/integration/profile_formats.py holds the whole output against it.) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profile_tree.h"
#include "server/profile/format.h"
#include "suite.h"

/* What pstats' own prefix table says. */
static const struct {
    const char *word;
    const char *text; /* NULL: unknown or ambiguous */
} keys[] = {
    {"tottime", "internal time"},
    {"tot", "internal time"},
    {"ti", "internal time"},
    {"t", NULL},
    {"cu", "cumulative time"},
    {"cum", NULL},
    {"cumu", "cumulative time"},
    {"c", NULL},
    {"ca", "call count"},
    {"n", NULL},
    {"nc", "call count"},
    {"na", "function name"},
    {"nf", "name/file/line"},
    {"f", "file name"},
    {"m", "file name"},
    {"l", "line number"},
    {"p", "primitive call count"},
    {"s", "standard name"},
    {"-1", "standard name"},
    {"0", "call count"},
    {"1", "internal time"},
    {"2", "cumulative time"},
    {"3", NULL},
    {"tottimes", NULL},
    {"Time", NULL},
};

static void fill(struct profile_report *r)
{
    struct prof_snapshot *s;
    struct profile_filter all = {.slot = -1};
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("made up"), 0);
    prof_worker_close();
    tree_fill(prof_slot_at(0), 1000);
    ck_assert_int_eq(prof_snapshot_take(0, &s), 0);
    ck_assert_int_eq(profile_report_init(r), 0);
    ck_assert_int_eq(profile_report_add(r, s, 1, &all), 0);
    ck_assert_int_eq(profile_report_finish(r), 0);
    prof_snapshot_free(s);
    prof_segment_destroy();
}

START_TEST(keys_and_prefixes)
{
    struct profile_view v;
    char message[PROFILE_MESSAGE_BYTES] = "";
    profile_view_init(&v);
    int rv = profile_view_sort(&v, keys[_i].word, message);
    ck_assert_int_eq(rv, keys[_i].text == NULL ? -EINVAL : 0);
    if (rv == 0) {
        struct profile_report r;
        struct buf out;
        buf_init(&out, 1 << 20);
        fill(&r);
        ck_assert_int_eq(profile_text(&out, &r, &v), 0);
        ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
        const char *order = strstr(out.data, "Ordered by: ");
        ck_assert_ptr_nonnull(order);
        ck_assert_int_eq(strncmp(order + 12, keys[_i].text, strlen(keys[_i].text)), 0);
        buf_fini(&out);
        profile_report_fini(&r);
    }
    profile_view_fini(&v);
}
END_TEST

static const struct {
    const char *limit; /* one of the two */
    const char *pattern;
    uint32_t rows;
    const char *words;
} restrictions[] = {
    {"3", NULL, 3, "due to restriction <3>\n"},
    {"0", NULL, 0, "due to restriction <0>\n"},
    {"1000", NULL, 10, ""},
    {"0.5", NULL, 5, "due to restriction <0.5>\n"},
    {"0.25", NULL, 3, "due to restriction <0.25>\n"},
    {"0.0", NULL, 0, "due to restriction <0.0>\n"},
    {NULL, "^\\{", 3, "due to restriction <'^\\\\{'>\n"},
    {NULL, "it's", 1, "due to restriction <\"it's\">\n"},
    {NULL, "'s \"", 1, "due to restriction <'\\'s \"'>\n"},
    {NULL, "nothing", 0, "due to restriction <'nothing'>\n"},
};

START_TEST(restrictions_cut_and_say_so)
{
    struct profile_view v;
    struct profile_report r;
    struct buf message;
    uint32_t *rows, count;
    char why[PROFILE_MESSAGE_BYTES] = "";
    fill(&r);
    profile_view_init(&v);
    buf_init(&message, 4096);
    ck_assert_int_eq(restrictions[_i].limit != NULL
                         ? profile_view_limit(&v, restrictions[_i].limit, why)
                         : profile_view_match(&v, restrictions[_i].pattern, why),
                     0);
    ck_assert_int_eq(profile_view_apply(&v, &r, &rows, &count, &message), 0);
    ck_assert_uint_eq(count, restrictions[_i].rows);
    ck_assert_int_eq(buf_append_char(&message, '\0'), 0);
    size_t n = strlen(message.data), tail = strlen(restrictions[_i].words);
    ck_assert_str_eq(message.data + n - tail, restrictions[_i].words);
    free(rows);
    buf_fini(&message);
    profile_view_fini(&v);
    profile_report_fini(&r);
}
END_TEST

/* A pattern made to backtrack for ever ends soon: it does not match. */
START_TEST(a_hostile_pattern_ends)
{
    struct profile_view v;
    struct profile_report r;
    struct buf message;
    uint32_t *rows, count;
    char why[PROFILE_MESSAGE_BYTES] = "";
    fill(&r);
    profile_view_init(&v);
    buf_init(&message, 4096);
    ck_assert_int_eq(profile_view_match(&v, "^(([a-z/._])+)+$$", why), 0);
    ck_assert_int_eq(profile_view_apply(&v, &r, &rows, &count, &message), 0);
    free(rows);
    buf_fini(&message);
    profile_view_fini(&v);
    profile_report_fini(&r);
}
END_TEST

SUITE_MAIN("profile_view", SUITE_LOOP(keys_and_prefixes, keys),
           SUITE_LOOP(restrictions_cut_and_say_so, restrictions),
           SUITE_TEST(a_hostile_pattern_ends))
