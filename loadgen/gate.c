#include "loadgen/gate.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/units.h"

static bool is_percentile(const char *name)
{
    if (strncmp(name, "raw_", 4) == 0)
        name += 4;
    return name[0] == 'p' && isdigit((unsigned char)name[1]);
}

static bool is_latency(const char *name)
{
    return is_percentile(name) || strcmp(name, "mean") == 0 || strcmp(name, "max") == 0;
}

static int parse_name(struct lg_gate *g)
{
    static const char *const others[] = {"mean", "max", "errors", "failed", "unsent", "rps"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(g->name, others[i]) == 0)
            return 0;
    if (!is_percentile(g->name))
        return -EINVAL;
    char *end;
    double percent = strtod(strchr(g->name, 'p') + 1, &end);
    return *end == '\0' && percent > 0 && percent < 100 ? 0 : -EINVAL;
}

static int parse_limit(struct lg_gate *g, const char *text)
{
    if (is_latency(g->name)) {
        int64_t ns;
        /* "5" alone would be seconds: rarely meant */
        if (*text == '\0' || isdigit((unsigned char)text[strlen(text) - 1]) ||
            units_parse_ns(text, &ns) < 0)
            return -EINVAL;
        g->limit = (double)ns;
        return 0;
    }
    char *end;
    g->limit = strtod(text, &end);
    if (end == text || !(g->limit >= 0))
        return -EINVAL;
    if (*end == '%' && strcmp(g->name, "errors") == 0) {
        g->limit /= 100;
        end++;
    }
    return *end == '\0' ? 0 : -EINVAL;
}

int lg_gate_parse(const char *text, struct lg_gate *ret_gate, struct lg_why *why)
{
    struct lg_gate g = {.text = text};
    size_t n = strcspn(text, "<>= ");
    const char *op = text + n + strspn(text + n, " ");
    int rv = n > 0 && n < sizeof g.name && (*op == '<' || *op == '>') ? 0 : -EINVAL;
    if (rv == 0) {
        memcpy(g.name, text, n);
        g.is_greater = *op == '>';
        g.or_equal = op[1] == '=';
        const char *limit = op + 1 + g.or_equal;
        rv = parse_name(&g);
        if (rv == 0)
            rv = parse_limit(&g, limit + strspn(limit, " "));
    }
    if (rv < 0)
        lg_why_set(why,
                   "--fail-if '%s': expected a condition like p99>5ms, raw_p99>1ms, max>1s, "
                   "errors>1%%, failed>0, rps<1000",
                   text);
    else
        *ret_gate = g;
    return rv;
}

static double value_of(const struct lg_gate *g, const struct lg_result *r, bool *ret_known)
{
    const struct lg_record *rec = &r->record;
    bool is_raw = strncmp(g->name, "raw_", 4) == 0;
    const struct hist *h = is_raw ? &rec->raw : &rec->latency;
    *ret_known = true;
    if (is_percentile(g->name)) {
        double percent = strtod(strchr(g->name, 'p') + 1, NULL);
        *ret_known = hist_knows(h, percent);
        return (double)hist_percentile_ns(h, percent);
    }
    if (is_latency(g->name)) {
        *ret_known = h->total > 0;
        return strcmp(g->name, "mean") == 0 ? hist_mean_ns(h) : (double)h->max_ns;
    }
    if (strcmp(g->name, "rps") == 0)
        return r->requests_per_s;
    if (strcmp(g->name, "unsent") == 0)
        return (double)rec->unsent;
    double failed = (double)lg_record_failed(rec);
    if (strcmp(g->name, "failed") == 0)
        return failed;
    *ret_known = rec->sent > 0;
    return rec->sent > 0 ? failed / (double)rec->sent : 0;
}

bool lg_gate_holds(const struct lg_gate *g, const struct lg_result *r, bool *ret_known,
                   double *ret_value)
{
    double value = value_of(g, r, ret_known);
    *ret_value = value;
    if (!*ret_known)
        return false;
    if (g->or_equal && value == g->limit)
        return true;
    return g->is_greater ? value > g->limit : value < g->limit;
}

void lg_gate_describe(const struct lg_gate_result *g, char *text, size_t bytes)
{
    char value[UNITS_TEXT_BYTES];
    if (is_latency(g->gate.name))
        units_format_ns(g->value, value);
    else if (strcmp(g->gate.name, "errors") == 0)
        snprintf(value, sizeof value, "%.3g%%", g->value * 100);
    else
        snprintf(value, sizeof value, "%.10g", g->value);
    if (!g->is_known)
        snprintf(text, bytes, "%s: too few requests to say", g->gate.text);
    else
        snprintf(text, bytes, "%s: %s, it is %s", g->gate.text, g->holds ? "breached" : "held off",
                 value);
}
