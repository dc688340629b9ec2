/* server/config/docs_main.c - a program of the build: prints what is made from the
 * table of parameters besides the server's own --help.
 *
 *   config_docs conf   the sample file (conf/domaind.conf)
 *   config_docs man    domaind(8)
 *   config_docs bash   completions, for each shell
 *   config_docs zsh
 *   config_docs fish */
#include <stdlib.h>
#include <string.h>

#include "server/config/config.h"

#define COMMENT_WIDTH 90

static const struct {
    const char *name;
    const char *help;
} actions[] = {
#define CFG_ACTION(NAME, name, help) {name, help},
#include "server/config/action.def"
#undef CFG_ACTION
};

/* Calls fn for each section, then for each of its parameters, in order. */
static void walk(void (*on_section)(const char *name, const char *title),
                 void (*on_param)(const struct cfg_param *param))
{
    const char *section = "";
    for (int id = 0; id < CFG_COUNT; id++) {
        if (strcmp(section, cfg_params[id].section) != 0) {
            section = cfg_params[id].section;
            on_section(section, cfg_section_title(section));
        }
        on_param(&cfg_params[id]);
    }
}

/* ---- the sample file ---- */

static void print_comment(const char *text)
{
    size_t at = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (at == 0 || at + word + 1 > COMMENT_WIDTH) {
            fputs(at == 0 ? "#" : "\n#", stdout);
            at = 1;
        }
        printf(" %.*s", (int)word, text);
        at += word + 1;
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void conf_section(const char *name, const char *title)
{
    printf("\n# ---- %s ----\n[%s]\n", title, name);
}

static void conf_param(const struct cfg_param *param)
{
    if (strcmp(param->name, "config") == 0)
        return; /* a file cannot name itself */
    putchar('\n');
    print_comment(param->help);
    if (param->type == CFG_ENUM)
        printf("# one of %s\n", param->value);
    if (!param->is_live)
        puts("# (needs a restart)");
    printf("#%s =%s%s\n", param->name, *param->default_text != '\0' ? " " : "",
           param->default_text);
}

static void print_conf(void)
{
    puts("# domaind.conf: every parameter with its default.  The environment\n"
         "# (DOMAIND_BODY_MAX=2M) and the flags (--body-max=2M) override what stands here;\n"
         "# domaind --config=FILE --check says whether it is right.  HUP has a running server\n"
         "# read it again; what needs a restart changes at the next start only.");
    walk(conf_section, conf_param);
}

/* ---- domaind(8) ---- */

/* Text for troff: a minus that can be searched for, no line that begins with a dot. */
static void print_roff(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-')
            putchar('\\');
        if (*text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void man_section(const char *name, const char *title)
{
    (void)name;
    printf(".SS %s\n", title);
}

static void man_param(const struct cfg_param *param)
{
    fputs(".TP\n.BI ", stdout);
    print_roff("--");
    print_roff(param->name);
    printf("= \"%s\"\n", param->value);
    print_roff(param->help);
    fputs(".\nDefault: ", stdout);
    print_roff(*param->default_text != '\0' ? param->default_text : "none");
    puts(param->is_live ? ".  A reload changes it." : ".");
}

static void print_man(void)
{
    printf(".TH DOMAIND 8 \"November 22, 2026\" \"domaind %s\" \"System administration\"\n",
           DOMAIND_VERSION);
    puts(".SH NAME\ndomaind \\- the domain of a URL, over HTTP\n"
         ".SH SYNOPSIS\n.B domaind\n[\\fB\\-\\-\\fINAME\\fR=\\fIVALUE\\fR...]\n"
         ".SH DESCRIPTION\nAnswers\n.B GET /domain?url=U\nwith the domain of the URL, as JSON or "
         "text, one connection to a task, a thread or a process.\nParameters come from the file "
         "that\n.B \\-\\-config\nnames, then from the environment (\\fBDOMAIND_BODY_MAX\\fR is "
         "\\fBbody\\-max\\fR), then from the flags; the later override.\n.SH PARAMETERS");
    walk(man_section, man_param);
    puts(".SH INSTEAD OF SERVING");
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        fputs(".TP\n.B ", stdout);
        print_roff("--");
        print_roff(actions[i].name);
        putchar('\n');
        print_roff(actions[i].help);
        putchar('\n');
    }
    puts(".SH SIGNALS\n"
         ".TP\n.B TERM, INT\nDrain: /readyz says 503, after drain\\-delay nobody new is accepted, "
         "what is in flight is answered, then the end.  The second one ends at once.\n"
         ".TP\n.B HUP\nLoad the configuration and the suffix list again.  A configuration that "
         "is wrong is reported and changes nothing.\n"
         ".TP\n.B USR1\nOpen the access log again.\n"
         ".TP\n.B QUIT\nReport every task on standard error (coroutine mode).\n"
         ".PP\nSignals that come while it starts are obeyed when it is ready.\n"
         ".SH SYSTEMD\nSockets handed over (\\fBLISTEN_FDS\\fR) are used instead of "
         "\\fB\\-\\-listen\\fR; they stay open when the server ends, so the next one answers "
         "what came meanwhile.  Readiness, reloads, the end and the watchdog are told to "
         "\\fBNOTIFY_SOCKET\\fR.\n"
         ".SH FILES\n.TP\n.I /usr/share/publicsuffix/public_suffix_list.dat\nthe Public Suffix "
         "List, when \\fB\\-\\-suffix\\-list\\fR names no other\n"
         ".TP\n.I /var/lib/domaind/public_suffix_list.dat\nthe same, as domainc psl update "
         "fetched it: taken when it is the newer of the two\n"
         ".SH EXIT STATUS\n.TP\n.B 0\nended as asked\n.TP\n.B 1\ncould not start, or lost its "
         "workers\n.TP\n.B 2\nwrong flags\n.TP\n.B 78\nwrong configuration file, environment or "
         "suffix list\n.TP\n.B 130\nended by INT\n"
         ".SH EXAMPLES\n.nf\ndomaind \\-\\-config=/etc/domaind.conf \\-\\-check\n"
         "domaind \\-\\-listen=unix:/run/domaind/socket \\-\\-mode=thread\n"
         "curl \\(aqlocalhost:8080/domain?url=https://www.example.com/\\(aq\n"
         "curl localhost:8080/profile\n.fi\n"
         ".SH SEE ALSO\n.BR domainc (1),\n.BR loadgen (1),\n.BR systemd.socket (5)");
}

/* ---- completions ---- */

static void no_section(const char *name, const char *title)
{
    (void)name, (void)title;
}

static void bash_param(const struct cfg_param *param)
{
    printf(" --%s=", param->name);
}

static void bash_values(const struct cfg_param *param)
{
    if (param->type != CFG_ENUM && param->type != CFG_BOOL)
        return;
    printf("    --%s) COMPREPLY=($(compgen -W '", param->name);
    for (const char *at = param->value; *at != '\0'; at++)
        putchar(*at == '|' ? ' ' : *at);
    puts("' -- \"$word\")); return ;;");
}

static void print_bash(void)
{
    puts("# bash completion for domaind\n_domaind() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    [ \"$word\" = = ] && word=\n"
         "    [ \"$flag\" = = ] && flag=${COMP_WORDS[COMP_CWORD-2]}\n"
         "    case $flag in");
    walk(no_section, bash_values);
    puts("    --config|--suffix-list|--access-log|--pid-file) COMPREPLY=($(compgen -f -- "
         "\"$word\")); "
         "return ;;\n    --user) COMPREPLY=($(compgen -u -- \"$word\")); return ;;\n    esac");
    fputs("    COMPREPLY=($(compgen -W '", stdout);
    walk(no_section, bash_param);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        printf(" --%s", actions[i].name);
    puts("' -- \"$word\"))\n    [[ ${COMPREPLY[0]-} = *= ]] && compopt -o nospace\n}\n"
         "complete -F _domaind domaind");
}

/* Without what a shell would read as its own inside single quotes and brackets. */
static void print_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (strchr("'[]:\\", *text) == NULL)
            putchar(*text);
        else if (*text == ':')
            putchar(';');
}

static void zsh_param(const struct cfg_param *param)
{
    printf("    '--%s=[", param->name);
    print_plain(param->help);
    printf("]:%s:", param->name);
    if (param->type == CFG_ENUM || param->type == CFG_BOOL) {
        putchar('(');
        for (const char *at = param->value; *at != '\0'; at++)
            putchar(*at == '|' ? ' ' : *at);
        putchar(')');
    } else if (strcmp(param->value, "FILE") == 0) {
        fputs("_files", stdout);
    } else if (strcmp(param->name, "user") == 0) {
        fputs("_users", stdout);
    }
    puts("' \\");
}

static void print_zsh(void)
{
    puts("#compdef domaind\n_arguments \\");
    walk(no_section, zsh_param);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        printf("    '--%s[", actions[i].name);
        print_plain(actions[i].help);
        puts(i + 1 < ARRAY_LEN(actions) ? "]' \\" : "]'");
    }
}

/* Inside fish's single quotes. */
static void print_quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void fish_param(const struct cfg_param *param)
{
    bool is_file = strcmp(param->value, "FILE") == 0;
    printf("complete -c domaind -l %s -%s -d '", param->name, is_file ? "r -F" : "x");
    print_quoted(param->help);
    putchar('\'');
    if (param->type == CFG_ENUM || param->type == CFG_BOOL) {
        fputs(" -a '", stdout);
        for (const char *at = param->value; *at != '\0'; at++)
            putchar(*at == '|' ? ' ' : *at);
        putchar('\'');
    } else if (strcmp(param->name, "user") == 0) {
        fputs(" -a '(__fish_complete_users)'", stdout);
    }
    putchar('\n');
}

static void print_fish(void)
{
    walk(no_section, fish_param);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        printf("complete -c domaind -l %s -f -d '", actions[i].name);
        print_quoted(actions[i].help);
        puts("'");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } kinds[] = {{"conf", print_conf},
                 {"man", print_man},
                 {"bash", print_bash},
                 {"zsh", print_zsh},
                 {"fish", print_fish}};
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        kinds[i].print();
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    fputs("usage: config_docs conf|man|bash|zsh|fish\n", stderr);
    return 2;
}
