/* server/config/config.c - the table as data, and one value at a time: text to
 * field, field to text, and the name that a mistyped one probably meant. */
#include "server/config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/units.h"
#include "server/config/internal.h"

#define LIVE    true
#define RESTART false
const struct cfg_param cfg_params[CFG_COUNT] = {
#define CFG_SECTION(name, title)
#define CFG_PARAM(section, type, field, name, text, min, max, live, value, help)                   \
    {name, #section, CFG_##type, offsetof(struct config, field), text, min, max, live, value, help},
#include "server/config/params.def"
#undef CFG_PARAM
#undef CFG_SECTION
};

static const struct {
    const char *name;
    const char *title;
} sections[] = {
#define CFG_SECTION(name, title) {#name, title},
#define CFG_PARAM(...)
#include "server/config/params.def"
#undef CFG_PARAM
#undef CFG_SECTION
};

const char *cfg_section_title(const char *section)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (strcmp(sections[i].name, section) == 0)
            return sections[i].title;
    return NULL;
}

/* ---- names ---- */

int cfg_find(const char *name, size_t len)
{
    for (int id = 0; id < CFG_COUNT; id++)
        if (strlen(cfg_params[id].name) == len && memcmp(cfg_params[id].name, name, len) == 0)
            return id;
    return -ENOENT;
}

#define NAME_MAX_BYTES 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned cfg_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned row[3][NAME_MAX_BYTES + 1];
    if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (unsigned j = 0; j <= b_len; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned change = a[i - 1] != b[j - 1];
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                earlier[j - 2] + 1 < now[j])
                now[j] = earlier[j - 2] + 1;
        }
    }
    return row[a_len % 3][b_len];
}

const char *cfg_nearest(const char *name, size_t len)
{
    const char *best = NULL;
    unsigned best_distance =
        (unsigned)len / 3 + 2; /* farther than this is not a slip of the hand */
    for (int id = 0; id < CFG_COUNT; id++) {
        const char *candidate = cfg_params[id].name;
        unsigned distance = cfg_distance(name, len, candidate, strlen(candidate));
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

/* ---- values ---- */

static void *field_of(const struct config *cfg, enum cfg_id id)
{
    return (char *)(uintptr_t)cfg + cfg_params[id].offset;
}

int cfg_fail(struct cfg_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -EINVAL;
}

/* The index of text among "a|b|c", -ENOENT when it is none. */
static int choice_index(const char *choices, const char *text)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *at = choices; *at != '\0'; index++) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, text, n) == 0)
            return index;
        at += n + (at[n] == '|');
    }
    return -ENOENT;
}

static const char *choice_at(const char *choices, int index, size_t *ret_len)
{
    while (index-- > 0)
        choices += strcspn(choices, "|") + 1;
    *ret_len = strcspn(choices, "|");
    return choices;
}

/* A bound as the operator would write it: "1M", "10ms", "65535". */
static void format_number(enum cfg_type type, int64_t value, char *ret_text, size_t cap)
{
    static const struct {
        enum cfg_type type;
        int64_t scale;
        const char *suffix;
    } units[] = {
        {CFG_BYTES, INT64_C(1) << 30, "G"}, {CFG_BYTES, 1 << 20, "M"}, {CFG_BYTES, 1 << 10, "k"},
        {CFG_TIME, 3600 * NS_PER_S, "h"},   {CFG_TIME, NS_PER_S, "s"}, {CFG_TIME, NS_PER_MS, "ms"},
        {CFG_TIME, NS_PER_US, "us"},        {CFG_TIME, 1, "ns"},
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].type != type || value < units[i].scale || value % units[i].scale != 0)
            continue;
        snprintf(ret_text, cap, "%" PRId64 "%s", value / units[i].scale, units[i].suffix);
        return;
    }
    snprintf(ret_text, cap, "%" PRId64 "%s", value, type == CFG_TIME ? "s" : "");
}

