# How kernels for device cuda are compiled, in fade and (this file is installed) in programs that use it:
#   fade_add_kernels(TARGET FILES...)   adds .cu files to TARGET
# FADE_CUDA_IS, of this fade: on, nvcc compiles them; emulate, the C++ compiler does; off, they are left out.
# FADE_RACECHECK, of this fade: the emulated device checks each access to memory (engine/cuda/emulate/races.h).

set(FADE_NVCC_OPTIONS --expt-relaxed-constexpr --extended-lambda)
set(FADE_NVCC_DEFINITIONS -DFMT_USE_CONSTEXPR=1)  # fmt 9 assumes that nvcc has no constexpr
# For nvcc, CMake before 3.26 does not know C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()

# The compiler calls race_calls.cpp, in the place of ThreadSanitizer's library. (-O1: its calls take most of the time, and -O3
# takes more than twice as long to compile.)
set(FADE_RACECHECK_OPTIONS)
if(FADE_RACECHECK)
  set(FADE_RACECHECK_OPTIONS -O1 -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 -g1
      -fdebug-prefix-map=${PROJECT_BINARY_DIR}= -fdebug-prefix-map=${PROJECT_SOURCE_DIR}=)  # the last one that fits counts
endif()

# fade_emulate(FILES..): the C++ compiler compiles them, for the emulated device.
function(fade_emulate)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX COMPILE_DEFINITIONS FADE_EMULATE
                              COMPILE_OPTIONS "-Wno-unknown-pragmas;${FADE_RACECHECK_OPTIONS}")  # such as unroll
endfunction()

function(fade_add_kernels target)
  if(FADE_CUDA_IS STREQUAL off)
    return()
  elseif(FADE_CUDA_IS STREQUAL emulate)
    fade_emulate(${ARGN})
  elseif(NOT CMAKE_CUDA_COMPILER)
    message(FATAL_ERROR "fade_add_kernels(${target}): the project's languages lack CUDA, and this fade has device cuda "
                        "(before it, say: enable_language(CUDA))")
  else()
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${FADE_NVCC_OPTIONS};${FADE_NVCC_DEFINITIONS}>")
    set_target_properties(${target} PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON)
  endif()
  target_sources(${target} PRIVATE ${ARGN})
endfunction()
