# How everything in this tree is compiled: as interface targets, so that no flag is global and none is installed.

# Language, warnings and build id, for each library and program of ours.
add_library(ppmpi_build INTERFACE)
target_compile_options(ppmpi_build INTERFACE
    -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef
    $<$<BOOL:${PPMPI_WERROR}>:-Werror>)
# Tasks are found in other processes by the build id of their module; not every toolchain makes one unasked.
target_link_options(ppmpi_build INTERFACE LINKER:--build-id)

if(PPMPI_SANITIZE)
    target_compile_options(ppmpi_build INTERFACE -O1 -fno-omit-frame-pointer -fsanitize=${PPMPI_SANITIZE})
    target_link_options(ppmpi_build INTERFACE -fsanitize=${PPMPI_SANITIZE})
    if(PPMPI_SANITIZE MATCHES "undefined")
        target_compile_options(ppmpi_build INTERFACE -fno-sanitize-recover=undefined)
    endif()
endif()
if(PPMPI_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "PPMPI_FUZZ needs clang, but the C compiler is ${CMAKE_C_COMPILER_ID}")
    endif()
    target_compile_options(ppmpi_build INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(ppmpi_target_c11 target)
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:ppmpi_build>)
endfunction()
