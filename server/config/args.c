/* server/config/args.c - the command line: getopt_long over options made from
 * the table, and --help printed from it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/internal.h"

/* Options that are not parameters are numbered after them, as actions. */
enum { OPTION_COUNT = CFG_COUNT + CFG_ACTION_COUNT - 1 };

/* getopt's own return values are characters: ours stay clear of them. */
#define OPTION_BASE 1000

static const struct {
    const char *name;
    const char *help;
} actions[] = {
#define CFG_ACTION(NAME, name, help) {name, help},
#include "server/config/action.def"
#undef CFG_ACTION
};

static void fill_options(struct option options[OPTION_COUNT + 1])
{
    for (int i = 0; i < CFG_COUNT; i++)
        options[i] = (struct option){
            .name = cfg_params[i].name,
            /* --profile alone means --profile=on */
            .has_arg = cfg_params[i].type == CFG_BOOL ? optional_argument : required_argument,
            .val = OPTION_BASE + i,
        };
    for (int i = CFG_COUNT; i < OPTION_COUNT; i++)
        options[i] = (struct option){.name = actions[i - CFG_COUNT].name, .val = OPTION_BASE + i};
    options[OPTION_COUNT] = (struct option){0};
}

/* getopt refused argv[at]: an unknown long flag, or an unknown letter. */
static int fail_unknown(struct cfg_error *error, const char *word, int letter)
{
    if (letter > 0 && letter < OPTION_BASE && strncmp(word, "--", 2) != 0)
        return cfg_fail(error, "unknown flag -%c; domaind --help lists the flags", letter);
    if (letter >= OPTION_BASE)
        return cfg_fail(error, "%.*s takes no value", (int)strcspn(word, "="), word);
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    const char *nearest = cfg_nearest(name, len);
    if (nearest != NULL)
        return cfg_fail(error, "unknown flag --%.*s; did you mean --%s?", (int)len, name, nearest);
    return cfg_fail(error, "unknown flag --%.*s; domaind --help lists the flags", (int)len, name);
}

static void take(struct cfg_args *args, int option, const char *text)
{
    if (option >= CFG_COUNT)
        args->action = (enum cfg_action)(option - CFG_COUNT + 1);
    else
        args->assignments[args->count++] = (struct cfg_assignment){
            .id = (enum cfg_id)option,
            .text = text != NULL ? text : "on",
        };
}

int cfg_args_parse(struct cfg_args *args, int argc, char **argv, struct cfg_error *error)
{
    struct option options[OPTION_COUNT + 1];
    fill_options(options);
    *args = (struct cfg_args){.action = CFG_RUN};
    error->source = CFG_FROM_FLAG;
    args->assignments = calloc((size_t)argc + 1, sizeof *args->assignments);
    if (args->assignments == NULL)
        return -ENOMEM;
    opterr = 0;
    optind = 0; /* glibc: start over, for callers that parse twice */
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int got = getopt_long(argc, argv, "+:hV", options, NULL);
        if (got == -1)
            break;
        if (got == ':')
            return cfg_fail(error, "%s needs a value", argv[at]);
        if (got == '?')
            return fail_unknown(error, argv[at], optopt);
        if (got == 'h' || got == 'V')
            got = OPTION_BASE + CFG_COUNT - 1 + (got == 'h' ? CFG_HELP : CFG_SHOW_VERSION);
        take(args, got - OPTION_BASE, optarg);
    }
    if (optind < argc)
        return cfg_fail(error, "unexpected argument '%s'; parameters are flags: --name=value",
                        argv[optind]);
    return 0;
}

void cfg_args_fini(struct cfg_args *args)
{
    free(args->assignments);
    *args = (struct cfg_args){0};
}

int cfg_args_apply(const struct cfg_args *args, struct config *cfg, struct cfg_error *error)
{
    error->source = CFG_FROM_FLAG;
    for (size_t i = 0; i < args->count; i++) {
        const struct cfg_assignment *a = &args->assignments[i];
        struct cfg_error why;
        int rv = cfg_set(cfg, a->id, a->text, (struct cfg_origin){.source = CFG_FROM_FLAG}, &why);
        if (rv == -EINVAL)
            return cfg_fail(error, "--%s=%.100s: %.300s", cfg_params[a->id].name, a->text,
                            why.text);
        if (rv < 0)
            return rv;
    }
    return 0;
}

