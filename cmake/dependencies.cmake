# The libraries that fade's libraries use. A program that links them statically needs these, too: the installed package
# includes this file (fadeConfig.cmake.in).
#   fade_find_dependencies(CUDA MPI NCCL)   CUDA: on, off or emulate; MPI, NCCL: on or off. Sets fade_missing to what is not
#                                           installed, as Debian's packages

# fade_find_library(TARGET NAME PACKAGE [SUFFIXES..]): an imported target for a library without a CMake package of its own.
macro(fade_find_library target name package)
  find_library(FADE_LIBRARY_${name} NAMES ${name} PATH_SUFFIXES ${ARGN})
  mark_as_advanced(FADE_LIBRARY_${name})
  if(NOT FADE_LIBRARY_${name})
    list(APPEND fade_missing ${package})
  elseif(NOT TARGET ${target})
    add_library(${target} UNKNOWN IMPORTED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${FADE_LIBRARY_${name}})
  endif()
endmacro()

# fade_find_package(NAME PACKAGE [COMPONENTS..])
macro(fade_find_package name package)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    list(APPEND fade_missing ${package})
  endif()
endmacro()

macro(fade_find_dependencies cuda mpi nccl)
  set(fade_missing)
  fade_find_package(Threads libc6-dev)
  fade_find_package(fmt libfmt-dev)
  fade_find_package(yaml-cpp libyaml-cpp-dev)
  fade_find_library(fade::xxhash xxhash libxxhash-dev)
  fade_find_library(fade::hwy hwy libhwy-dev)
  if("${mpi}" STREQUAL on)
    fade_find_package(MPI libopenmpi-dev COMPONENTS CXX)
  endif()
  if("${cuda}" STREQUAL on)
    fade_find_package(CUDAToolkit "the CUDA Toolkit")
    if("${nccl}" STREQUAL on)
      fade_find_library(fade::nccl nccl libnccl-dev HINTS ${CUDAToolkit_LIBRARY_DIR})
    endif()
  elseif("${cuda}" STREQUAL emulate)
    fade_find_package(Boost libboost-context-dev COMPONENTS context)
    # OpenBLAS replaces cuBLAS: the build without threads of its own.
    fade_find_library(fade::openblas openblas libopenblas-serial-dev openblas-serial)
  endif()
endmacro()