static int set_number(struct config *cfg, enum cfg_id id, const char *text, struct cfg_error *error)
{
    const struct cfg_param *param = &cfg_params[id];
    static const char *const kind[] = {
        [CFG_INT] = "a whole number",
        [CFG_BYTES] = "a size (such as 64k or 1M)",
        [CFG_TIME] = "a time (such as 250ms, 10s or 2m)",
    };
    int64_t value = 0;
    int rv = param->type == CFG_INT     ? units_parse_int(text, INT64_MIN, INT64_MAX, &value)
             : param->type == CFG_BYTES ? units_parse_bytes(text, &value)
                                        : units_parse_ns(text, &value);
    if (rv < 0 || value < param->min || value > param->max) {
        char min[UNITS_TEXT_BYTES], max[UNITS_TEXT_BYTES];
        format_number(param->type, param->min, min, sizeof min);
        format_number(param->type, param->max, max, sizeof max);
        return cfg_fail(error, "expected %s from %s to %s", kind[param->type], min, max);
    }
    memcpy(field_of(cfg, id), &value, sizeof value);
    return 0;
}

static int set_bool(struct config *cfg, enum cfg_id id, const char *text, struct cfg_error *error)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *(bool *)field_of(cfg, id) = i % 2 == 1;
        return 0;
    }
    return cfg_fail(error, "expected on or off");
}

static int set_enum(struct config *cfg, enum cfg_id id, const char *text, struct cfg_error *error)
{
    int index = choice_index(cfg_params[id].value, text);
    if (index < 0)
        return cfg_fail(error, "expected one of %s", cfg_params[id].value);
    *(int *)field_of(cfg, id) = index;
    return 0;
}

static int set_text(struct config *cfg, enum cfg_id id, const char *text, struct cfg_origin origin,
                    struct cfg_error *error)
{
    const struct cfg_param *param = &cfg_params[id];
    char **field = field_of(cfg, id);
    size_t len = strlen(text);
    if ((int64_t)len < param->min || (int64_t)len > param->max)
        return len == 0 ? cfg_fail(error, "expected a value")
                        : cfg_fail(error, "expected at most %" PRId64 " characters", param->max);
    bool grows = param->type == CFG_LIST && *field != NULL && **field != '\0' &&
                 origin.source != CFG_FROM_DEFAULT && cfg->origin[id].source == origin.source;
    char *value;
    if (asprintf(&value, "%s%s%s", grows ? *field : "", grows ? "," : "", text) < 0)
        return -ENOMEM;
    free(*field);
    *field = value;
    return 0;
}

int cfg_set(struct config *cfg, enum cfg_id id, const char *text, struct cfg_origin origin,
            struct cfg_error *error)
{
    int rv = 0;
    switch (cfg_params[id].type) {
    case CFG_ENUM:
        rv = set_enum(cfg, id, text, error);
        break;
    case CFG_BOOL:
        rv = set_bool(cfg, id, text, error);
        break;
    case CFG_TEXT:
    case CFG_LIST:
        rv = set_text(cfg, id, text, origin, error);
        break;
    case CFG_INT:
    case CFG_BYTES:
    case CFG_TIME:
        rv = set_number(cfg, id, text, error);
        break;
    }
    if (rv == 0)
        cfg->origin[id] = origin;
    return rv;
}

void cfg_format(const struct config *cfg, enum cfg_id id, char *ret_text, size_t cap)
{
    const struct cfg_param *param = &cfg_params[id];
    const void *field = field_of(cfg, id);
    size_t len;
    const char *choice;
    switch (param->type) {
    case CFG_ENUM:
        choice = choice_at(param->value, *(const int *)field, &len);
        snprintf(ret_text, cap, "%.*s", (int)len, choice);
        break;
    case CFG_BOOL:
        snprintf(ret_text, cap, "%s", *(const bool *)field ? "on" : "off");
        break;
    case CFG_TEXT:
    case CFG_LIST:
        snprintf(ret_text, cap, "%s", *(char *const *)field);
        break;
    case CFG_INT:
    case CFG_BYTES:
    case CFG_TIME:
        format_number(param->type, *(const int64_t *)field, ret_text, cap);
        break;
    }
}

