domaind_test(stats DEPS loadgen_lib)
