# domaind_library(NAME [SOURCES file...] [DEPS target...])
#   The static library of one folder; DEPS are the folders its arrows allow,
#   and third-party targets.
function(domaind_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC domaind_flags ${arg_DEPS})
endfunction()

# domaind_program(NAME [SOURCES file...] [DEPS target...])
function(domaind_program name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE domaind_flags ${arg_DEPS})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# domaind_test(NAME [ONE_THREAD] [SOURCES file...] [DEPS target...] [TIMEOUT seconds])
#   A unit test: tests/unit/test_NAME.c, a Check program that links only DEPS.
#   Its name in ctest begins with ${test_prefix}, which says the build.
#   ONE_THREAD: it never starts a second thread, so ThreadSanitizer could see nothing:
#   in that build it is neither built by default nor run.
function(domaind_test name)
    cmake_parse_arguments(arg "ONE_THREAD" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 600)
    endif()
    set(skipped "")
    if(arg_ONE_THREAD AND DOMAIND_SANITIZE MATCHES thread)
        set(skipped EXCLUDE_FROM_ALL)
    endif()
    add_executable(test_${name} ${skipped} ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c ${arg_SOURCES})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE domaind_flags testlib ${arg_DEPS} PkgConfig::CHECK)
    if(skipped)
        return()
    endif()
    add_test(NAME ${test_prefix}unit.${name} COMMAND test_${name})
    # Check's own timeouts exist only in fork mode; ctest's is the backstop.
    set_tests_properties(${test_prefix}unit.${name} PROPERTIES LABELS unit TIMEOUT ${arg_TIMEOUT})
    if(DOMAIND_SANITIZE)
        set_tests_properties(${test_prefix}unit.${name} PROPERTIES ENVIRONMENT
            "CK_FORK=no;ASAN_OPTIONS=detect_stack_use_after_return=0:handle_segv=0;TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/conf/build/tsan.supp:history_size=4:handle_segv=0;UBSAN_OPTIONS=print_stacktrace=1")
    endif()
endfunction()
