#include "server/profile/view.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A pattern that would backtrack for ever just does not match. */
#define MATCH_LIMIT 100000

enum column {
    BY_NOTHING,
    BY_CALLS,
    BY_PRIMITIVE,
    BY_TOTTIME,
    BY_CUMTIME,
    BY_FILE,
    BY_LINE,
    BY_NAME,
    BY_LABEL
};

static const struct sort_key {
    const char *key;
    const char *text;
    int columns[4]; /* ends with 0 */
} sort_keys[] = {
#define PROFILE_SORT(key, text, ...) {#key, text, {__VA_ARGS__}},
#include "server/profile/sort.def"
#undef PROFILE_SORT
};

void profile_view_init(struct profile_view *v)
{
    *v = (struct profile_view){.table = PROFILE_STATS};
}

void profile_view_fini(struct profile_view *v)
{
    for (size_t i = 0; i < v->restriction_count; i++) {
        free(v->restrictions[i].pattern);
        pcre2_code_free(v->restrictions[i].regex);
    }
    profile_view_init(v);
}

int profile_view_keys(struct buf *out)
{
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LEN(sort_keys) && rv == 0; i++)
        rv = buf_printf(out, "%s%s", i == 0 ? "" : ", ", sort_keys[i].key);
    return rv;
}

/* ---- sort keys ---- */

/* pstats enters every prefix of every key into a dictionary, longest first,
 * until one is there already: that one is then ambiguous, shorter ones keep
 * their first meaning.  So "cu" means cumtime although "cum" means nothing. */
static int find_prefix(const char *word, size_t n)
{
    int found = -1;
    for (size_t i = 0; i < ARRAY_LEN(sort_keys); i++) {
        const char *key = sort_keys[i].key;
        if (n > strlen(key) || strncmp(key, word, n) != 0)
            continue;
        bool is_reached = true; /* does the walk down this key's prefixes get to the word? */
        for (size_t len = strlen(key); len > n && is_reached; len--)
            for (size_t before = 0; before < i && is_reached; before++)
                is_reached = strncmp(sort_keys[before].key, key, len) != 0;
        if (is_reached && found >= 0)
            return -1;
        if (is_reached)
            found = (int)i;
    }
    return found;
}

static int find_key(const char *word, size_t n)
{
    static const char *const old[] = {"-1", "stdname", "0", "calls",
                                      "1",  "time",    "2", "cumulative"};
    for (size_t i = 0; i < ARRAY_LEN(old); i += 2)
        if (strlen(old[i]) == n && memcmp(old[i], word, n) == 0)
            return find_prefix(old[i + 1], strlen(old[i + 1]));
    return n == 0 ? -1 : find_prefix(word, n);
}

