domaind_test(plan DEPS loadgen_lib)
domaind_test(record DEPS loadgen_lib)
domaind_test(stats DEPS loadgen_lib)
