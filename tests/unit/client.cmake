domaind_test(errors DEPS client)
domaind_test(request DEPS client)
