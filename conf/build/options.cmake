# What a build may choose, and the flags every target gets.
option(BUILD_TESTING "Build the tests" ON)
option(DOMAIND_WERROR "Treat warnings as errors" OFF)
option(DOMAIND_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(DOMAIND_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined | thread | empty")
set(CO_SWITCH fast CACHE STRING "How tasks switch: fast | setjmp | ucontext (coro/switch.h)")
set_property(CACHE CO_SWITCH PROPERTY STRINGS fast setjmp ucontext)

set(DOMAIND_TRAINING "" CACHE STRING "Profile-guided optimisation (GCC): record | apply | empty (./dev train)")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

file(RELATIVE_PATH source_from_build ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_library(domaind_flags INTERFACE)
target_include_directories(domaind_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_definitions(domaind_flags INTERFACE _GNU_SOURCE DOMAIND_VERSION="${PROJECT_VERSION}")
target_compile_options(domaind_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
        -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Wformat=2>
    # __FILE__ is the path inside the project, in call-tables and in every checkout;
    # the second form is what a compiler cache makes of the first.
    -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= -fmacro-prefix-map=${source_from_build}=
    # Frame pointers: backtraces of parked tasks are walked from saved registers.
    -fno-omit-frame-pointer
    # A task's stack ends in a guard; probing makes large frames hit it (CVE-2017-1000364).
    $<$<COMPILE_LANGUAGE:C>:-fstack-clash-protection>)
# What is not small and of known size, the C library copies and clears sooner than an
# inlined "rep movs" or "rep stos" has begun.
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(by_library -mmemcpy-strategy=libcall:-1:noalign -mmemset-strategy=libcall:-1:noalign)
    target_compile_options(domaind_flags INTERFACE $<$<AND:$<COMPILE_LANGUAGE:C>,$<NOT:$<CONFIG:Debug>>>:${by_library}>)
    target_link_options(domaind_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:${by_library}>)
endif()
# Not where functions edited since the training are told of as "missing counts".
if(DOMAIND_WERROR AND NOT DOMAIND_TRAINING STREQUAL apply)
    target_compile_options(domaind_flags INTERFACE -Werror)
endif()
if(DOMAIND_SANITIZE)
    target_compile_options(domaind_flags INTERFACE -fsanitize=${DOMAIND_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(domaind_flags INTERFACE -fsanitize=${DOMAIND_SANITIZE})
endif()
# A recording program writes how often each branch was taken beside its objects when it
# ends, where the compiler finds it when the same build is made anew.  What has changed
# since, or never ran, is compiled as without.
if(DOMAIND_TRAINING STREQUAL record)
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-fprofile-generate> $<$<COMPILE_LANGUAGE:C>:-fprofile-update=prefer-atomic>)
    add_link_options(-fprofile-generate)
elseif(DOMAIND_TRAINING STREQUAL apply)
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-fprofile-use> $<$<COMPILE_LANGUAGE:C>:-fprofile-partial-training>
        -Wno-missing-profile -Wno-coverage-mismatch)
    add_link_options(-fprofile-use -fprofile-partial-training -Wno-missing-profile -Wno-coverage-mismatch)
endif()
if(DOMAIND_FUZZ)
    target_compile_options(domaind_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
