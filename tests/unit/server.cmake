domaind_test(config DEPS config)
domaind_test(metrics DEPS metrics)
domaind_test(workload DEPS endpoint)
domaind_test(endpoint_domain DEPS endpoint http domain)
