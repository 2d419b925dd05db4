# Device cuda: FADE_CUDA decides whether nvcc, the C++ compiler (emulate) or nothing compiles the .cu files.
#   fade_cuda_sources(VAR FOLDER)   sets VAR to the sources of device cuda in FOLDER and below
#   fade_link_cuda(TARGET)          adds their options and libraries to the interface of TARGET

if(FADE_CUDA STREQUAL auto)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(FADE_CUDA_IS on)
  else()
    set(FADE_CUDA_IS off)
  endif()
elseif(FADE_CUDA MATCHES "^(on|off|emulate)$")
  set(FADE_CUDA_IS ${FADE_CUDA})
elseif(FADE_CUDA MATCHES "^(ON|OFF)$")
  string(TOLOWER ${FADE_CUDA} FADE_CUDA_IS)
else()
  message(FATAL_ERROR "FADE_CUDA: found ${FADE_CUDA}, allowed: on, off, auto, emulate")
endif()
message(STATUS "device cuda: ${FADE_CUDA_IS}")

if(FADE_CUDA_IS STREQUAL on)
  # Code for the GPU of this machine. Without a GPU: for compute capabilities 8.0 and 9.0, with PTX for later ones.
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE found RESULT_VARIABLE failed ERROR_QUIET)
    string(REGEX MATCHALL "[0-9]+\\.[0-9]+" found "${found}")
    string(REPLACE "." "" found "${found}")
    list(REMOVE_DUPLICATES found)
    if(failed EQUAL 0 AND found)
      set(CMAKE_CUDA_ARCHITECTURES ${found})
    else()
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
    endif()
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 20)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # unknown to CMake before 3.26
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  find_package(CUDAToolkit REQUIRED)
elseif(FADE_CUDA_IS STREQUAL emulate)
  find_package(Boost REQUIRED COMPONENTS context)
  # OpenBLAS replaces cuBLAS: the build without threads of its own.
  find_library(FADE_OPENBLAS NAMES openblas PATH_SUFFIXES openblas-serial REQUIRED)
  find_path(FADE_OPENBLAS_INCLUDE NAMES cblas.h PATH_SUFFIXES openblas-serial REQUIRED)
endif()

function(fade_cuda_sources result folder)
  set(sources)
  if(NOT FADE_CUDA_IS STREQUAL off)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cu)
  endif()
  if(FADE_CUDA_IS STREQUAL emulate)
    list(FILTER sources EXCLUDE REGEX "/engine/cuda/(device|blas)\\.cu$")  # replaced by files in emulate/
    set_source_files_properties(${sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS -Wno-unknown-pragmas)  # such as unroll
    file(GLOB emulator CONFIGURE_DEPENDS ${folder}/cuda/emulate/*.cpp)
    list(APPEND sources ${emulator})
    # Only for these files: the others compile as in the other presets, so that a compiler cache finds them.
    set_source_files_properties(${sources} PROPERTIES COMPILE_DEFINITIONS FADE_EMULATE)
  endif()
  set(${result} ${sources} PARENT_SCOPE)
endfunction()

function(fade_link_cuda target)
  if(FADE_CUDA_IS STREQUAL on)
    # FMT_USE_CONSTEXPR: fmt 9 assumes that nvcc has no constexpr.
    target_compile_options(${target} INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;--extended-lambda;-Werror=all-warnings;-Xcompiler=-Wall,-Wextra,-Wshadow,-Werror,-fno-math-errno,-fno-trapping-math;-DFMT_USE_CONSTEXPR=1>")
    target_link_libraries(${target} INTERFACE CUDA::cudart_static CUDA::cublas)
  elseif(FADE_CUDA_IS STREQUAL emulate)
    target_link_libraries(${target} INTERFACE $<LINK_ONLY:Boost::context> ${FADE_OPENBLAS})
    target_include_directories(${target} SYSTEM INTERFACE ${FADE_OPENBLAS_INCLUDE})
  endif()
endfunction()