int profile_view_sort(struct profile_view *v, const char *keys,
                      char ret_message[PROFILE_MESSAGE_BYTES])
{
    v->sort_count = 0;
    if (strcmp(keys, "none") == 0)
        return 0;
    for (const char *word = keys;; word++) {
        size_t n = strcspn(word, ",");
        int key = find_key(word, n);
        if (key < 0) {
            snprintf(ret_message, PROFILE_MESSAGE_BYTES, "unknown or ambiguous sort key '%.*s'",
                     (int)(n > 40 ? 40 : n), word);
            return -EINVAL;
        }
        if (v->sort_count == PROFILE_SORTS_MAX) {
            snprintf(ret_message, PROFILE_MESSAGE_BYTES, "more than %d sort keys",
                     PROFILE_SORTS_MAX);
            return -EINVAL;
        }
        v->sorts[v->sort_count++] = (uint8_t)key;
        word += n;
        if (*word == '\0')
            return 0;
    }
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_counts(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_column(const struct profile_function *a, const struct profile_function *b,
                          int column)
{
    switch (column) {
    case BY_CALLS:
        return compare_counts(a->calls, b->calls);
    case BY_PRIMITIVE:
        return compare_counts(a->primitive, b->primitive);
    case BY_TOTTIME:
        return compare_numbers(a->tottime, b->tottime);
    case BY_CUMTIME:
        return compare_numbers(a->cumtime, b->cumtime);
    case BY_FILE:
        return strcmp(a->file, b->file);
    case BY_LINE:
        return compare_counts(a->line, b->line);
    case BY_NAME:
        return strcmp(a->name, b->name);
    default:
        return strcmp(a->label, b->label);
    }
}

struct sorting {
    const struct profile_view *view;
    const struct profile_report *report;
};

/* Rows that are equal in every column stay in order of appearance. */
static int compare_rows(const void *left, const void *right, void *arg)
{
    const struct sorting *s = arg;
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
    for (size_t i = 0; i < s->view->sort_count; i++)
        for (const int *c = sort_keys[s->view->sorts[i]].columns; *c != BY_NOTHING; c++) {
            int order = compare_column(&s->report->functions[l], &s->report->functions[r], abs(*c));
            if (order != 0)
                return *c < 0 ? -order : order;
        }
    return (l > r) - (l < r);
}

/* ---- restrictions ---- */

static int add_restriction(struct profile_view *v, const struct profile_restriction *restriction,
                           char ret_message[PROFILE_MESSAGE_BYTES])
{
    if (v->restriction_count == PROFILE_RESTRICTIONS_MAX) {
        snprintf(ret_message, PROFILE_MESSAGE_BYTES, "more than %d restrictions",
                 PROFILE_RESTRICTIONS_MAX);
        return -EINVAL;
    }
    v->restrictions[v->restriction_count++] = *restriction;
    return 0;
}

int profile_view_limit(struct profile_view *v, const char *amount,
                       char ret_message[PROFILE_MESSAGE_BYTES])
{
    struct profile_restriction restriction = {.kind = PROFILE_FIRST};
    size_t digits = strspn(amount, "0123456789");
    char *end;
    if (digits > 0 && digits < 10 && amount[digits] == '\0') {
        restriction.first = strtoll(amount, NULL, 10);
        return add_restriction(v, &restriction, ret_message);
    }
    restriction.kind = PROFILE_FRACTION;
    restriction.fraction = strtod(amount, &end);
    if (strspn(amount, "0123456789.") == strlen(amount) && end != amount && *end == '\0' &&
        restriction.fraction < 1.0)
        return add_restriction(v, &restriction, ret_message);
    snprintf(ret_message, PROFILE_MESSAGE_BYTES,
             "'%.40s' is neither a number of rows nor a fraction below 1", amount);
    return -EINVAL;
}

int profile_view_match(struct profile_view *v, const char *pattern,
                       char ret_message[PROFILE_MESSAGE_BYTES])
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *regex =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (regex == NULL) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(code, why, sizeof why);
        snprintf(ret_message, PROFILE_MESSAGE_BYTES, "bad regular expression at offset %zu: %s", at,
                 (const char *)why);
        return -EINVAL;
    }
    struct profile_restriction restriction = {
        .kind = PROFILE_REGEX, .pattern = strdup(pattern), .regex = regex};
    int rv = restriction.pattern == NULL ? -ENOMEM : add_restriction(v, &restriction, ret_message);
    if (rv < 0) {
        free(restriction.pattern);
        pcre2_code_free(regex);
    }
    return rv;
}

static int keep_matching(const struct profile_restriction *restriction,
                         const struct profile_report *r, uint32_t *rows, uint32_t *count)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int rv = context == NULL || match == NULL ? -ENOMEM : 0;
    uint32_t kept = 0;
    if (rv == 0)
        pcre2_set_match_limit(context, MATCH_LIMIT);
    for (uint32_t i = 0; rv == 0 && i < *count; i++) {
        const char *label = r->functions[rows[i]].label;
        if (pcre2_match(restriction->regex, (PCRE2_SPTR)label, strlen(label), 0, 0, match,
                        context) >= 0)
            rows[kept++] = rows[i];
    }
    if (rv == 0)
        *count = kept;
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    return rv;
}

