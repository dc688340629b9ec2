/* Questions: every parameter read, refused with words, answered. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/profile/query.h"
#include "server/profile/window.h"
#include "suite.h"

static const struct profile_endpoint endpoints[] = {{"/domain", "handle"}, {NULL, NULL}};

static const struct {
    const char *name;
    const char *value;
    int rv;
    const char *word; /* in the message */
} params[] = {
    {"format", "json", 0, ""},
    {"format", "xml", -EINVAL, "callgrind"},
    {"sort", "tottime", 0, ""},
    {"sort", "time,name", 0, ""},
    {"sort", "none", 0, ""},
    {"sort", "2", 0, ""},
    {"sort", "", -EINVAL, "sort key"},
    {"sort", "time,", -EINVAL, "sort key"},
    {"sort", "cum", -EINVAL, "ambiguous"},
    {"sort", "n,n,n,n", -EINVAL, "ambiguous"},
    {"sort", "1,1,1,1,1,1,1,1,1", -EINVAL, "more than"},
    {"limit", "10", 0, ""},
    {"limit", "0.25", 0, ""},
    {"limit", "-3", -EINVAL, "rows"},
    {"limit", "1e3", -EINVAL, "rows"},
    {"limit", "", -EINVAL, "rows"},
    {"limit", "99999999999999999999", -EINVAL, "rows"},
    {"filter", "^x", 0, ""},
    {"filter", "[", -EINVAL, "regular expression"},
    {"callers", "1", 0, ""},
    {"callees", "2", -EINVAL, "0 or 1"},
    {"endpoint", "/domain", 0, ""},
    {"endpoint", "/other", -EINVAL, "/domain"},
    {"worker", "3", 0, ""},
    {"worker", "-1", -EINVAL, "number"},
    {"window", "10s", 0, ""},
    {"window", "0s", -EINVAL, "window"},
    {"window", "2h", -EINVAL, "window"},
    {"base", "1", 0, ""},
    {"base", "0", -EINVAL, "number"},
    {"snapshot", "x", -EINVAL, "number"},
    {"colour", "red", -EINVAL, "colour"},
};

START_TEST(parameters)
{
    struct profile_query q;
    char message[PROFILE_MESSAGE_BYTES] = "";
    profile_query_init(&q);
    q.endpoints = endpoints;
    ck_assert_int_eq(profile_query_set(&q, params[_i].name, params[_i].value, message),
                     params[_i].rv);
    ck_assert_msg(strstr(message, params[_i].word) != NULL, "%s", message);
    profile_query_fini(&q);
}
END_TEST

START_TEST(too_many_restrictions)
{
    struct profile_query q;
    char message[PROFILE_MESSAGE_BYTES] = "";
    profile_query_init(&q);
    for (int i = 0; i < PROFILE_RESTRICTIONS_MAX; i++)
        ck_assert_int_eq(profile_query_set(&q, "filter", "x", message), 0);
    ck_assert_int_eq(profile_query_set(&q, "filter", "x", message), -EINVAL);
    ck_assert_int_eq(profile_query_set(&q, "limit", "1", message), -EINVAL);
    profile_query_fini(&q);
}
END_TEST

static void handle(void)
{
    PROF_FN();
    PROF_SCOPE("{work}");
}

static const char *const formats[] = {"text",      "json",       "pstats", "callgrind",
                                      "collapsed", "speedscope", "pprof"};

START_TEST(every_format_answers)
{
    struct profile_query q;
    struct profile_answer answer;
    struct buf out;
    char message[PROFILE_MESSAGE_BYTES] = "";
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    handle();
    buf_init(&out, 1 << 20);
    profile_query_init(&q);
    ck_assert_int_eq(profile_query_set(&q, "format", formats[_i], message), 0);
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), 0);
    ck_assert_uint_gt(out.len, 20);
    ck_assert_uint_eq(answer.snapshot_id, 0); /* nobody keeps snapshots here */
    profile_query_fini(&q);
    buf_fini(&out);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

/* Less an earlier snapshot: what happened since. */
START_TEST(differences)
{
    struct profile_query q;
    struct profile_answer answer;
    struct buf out;
    char message[PROFILE_MESSAGE_BYTES] = "", id[24];
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(profile_store_create(), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 5; i++)
        handle();
    struct prof_snapshot *base;
    ck_assert_int_eq(profile_store_take(&base), 0);
    for (int i = 0; i < 2; i++)
        handle();
    snprintf(id, sizeof id, "%llu", (unsigned long long)base->id);
    profile_query_init(&q);
    ck_assert_int_eq(profile_query_set(&q, "base", id, message), 0);
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    ck_assert_ptr_nonnull(strstr(out.data, "4 function calls"));
    ck_assert_int_gt(answer.span_ns, 0);
    profile_query_fini(&q);

    /* who looks often makes the store forget it: then whoever kept it gives it along */
    for (int i = 0; i < 100; i++) {
        struct prof_snapshot *other;
        ck_assert_int_eq(profile_store_take(&other), 0);
        prof_snapshot_free(other);
    }
    buf_clear(&out);
    profile_query_init(&q);
    ck_assert_int_eq(profile_query_set(&q, "base", id, message), 0);
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), -ENOENT);
    q.base = base;
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    ck_assert_ptr_nonnull(strstr(out.data, "4 function calls"));
    profile_query_fini(&q);

    buf_clear(&out);
    profile_query_init(&q);
    ck_assert_int_eq(profile_query_set(&q, "base", "777", message), 0);
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), -ENOENT);
    ck_assert_ptr_nonnull(strstr(message, "777"));
    profile_query_fini(&q);
    buf_fini(&out);
    prof_worker_close();
    profile_store_destroy();
    prof_segment_destroy();
}
END_TEST

START_TEST(no_recorder_says_so)
{
    struct profile_query q;
    struct profile_answer answer;
    struct buf out;
    char message[PROFILE_MESSAGE_BYTES] = "";
    buf_init(&out, 1 << 20);
    profile_query_init(&q);
    ck_assert_int_eq(profile_query_answer(&q, &out, &answer, message), -ENOENT);
    ck_assert_ptr_nonnull(strstr(message, "profile=off"));
    profile_query_fini(&q);
    buf_fini(&out);
}
END_TEST

SUITE_MAIN("profile_query", SUITE_LOOP(parameters, params), SUITE_TEST(too_many_restrictions),
           SUITE_LOOP(every_format_answers, formats), SUITE_TEST(differences),
           SUITE_TEST(no_recorder_says_so))
