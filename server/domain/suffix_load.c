/* A Public Suffix List file into a table.
 *
 * The list's own words (publicsuffix.org, "Format"): a rule a line, up to the
 * first white space; // begins a comment; *. in front matches one more label;
 * ! in front takes a wildcard back; comments mark the sections.  Rules outside
 * both sections count as ICANN's.  Rules are stored in their ASCII form, the
 * form of the hosts they are compared with.
 *
 * What a wildcard says about its own base is read literally: *.kobe.jp makes
 * no suffix of kobe.jp, whose suffix is jp. */
#include "server/domain/suffix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/utf8.h"
#include "server/domain/internal.h"

enum {
    LIST_MAX_BYTES = 16 << 20,
    RULE_MAX_BYTES = 255,
    LABEL_MAX_POINTS = 63,
    TEXT_FRONT_BYTES = 8, /* suffix_word() reads this far before a label */
};

/* One rule, its name in ASCII form inside loader.text. */
struct rule {
    uint32_t at;
    uint8_t len;
    uint8_t node_flag; /* for the last node of the name */
};

struct loader {
    char *text; /* the rules' names, one behind the other */
    size_t text_len;
    size_t text_cap;
    struct rule *rules;
    size_t count;
    size_t cap;
    bool is_private;
    unsigned line;
    struct domain_suffixes_info info;
    struct domain_load_error *why;
};

static int PRINTF_LIKE(2, 3) refuse(struct loader *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    l->why->line = l->line;
    vsnprintf(l->why->what, sizeof l->why->what, format, args);
    va_end(args);
    for (char *c = l->why->what; *c != '\0'; c++) /* it goes to terminals and logs */
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    return -EINVAL;
}

/* ---- reading rules ---- */

static bool is_label_byte(unsigned char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
}

/* One label of a rule in ASCII form at l->text's end; false: not a label. */
static bool add_label(struct loader *l, const char *at, const char *end)
{
    uint32_t points[LABEL_MAX_POINTS];
    size_t n = 0;
    bool is_ascii = true;
    while (at < end) {
        if (n == LABEL_MAX_POINTS)
            return false;
        uint32_t c = utf8_next(&at, end);
        if (c == UTF8_BAD || (c < 0x80 && !is_label_byte((unsigned char)c)))
            return false;
        is_ascii = is_ascii && c < 0x80;
        points[n++] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }
    char *text = l->text + l->text_len;
    if (is_ascii) {
        for (size_t i = 0; i < n; i++)
            text[i] = (char)points[i];
        l->text_len += n;
        return n > 0;
    }
    memcpy(text, ace_prefix, ACE_PREFIX_BYTES);
    size_t len = punycode_encode(points, n, text + 4, LABEL_MAX_POINTS - 4);
    l->text_len += 4 + len;
    return len > 0;
}

static int reserve(struct loader *l)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 4096 : l->cap * 2;
        struct rule *rules = realloc(l->rules, cap * sizeof *rules);
        if (rules == NULL)
            return -ENOMEM;
        l->rules = rules;
        l->cap = cap;
    }
    if (l->text_cap - l->text_len < 2 * RULE_MAX_BYTES) {
        size_t cap = l->text_cap == 0 ? 1 << 16 : l->text_cap * 2;
        char *text = realloc(l->text, cap);
        if (text == NULL)
            return -ENOMEM;
        l->text = text;
        l->text_cap = cap;
    }
    return 0;
}

/* What the rule does to the last node of its name, by its mark and section. */
static uint8_t node_flag(struct loader *l, char mark)
{
    static const uint8_t flag[3][2] = {
        {SUFFIX_RULE_ICANN, SUFFIX_RULE_PRIVATE},
        {SUFFIX_WILD_ICANN, SUFFIX_WILD_PRIVATE},
        {SUFFIX_EXCEPT_ICANN, SUFFIX_EXCEPT_PRIVATE},
    };
    l->info.wildcards += mark == '*';
    l->info.exceptions += mark == '!';
    l->info.private_rules += l->is_private;
    l->info.icann_rules += !l->is_private;
    return flag[mark == '*' ? 1 : mark == '!' ? 2 : 0][l->is_private];
}

