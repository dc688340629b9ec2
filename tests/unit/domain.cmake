domaind_test(url DEPS domain)
domaind_test(domain_format DEPS domain)
domaind_test(conformance DEPS domain PkgConfig::LIBPSL)
domaind_test(engine DEPS domain)
