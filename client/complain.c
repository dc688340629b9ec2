#include <stdarg.h>
#include <stdio.h>

#include "client/command.h"

static const char *complain_as = "domainc";

void cl_complain_as(const char *name)
{
    complain_as = name;
}

void cl_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", complain_as);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}
