/* Nanoseconds of CPU per URL of each engine, and of libpsl for comparison:
 *   domain_bench URLS SUFFIX_LIST ROUNDS        prints "name value unit"
 * Engines take turns within a round; the median round is printed. */
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "server/domain/engine.h"

enum { ROUNDS_MAX = 101, PART_NS = 300000000 };

struct urls {
    char *text;
    const char **at;
    size_t *len;
    char **host; /* NUL terminated, for libpsl; NULL: none, or an address */
    size_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "domain_bench: %s\n", what);
    exit(1);
}

static void *must(void *memory)
{
    if (memory == NULL)
        die("out of memory");
    return memory;
}

static struct urls read_urls(const char *path)
{
    struct urls u = {0};
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        die("cannot open the URLs");
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f), lines = 1;
    rewind(f);
    u.text = must(malloc(size + 1));
    if (fread(u.text, 1, size, f) != size)
        die("cannot read the URLs");
    fclose(f);
    for (size_t i = 0; i < size; i++)
        lines += u.text[i] == '\n';
    u.at = must(calloc(lines, sizeof *u.at));
    u.len = must(calloc(lines, sizeof *u.len));
    u.host = must(calloc(lines, sizeof *u.host));
    u.text[size] = '\0';
    for (char *line = u.text; *line != '\0';) {
        char *end = strchrnul(line, '\n');
        u.at[u.count] = line;
        u.len[u.count++] = (size_t)(end - line);
        line = *end == '\0' ? end : end + 1;
    }
    return u;
}

static volatile size_t sink; /* what is measured may not be optimised away */

static void run_scan(const struct urls *u, const struct domain_suffixes *s)
{
    struct domain_result r;
    size_t sum = 0;
    for (size_t i = 0; i < u->count; i++)
        if (domain_parse(s, u->at[i], u->len[i], &r) == DOMAIN_OK)
            sum += (size_t)r.all.registrable_at + r.icann.registrable_at;
    sink = sum;
}

static void run_engine(const struct urls *u, struct domain_engine *e, size_t step)
{
    struct domain_text found;
    size_t sum = 0;
    for (size_t i = 0; i < u->count; i += step)
        if (domain_engine_find(e, NULL, u->at[i], u->len[i], &found) == DOMAIN_OK)
            sum += found.len;
    sink = sum;
}

static void run_psl(const struct urls *u, const psl_ctx_t *psl)
{
    size_t sum = 0;
    for (size_t i = 0; i < u->count; i++)
        if (u->host[i] != NULL)
            sum += psl_registrable_domain(psl, u->host[i]) != NULL;
    sink = sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"scan", "regex_each", "regex",
                                        "pcre", "pcre_jit",   "libpsl"};
    static double ns[6][ROUNDS_MAX];
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_engine *engine[DOMAIN_ENGINE_COUNT] = {NULL};
    char text[DOMAIN_ENGINE_WHY_BYTES];
    if (argc != 4)
        die("usage: domain_bench URLS SUFFIX_LIST ROUNDS");
    int rounds = atoi(argv[3]);
    if (rounds < 1 || rounds > ROUNDS_MAX)
        die("rounds: 1 to 101");
    if (domain_suffixes_load(argv[2], &s, &why) < 0)
        die(why.what);
    struct urls u = read_urls(argv[1]);
    for (size_t i = 0; i < u.count; i++) {
        struct domain_result r;
        if (domain_parse(s, u.at[i], u.len[i], &r) == DOMAIN_OK && r.kind == DOMAIN_KIND_NAME)
            u.host[i] = must(strndup(r.host, r.host_len));
    }
    psl_ctx_t *psl = must(psl_load_file(argv[2]));
    for (int k = DOMAIN_ENGINE_REGEX_EACH; k < DOMAIN_ENGINE_COUNT; k++)
        if (domain_engine_new((enum domain_engine_kind)k, &engine[k], text) < 0)
            fprintf(stderr, "domain_bench: left out: %s\n", text);
    for (int round = 0; round < rounds; round++) {
        for (size_t which = 0; which < 6; which++) {
            size_t step = which == DOMAIN_ENGINE_REGEX_EACH ? 50 : 1, turns = 0;
            if (which > 0 && which < 5 && engine[which] == NULL)
                continue;
            int64_t start = clock_read_ns(CLOCK_THREAD_CPUTIME_ID), spent;
            do {
                if (which == 0)
                    run_scan(&u, s);
                else if (which == 5)
                    run_psl(&u, psl);
                else
                    run_engine(&u, engine[which], step);
                turns++;
                spent = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start;
            } while (spent < PART_NS / rounds);
            ns[which][round] = (double)spent / (double)(turns * ((u.count + step - 1) / step));
        }
    }
    for (size_t which = 0; which < 6; which++) {
        qsort(ns[which], (size_t)rounds, sizeof(double), by_value);
        if (ns[which][rounds / 2] > 0)
            printf("domain.%s %.1f ns\n", names[which], ns[which][rounds / 2]);
    }
    return 0;
}
