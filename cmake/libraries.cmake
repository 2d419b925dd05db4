# The libraries that programs link: fade::engine, fade::ops, fade::nn, fade::models and fade::train, one per layer, each with
# those left of it. Static, or shared with BUILD_SHARED_LIBS.

# Public headers, as programs include them: <fade/ops/softmax/softmax.h>. They are copies, in which includes begin with
# "fade/" too, so that no folder called engine/ or models/ comes into the search path of another project.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     engine/*.h ops/*.h nn/*.h models/*.h train/*.h)
include(cmake/public_headers.cmake)
fade_public_headers(FADE_PUBLIC_HEADERS ${headers})
set(FADE_INCLUDE ${PROJECT_BINARY_DIR}/include)
configure_file(cmake/build.h.in ${FADE_INCLUDE}/fade/build.h @ONLY)
list(TRANSFORM FADE_PUBLIC_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE header_files)
add_custom_command(OUTPUT ${FADE_INCLUDE}/fade/fade.h
                   COMMAND ${CMAKE_COMMAND} -DFROM=${PROJECT_SOURCE_DIR} -DTO=${FADE_INCLUDE}/fade "-DHEADERS=${FADE_PUBLIC_HEADERS}"
                           -P ${PROJECT_SOURCE_DIR}/cmake/copy_headers.cmake
                   DEPENDS ${header_files} cmake/copy_headers.cmake COMMENT "Copying public headers" VERBATIM)
add_custom_target(fade_headers DEPENDS ${FADE_INCLUDE}/fade/fade.h)

# fade_library(LAYER LIBRARIES..): LIBRARIES as in target_link_libraries
function(fade_library layer)
  set(objects $<TARGET_OBJECTS:fade_${layer}_objects>)
  if(BUILD_SHARED_LIBS)
    add_library(fade_${layer} SHARED ${objects})
  else()
    # One object in each archive. Kernels register themselves from static initialisers; of an archive of many objects, the
    # linker would take those that something names, and drop the kernels.
    set(object ${PROJECT_BINARY_DIR}/fade_${layer}.o)
    add_custom_command(OUTPUT ${object} COMMAND ${CMAKE_LINKER} -r -o ${object} ${objects}
                       DEPENDS fade_${layer}_objects ${objects} COMMENT "Joining the objects of fade::${layer}"
                       COMMAND_EXPAND_LISTS VERBATIM)
    add_library(fade_${layer} STATIC ${object})
  endif()
  add_library(fade::${layer} ALIAS fade_${layer})
  add_dependencies(fade_${layer} fade_headers)
  set_target_properties(fade_${layer} PROPERTIES EXPORT_NAME ${layer} LINKER_LANGUAGE CXX INSTALL_RPATH "$ORIGIN"
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(fade_${layer} PUBLIC cxx_std_20)
  target_include_directories(fade_${layer} INTERFACE $<BUILD_INTERFACE:${FADE_INCLUDE}>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(fade_${layer} ${ARGN})
endfunction()

fade_library(engine PUBLIC fmt::fmt PRIVATE Threads::Threads fade::xxhash fade::hwy ${FADE_CUDA_LIBRARIES} ${FADE_MPI_LIBRARIES}
             ${CMAKE_DL_LIBS})
fade_library(ops PUBLIC fade_engine PRIVATE fade::hwy ${FADE_CUDART})
fade_library(nn PUBLIC fade_ops PRIVATE fade::hwy ${FADE_CUDART})
fade_library(models PUBLIC fade_nn)
fade_library(train PUBLIC fade_models PRIVATE yaml-cpp fade::xxhash)