static int add_rule(struct loader *l, const char *at, const char *end)
{
    int rv = reserve(l);
    if (rv < 0)
        return rv;
    const char *rule = at;
    int rule_len = (int)(end - at);
    char mark = ' ';
    if (end - at > 2 && at[0] == '*' && at[1] == '.') {
        mark = '*';
        at += 2;
    } else if (end - at == 1 && at[0] == '*') {
        return 0; /* the rule that holds where no other does */
    } else if (at[0] == '!') {
        mark = '!';
        at++;
    }
    if (mark == '!' && memchr(at, '.', (size_t)(end - at)) == NULL)
        return refuse(l, "an exception of one label: '%.*s'", rule_len, rule);
    if (end - at > RULE_MAX_BYTES)
        return refuse(l, "a rule of %d bytes", rule_len);
    size_t first = l->text_len;
    while (at <= end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const char *stop = dot == NULL ? end : dot;
        if (!add_label(l, at, stop) || l->text_len - first > RULE_MAX_BYTES)
            return refuse(l, "not a suffix rule: '%.*s'", rule_len, rule);
        if (dot == NULL)
            break;
        l->text[l->text_len++] = '.';
        at = dot + 1;
    }
    l->rules[l->count++] = (struct rule){.at = (uint32_t)first,
                                         .len = (uint8_t)(l->text_len - first),
                                         .node_flag = node_flag(l, mark)};
    return 0;
}

static bool contains(const char *at, const char *end, const char *what)
{
    return memmem(at, (size_t)(end - at), what, strlen(what)) != NULL;
}

static void read_comment(struct loader *l, const char *at, const char *end)
{
    static const char version[] = "// VERSION: ";
    size_t n = sizeof version - 1;
    if (contains(at, end, "===BEGIN PRIVATE DOMAINS==="))
        l->is_private = true;
    else if (contains(at, end, "===END PRIVATE DOMAINS==="))
        l->is_private = false;
    else if ((size_t)(end - at) > n && memcmp(at, version, n) == 0)
        snprintf(l->info.version, sizeof l->info.version, "%.*s", (int)(end - at - (int)n), at + n);
}

static int read_list(struct loader *l, const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline, *rule_end = at;
        l->line++;
        while (rule_end < stop && (unsigned char)*rule_end > ' ')
            rule_end++;
        if (rule_end - at >= 2 && memcmp(at, "//", 2) == 0) {
            read_comment(l, at, stop > at && stop[-1] == '\r' ? stop - 1 : stop);
        } else if (rule_end > at) {
            int rv = add_rule(l, at, rule_end);
            if (rv < 0)
                return rv;
        }
        at = newline == NULL ? end : newline + 1;
    }
    l->line = 0;
    return l->count == 0 ? refuse(l, "no suffix rules in it") : 0;
}

/* ---- building the table ---- */

static void insert_rule(struct domain_suffixes *s, const struct rule *rule, size_t *nodes)
{
    const char *name = s->text + TEXT_FRONT_BYTES + rule->at;
    size_t end = rule->len;
    uint32_t slot = SUFFIX_ROOT;
    for (;;) {
        const char *dot = memrchr(name, '.', end);
        size_t at = dot == NULL ? 0 : (size_t)(dot - name) + 1;
        bool is_new;
        slot =
            suffix_insert(s, slot, name + end, end - at, (uint32_t)(name + at - s->text), &is_new);
        *nodes += is_new;
        if (at == 0)
            break;
        end = at - 1;
    }
    s->nodes[slot].flags |= rule->node_flag;
    if ((rule->node_flag & (SUFFIX_WILD_ICANN | SUFFIX_WILD_PRIVATE)) != 0)
        s->nodes[slot].flags |= SUFFIX_HAS_CHILDREN;
}

/* Tags and nodes for `groups` groups (a power of two). */
static int make_groups(struct domain_suffixes *s, size_t groups)
{
    size_t slots = groups * SUFFIX_GROUP;
    free(s->tags);
    free(s->nodes);
    s->nodes = calloc(slots, sizeof *s->nodes);
    s->tags = aligned_alloc(64, slots < 64 ? 64 : slots);
    if (s->tags == NULL || s->nodes == NULL)
        return -ENOMEM;
    memset(s->tags, 0, slots);
    s->group_mask = (uint32_t)groups - 1;
    return 0;
}

