domaind_test(prof_tree DEPS prof)
domaind_test(prof_worker DEPS prof)
domaind_test(prof_snapshot DEPS prof)
