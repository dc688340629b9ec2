/* tests/lib/result.h - a result of loadgen made by hand, and text caught. */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/base/clock.h"
#include "loadgen/run.h"

/* n answers of 1 ms each, one a millisecond; nothing else happened. */
static inline void result_make(struct lg_result *r, int n)
{
    *r = (struct lg_result){.seconds = n / 1e3,
                            .requests_per_s = 1000,
                            .own_cpu = 0.2,
                            .own_cpu_us = 5,
                            .server_counted = -1};
    ck_assert_int_eq(lg_record_init(&r->record, 0), 0);
    ck_assert_int_eq(lg_record_init(&r->warmup, 0), 0);
    ck_assert_int_eq(hist_init(&r->loop_lag, HIST_FINE), 0);
    for (int i = 1; i <= n; i++) {
        r->record.sent++;
        r->record.statuses[200]++;
        lg_record_end(&r->record, LG_OK, (i - 1) * NS_PER_MS, (i - 1) * NS_PER_MS, i * NS_PER_MS);
    }
}

/* A stream to print into; caught_end gives what was printed, the caller frees it. */
struct caught {
    FILE *out;
    char *text;
    size_t bytes;
};

static inline void caught_begin(struct caught *c)
{
    c->out = open_memstream(&c->text, &c->bytes);
    ck_assert_ptr_nonnull(c->out);
}

static inline char *caught_end(struct caught *c)
{
    ck_assert_int_eq(fclose(c->out), 0);
    return c->text;
}
