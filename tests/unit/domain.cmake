domaind_test(url DEPS domain)