/* ---- how Python writes the restriction down ---- */

/* repr() of a float: the shortest digits that read back as the same number. */
static int append_float(struct buf *out, double value)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    bool is_whole = strcspn(text, ".e") == strlen(text);
    return buf_printf(out, "%s%s", text, is_whole ? ".0" : "");
}

/* repr() of a str: single quotes unless that needs escaping and double do not. */
static int append_string(struct buf *out, const char *text)
{
    char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    int rv = buf_append_char(out, quote);
    for (const char *c = text; *c != '\0' && rv == 0; c++) {
        static const char named[] = "\nn\rr\tt\\\\";
        const char *name = NULL;
        for (size_t i = 0; i + 1 < sizeof named; i += 2)
            if (*c == named[i])
                name = &named[i + 1];
        if (name != NULL)
            rv = buf_printf(out, "\\%c", *name);
        else if (*c == quote)
            rv = buf_printf(out, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            rv = buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            rv = buf_append_char(out, *c);
    }
    return rv < 0 ? rv : buf_append_char(out, quote);
}

static int append_cut(struct buf *out, const struct profile_restriction *restriction,
                      uint32_t before, uint32_t after)
{
    int rv = buf_printf(out, "   List reduced from %u to %u due to restriction <", before, after);
    if (rv == 0 && restriction->kind == PROFILE_FIRST)
        rv = buf_printf(out, "%lld", (long long)restriction->first);
    else if (rv == 0 && restriction->kind == PROFILE_FRACTION)
        rv = append_float(out, restriction->fraction);
    else if (rv == 0)
        rv = append_string(out, restriction->pattern);
    return rv < 0 ? rv : buf_append_str(out, ">\n");
}

/* ---- together ---- */

static int restrict_rows(const struct profile_view *v, const struct profile_report *r,
                         uint32_t *rows, uint32_t *count, struct buf *message)
{
    for (size_t i = 0; i < v->restriction_count; i++) {
        const struct profile_restriction *restriction = &v->restrictions[i];
        uint32_t before = *count;
        int rv = 0;
        if (restriction->kind == PROFILE_REGEX)
            rv = keep_matching(restriction, r, rows, count);
        else if (restriction->kind == PROFILE_FRACTION)
            *count = (uint32_t)(before * restriction->fraction + .5);
        else if (restriction->first < before)
            *count = (uint32_t)restriction->first;
        if (rv == 0 && *count != before)
            rv = append_cut(message, restriction, before, *count);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static int append_order(const struct profile_view *v, struct buf *message)
{
    if (v->sort_count == 0)
        return buf_append_str(message, "   Random listing order was used\n");
    int rv = buf_append_str(message, "   Ordered by: ");
    for (size_t i = 0; i < v->sort_count && rv == 0; i++)
        rv = buf_printf(message, "%s%s", i == 0 ? "" : ", ", sort_keys[v->sorts[i]].text);
    return rv < 0 ? rv : buf_append_char(message, '\n');
}

int profile_view_apply(const struct profile_view *v, const struct profile_report *r,
                       uint32_t **ret_rows, uint32_t *ret_count, struct buf *message)
{
    uint32_t *rows = calloc(r->function_count + 1, sizeof *rows);
    if (rows == NULL)
        return -ENOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->function_count; i++)
        if (r->functions[i].is_shown)
            rows[count++] = i;
    struct sorting sorting = {v, r};
    qsort_r(rows, count, sizeof rows[0], compare_rows, &sorting);
    int rv = append_order(v, message);
    if (rv == 0)
        rv = restrict_rows(v, r, rows, &count, message);
    if (rv < 0) {
        free(rows);
        return rv;
    }
    *ret_rows = rows;
    *ret_count = count;
    return 0;
}