bool cfg_is_equal(const struct config *a, const struct config *b, enum cfg_id id)
{
    const void *x = field_of(a, id), *y = field_of(b, id);
    switch (cfg_params[id].type) {
    case CFG_ENUM:
        return *(const int *)x == *(const int *)y;
    case CFG_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case CFG_TEXT:
    case CFG_LIST:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case CFG_INT:
    case CFG_BYTES:
    case CFG_TIME:
        break;
    }
    return *(const int64_t *)x == *(const int64_t *)y;
}

/* ---- the whole ---- */

int cfg_init(struct config *cfg)
{
    struct cfg_error error;
    *cfg = (struct config){0};
    for (int id = 0; id < CFG_COUNT; id++) {
        int rv = cfg_set(cfg, (enum cfg_id)id, cfg_params[id].default_text,
                         (struct cfg_origin){.source = CFG_FROM_DEFAULT}, &error);
        if (rv < 0) {
            cfg_fini(cfg);
            return rv;
        }
    }
    return 0;
}

void cfg_fini(struct config *cfg)
{
    for (int id = 0; id < CFG_COUNT; id++) {
        if (cfg_params[id].type != CFG_TEXT && cfg_params[id].type != CFG_LIST)
            continue;
        char **field = field_of(cfg, (enum cfg_id)id);
        free(*field);
        *field = NULL;
    }
}

static size_t field_bytes(enum cfg_id id)
{
    switch (cfg_params[id].type) {
    case CFG_ENUM:
        return sizeof(int);
    case CFG_BOOL:
        return sizeof(bool);
    case CFG_TEXT:
    case CFG_LIST:
        return sizeof(char *);
    case CFG_INT:
    case CFG_BYTES:
    case CFG_TIME:
        break;
    }
    return sizeof(int64_t);
}

void cfg_adopt(struct config *cfg, struct config *next, void (*on_fixed)(const char *name))
{
    for (int i = 0; i < CFG_COUNT; i++) {
        enum cfg_id id = (enum cfg_id)i;
        if (!cfg_params[id].is_live) {
            if (on_fixed != NULL && !cfg_is_equal(cfg, next, id))
                on_fixed(cfg_params[id].name);
            continue;
        }
        char was[sizeof(int64_t)];
        void *mine = field_of(cfg, id), *theirs = field_of(next, id);
        memcpy(was, mine, field_bytes(id));
        memcpy(mine, theirs, field_bytes(id));
        memcpy(theirs, was, field_bytes(id));
        cfg->origin[id] = next->origin[id];
    }
}

void cfg_fit_defaults(struct config *cfg)
{
    if (cfg->origin[CFG_max_spare].source == CFG_FROM_DEFAULT && cfg->max_spare < cfg->min_spare)
        cfg->max_spare = cfg->min_spare;
    if (cfg->origin[CFG_min_spare].source != CFG_FROM_DEFAULT)
        return;
    if (cfg->min_spare > cfg->max_spare)
        cfg->min_spare = cfg->max_spare;
    if (cfg->min_spare > cfg->children)
        cfg->min_spare = cfg->children;
}

int cfg_validate(const struct config *cfg, struct cfg_error *error)
{
    if (cfg->min_spare > cfg->max_spare)
        return cfg_blame(cfg, CFG_min_spare, error,
                         "%" PRId64 " is above max-spare (%" PRId64
                         "): processes would be started and ended in turn",
                         cfg->min_spare, cfg->max_spare);
    if (cfg->min_spare > cfg->children)
        return cfg_blame(cfg, CFG_min_spare, error, "%" PRId64 " is above children (%" PRId64 ")",
                         cfg->min_spare, cfg->children);
    return 0;
}
