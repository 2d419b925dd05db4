# Several ranks (engine/ranks): FADE_MPI decides whether Open MPI connects them. FADE_MPI_IS is on or off.

set(MPI_CXX_SKIP_MPICXX ON)  # the functions of C only
string(TOLOWER "${FADE_MPI}" FADE_MPI_IS)
if(NOT FADE_MPI_IS MATCHES "^(on|off|auto)$")
  message(FATAL_ERROR "FADE_MPI: found ${FADE_MPI}, allowed: on, off, auto")
endif()
if(FADE_MPI_IS STREQUAL auto)
  find_package(MPI QUIET COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(FADE_MPI_IS on)
  else()
    set(FADE_MPI_IS off)
  endif()
endif()
message(STATUS "several ranks (MPI): ${FADE_MPI_IS}")

set(FADE_MPI_LIBRARIES)
set(fade_no_mpi "|/ranks/mpi\\.cpp$")  # for the sources of a layer
if(FADE_MPI_IS STREQUAL on)
  set(FADE_MPI_LIBRARIES MPI::MPI_CXX)
  set(fade_no_mpi)
endif()