static size_t groups_for(size_t nodes)
{
    size_t groups = 1;
    while (groups * SUFFIX_GROUP * 3 < nodes * 4) /* at most three quarters full */
        groups *= 2;
    return groups;
}

static int build(const struct loader *l, struct domain_suffixes *s)
{
    s->info = l->info;
    s->text_bytes = TEXT_FRONT_BYTES + l->text_len;
    s->text = malloc(s->text_bytes);
    if (s->text == NULL)
        return -ENOMEM;
    memset(s->text, 0, TEXT_FRONT_BYTES);
    memcpy(s->text + TEXT_FRONT_BYTES, l->text, l->text_len);
    size_t labels = 0, nodes = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->text + l->rules[i].at, *end = name + l->rules[i].len;
        labels++;
        while ((name = memchr(name, '.', (size_t)(end - name))) != NULL)
            name++, labels++;
    }
    /* rules share labels: most lists fit the size guessed from the rules alone */
    int rv = make_groups(s, groups_for(labels));
    for (size_t i = 0; rv == 0 && i < l->count; i++)
        insert_rule(s, &l->rules[i], &nodes);
    if (rv == 0 && groups_for(nodes) <= s->group_mask) {
        size_t again = 0;
        rv = make_groups(s, groups_for(nodes));
        for (size_t i = 0; rv == 0 && i < l->count; i++)
            insert_rule(s, &l->rules[i], &again);
    }
    return rv;
}

int domain_suffixes_parse(const char *text, size_t len, struct domain_suffixes **ret_suffixes,
                          struct domain_load_error *why)
{
    struct loader l = {.why = why};
    struct domain_suffixes *s = calloc(1, sizeof *s);
    int rv = s == NULL ? -ENOMEM : 0;
    why->line = 0;
    if (rv == 0 && len > LIST_MAX_BYTES)
        rv = refuse(&l, "larger than %d MiB", LIST_MAX_BYTES >> 20);
    if (rv == 0)
        rv = read_list(&l, text, len);
    if (rv == 0)
        rv = build(&l, s);
    free(l.text);
    free(l.rules);
    if (rv == -ENOMEM)
        snprintf(why->what, sizeof why->what, "%s", err_text(rv));
    if (rv < 0) {
        domain_suffixes_unref(s);
        return rv;
    }
    atomic_init(&s->refs, 1);
    *ret_suffixes = s;
    return 0;
}

/* ---- files, references ---- */

static int read_file(int fd, char **ret_text, size_t *ret_len)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    size_t cap = LIST_MAX_BYTES + 1, len = 0;
    if (S_ISREG(st.st_mode) && st.st_size < LIST_MAX_BYTES)
        cap = (size_t)st.st_size + 1;
    char *text = malloc(cap);
    if (text == NULL)
        return -ENOMEM;
    while (len < cap) {
        ssize_t n = read(fd, text + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int rv = -errno;
            free(text);
            return rv;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

int domain_suffixes_load(const char *path, struct domain_suffixes **ret_suffixes,
                         struct domain_load_error *why)
{
    char *text = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rv = fd < 0 ? -errno : read_file(fd, &text, &len);
    if (fd >= 0)
        close(fd);
    if (rv < 0) {
        *why = (struct domain_load_error){.line = 0};
        snprintf(why->what, sizeof why->what, "%s", err_text(rv));
        return rv;
    }
    rv = domain_suffixes_parse(text, len, ret_suffixes, why);
    free(text);
    return rv;
}

void domain_suffixes_ref(struct domain_suffixes *s)
{
    if (!s->is_placed)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void domain_suffixes_unref(struct domain_suffixes *s)
{
    if (s == NULL || s->is_placed ||
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(s->tags);
    free(s->nodes);
    free(s->text);
    free(s);
}

struct domain_suffixes_info domain_suffixes_info(const struct domain_suffixes *s)
{
    return s->info;
}
