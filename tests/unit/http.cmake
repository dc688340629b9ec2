domaind_test(session DEPS http PkgConfig::ZLIB)
target_compile_definitions(test_session PRIVATE
    CONFORMANCE_FILE="${CMAKE_SOURCE_DIR}/tests/lib/conformance.txt")
domaind_test(server_io DEPS io)
domaind_test(address DEPS http)
domaind_test(admin DEPS endpoint)
domaind_test(overload DEPS http)
domaind_test(throttle DEPS http)
