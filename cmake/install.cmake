# cmake --install: the libraries with their public headers and a package for find_package and pkg-config; the program. And
# the Debian package that cpack makes of them. docs/library.md is the manual.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fade)

install(TARGETS fade_engine fade_ops fade_nn fade_models fade_train EXPORT fadeTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries NAMELINK_COMPONENT libraries)
install(DIRECTORY ${FADE_INCLUDE}/fade DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT libraries)
install(EXPORT fadeTargets NAMESPACE fade:: DESTINATION ${package} COMPONENT libraries)
configure_package_config_file(cmake/fadeConfig.cmake.in ${PROJECT_BINARY_DIR}/package/fadeConfig.cmake
                              INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/fadeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/fadeConfig.cmake ${PROJECT_BINARY_DIR}/package/fadeConfigVersion.cmake
              cmake/dependencies.cmake cmake/kernels.cmake DESTINATION ${package} COMPONENT libraries)

# pkg-config. What static libraries need stands in the same lines, so that pkg-config needs no --static.
file(RELATIVE_PATH FADE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" FADE_PC_PREFIX "${FADE_PC_PREFIX}")
set(FADE_PC_REQUIRES fmt)
set(FADE_PC_LIBS)
if(NOT BUILD_SHARED_LIBS)
  set(FADE_PC_REQUIRES "fmt, yaml-cpp, libhwy, libxxhash")
  set(FADE_PC_LIBS "-pthread -ldl")
  if(FADE_MPI_IS STREQUAL on)
    string(APPEND FADE_PC_REQUIRES ", ompi-c")
  endif()
  if(FADE_CUDA_IS STREQUAL on)
    string(APPEND FADE_PC_LIBS " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lcublas -lcublasLt -lrt")
    if(FADE_NCCL_IS STREQUAL on)
      string(APPEND FADE_PC_LIBS " ${FADE_LIBRARY_nccl}")
    endif()
  elseif(FADE_CUDA_IS STREQUAL emulate)
    string(APPEND FADE_PC_LIBS " -lboost_context ${FADE_LIBRARY_openblas}")
  endif()
endif()
configure_file(cmake/fade.pc.in ${PROJECT_BINARY_DIR}/package/fade.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/fade.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT libraries)

if(FADE_CLI)
  install(TARGETS fade RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
endif()

# The Debian package: cpack -G DEB, in the folder of the build.
if(PROJECT_IS_TOP_LEVEL AND FADE_CUDA_IS STREQUAL off)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_PACKAGE_CONTACT "the authors of fade <fade@localhost>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "autodiff engine and Expire-Span transformer: libraries, headers and program")
  set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Tensors, a tape and kernels in C++20, on them a transformer that learns what to forget,\n and the program fade, which trains it. This build is for CPUs, without device cuda.")
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION devel)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # what the program needs: dpkg-shlibdeps finds it
  set(CPACK_DEBIAN_PACKAGE_DEPENDS libfmt-dev)  # what programs need that are built with it
  if(NOT BUILD_SHARED_LIBS)
    string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", libyaml-cpp-dev, libhwy-dev, libxxhash-dev")
    if(FADE_MPI_IS STREQUAL on)
      string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", libopenmpi-dev")
    endif()
  endif()
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "g++, cmake, pkg-config")
  set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fade RENAME copyright COMPONENT program)
  include(CPack)
endif()