#define HELP_COLUMN 30
#define HELP_WIDTH  100

/* Words of text, wrapped; the first line continues at column `at`. */
static void print_wrapped(FILE *out, const char *text, size_t at)
{
    for (bool is_first = true; *text != '\0'; is_first = false) {
        size_t word = strcspn(text, " ");
        if (at + word > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (!is_first) {
            fputc(' ', out);
        }
        fprintf(out, "%.*s", (int)word, text);
        at += word + 1;
        text += word;
        text += strspn(text, " ");
    }
}

static void print_param(FILE *out, const struct cfg_param *param)
{
    char head[120];
    int len = snprintf(head, sizeof head, "  --%s=%s", param->name, param->value);
    if (len >= HELP_COLUMN - 1)
        fprintf(out, "%s\n%*s", head, HELP_COLUMN, "");
    else
        fprintf(out, "%-*s", HELP_COLUMN, head);
    char text[600];
    snprintf(text, sizeof text, "%s (default: %s)", param->help,
             *param->default_text != '\0' ? param->default_text : "none");
    print_wrapped(out, text, HELP_COLUMN);
    fputc('\n', out);
}

void cfg_print_help(FILE *out)
{
    fputs("usage: domaind [--NAME=VALUE...]\n\n"
          "Answers HTTP requests for the domain of a URL: /domain?url=U.\n",
          out);
    const char *section = "";
    for (int id = 0; id < CFG_COUNT; id++) {
        if (strcmp(section, cfg_params[id].section) != 0) {
            section = cfg_params[id].section;
            fprintf(out, "\n%s:\n", cfg_section_title(section));
        }
        print_param(out, &cfg_params[id]);
    }
    fputs("\nInstead of serving:\n", out);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        fprintf(out, "  --%-*s", HELP_COLUMN - 4, actions[i].name);
        print_wrapped(out, actions[i].help, HELP_COLUMN);
        fputc('\n', out);
    }
}

enum { VALUE_COLUMNS = 48 };

/* In lines that a file may have: a long list is split, and a long origin is left out
 * of the line that it would make too long. */
static void print_value(const char *name, char *value, bool is_list, const char *where, FILE *out)
{
    char line[4400];
    int n = snprintf(line, sizeof line, "%s = %s", name, value);
    char *comma = is_list && n > CFG_LINE_MAX_BYTES ? strchr(value, ',') : NULL;
    if (comma != NULL) {
        fprintf(out, "; %s\n", where);
        for (char *at = value, *item; (item = strsep(&at, ",")) != NULL;)
            fprintf(out, "%s = %s\n", name, item);
    } else if ((n > VALUE_COLUMNS ? n : VALUE_COLUMNS) + 3 + (int)strlen(where) >
               CFG_LINE_MAX_BYTES) {
        fprintf(out, "; %s\n%s\n", where, line);
    } else {
        fprintf(out, "%-*s ; %s\n", VALUE_COLUMNS, line, where);
    }
}

void cfg_print(const struct config *cfg, FILE *out)
{
    const char *section = "";
    for (int id = 0; id < CFG_COUNT; id++) {
        char value[4200], where[CFG_ORIGIN_BYTES];
        if (strcmp(section, cfg_params[id].section) != 0) {
            fprintf(out, "%s[%s]\n", *section != '\0' ? "\n" : "", cfg_params[id].section);
            section = cfg_params[id].section;
        }
        cfg_format(cfg, (enum cfg_id)id, value, sizeof value);
        bool is_list = cfg_params[id].type == CFG_LIST;
        /* its own file cannot name itself */
        print_value(id == CFG_config ? "# config" : cfg_params[id].name, value, is_list,
                    cfg_where(cfg, (enum cfg_id)id, where), out);
    }
}
