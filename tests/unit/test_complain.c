/* A complaint: on standard error, one line, with the name of who complains. */
#include "client/command.h"
#include "output_of.h"
#include "suite.h"

START_TEST(a_message_is_a_line_behind_the_name)
{
    struct output_of out, err;
    output_begin(&out, STDOUT_FILENO);
    output_begin(&err, STDERR_FILENO);
    cl_complain("%s:%d: %s", "a file", 7, "100% wrong");
    cl_complain_as("domainc psl");
    cl_complain("no format");
    output_end(&err);
    output_end(&out);
    ck_assert_str_eq(err.text, "domainc: a file:7: 100% wrong\ndomainc psl: no format\n");
    ck_assert_str_eq(out.text, "");
    output_free(&err);
    output_free(&out);
}
END_TEST

SUITE_MAIN("complain", SUITE_TEST(a_message_is_a_line_behind_the_name))
