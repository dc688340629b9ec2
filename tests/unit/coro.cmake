# The runtime, once more for each other way to switch: all pass the same tests.
get_target_property(coro_sources coro SOURCES)
list(TRANSFORM coro_sources PREPEND ${CMAKE_SOURCE_DIR}/coro/)
set(other_switches fast setjmp ucontext)
list(REMOVE_ITEM other_switches ${CO_SWITCH})
foreach(switch ${other_switches})
    domaind_library(coro_${switch} SOURCES ${coro_sources}
        DEPS base prof PkgConfig::CARES PkgConfig::LIBEVENT PkgConfig::LIBDW Threads::Threads)
    string(TOUPPER CO_SWITCH_${switch} define)
    target_compile_definitions(coro_${switch} PUBLIC ${define})
endforeach()

# coro_test(NAME): tests/unit/test_NAME.c for every way to switch.
function(coro_test name)
    domaind_test(${name} DEPS coro)
    get_test_property(${test_prefix}unit.${name} ENVIRONMENT environment)
    foreach(switch ${other_switches})
        add_executable(test_${name}_${switch} ${CMAKE_CURRENT_SOURCE_DIR}/test_${name}.c)
        set_target_properties(test_${name}_${switch} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        target_link_libraries(test_${name}_${switch} PRIVATE domaind_flags testlib
            coro_${switch} PkgConfig::CHECK)
        add_test(NAME ${test_prefix}unit.${name}_${switch} COMMAND test_${name}_${switch})
        set_tests_properties(${test_prefix}unit.${name}_${switch} PROPERTIES LABELS unit TIMEOUT 60)
        if(environment)
            set_tests_properties(${test_prefix}unit.${name}_${switch} PROPERTIES ENVIRONMENT "${environment}")
        endif()
    endforeach()
endfunction()

domaind_test(dns DEPS coro)
domaind_test(dns_cache DEPS coro)
domaind_test(resolve DEPS coro)
domaind_test(timer DEPS coro)
domaind_test(stack DEPS coro)
coro_test(chan)
coro_test(group)
coro_test(inspect)
coro_test(io)
coro_test(local)
coro_test(offload)
coro_test(post)
coro_test(queue)
coro_test(scenario)
coro_test(signal)
coro_test(switch)
coro_test(sync)
coro_test(task)
coro_test(trace)

# Faults: the runtime's calls go through the test.
domaind_test(fault DEPS coro)
foreach(call malloc calloc realloc aligned_alloc free mmap madvise mprotect mincore timerfd_create
        eventfd signalfd sigaltstack event_add event_base_new_with_config event_config_new
        pthread_create)
    target_link_options(test_fault PRIVATE -Wl,--wrap=${call})
endforeach()
