# The program fade: the objects of cli/, and the libraries.

# The files of the pages that it makes for a browser are part of it (cli/page/page.h).
file(GLOB files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/cli cli/*/*.html cli/*/*.css cli/*/*.js)
set(FADE_EMBEDDED_FILES "")
foreach(name IN LISTS files)
  file(READ cli/${name} text)
  string(APPEND FADE_EMBEDDED_FILES "    {\"${name}\", R\"embedded(${text})embedded\"},\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS cli/${name})
endforeach()
file(CONFIGURE OUTPUT embedded_files.cpp @ONLY CONTENT [[
#include "cli/page/page.h"
static constexpr fade::EmbeddedFile kFiles[] = {
@FADE_EMBEDDED_FILES@};
const std::span<const fade::EmbeddedFile> fade::kEmbeddedFiles{kFiles};
]])
target_sources(fade_cli_objects PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cpp)

# fade --version. A commit compiles one small file again, and the same commit gives the same program.
set(FADE_COMMIT "")
if(EXISTS ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
  execute_process(COMMAND git rev-parse --short=10 HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE FADE_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS .git/logs/HEAD)
endif()
file(CONFIGURE OUTPUT version.cpp @ONLY CONTENT [[
#include "cli/version.h"
const char* const fade::kVersion = "@PROJECT_VERSION@";
const char* const fade::kCommit = "@FADE_COMMIT@";
const char* const fade::kBuildType = "@CMAKE_BUILD_TYPE@";
]])
target_sources(fade_cli_objects PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/version.cpp)

target_compile_options(fade_cli_objects PRIVATE ${FADE_COLD_CODE_OPTIONS})
add_executable(fade cli/main.cpp)
target_link_libraries(fade PRIVATE fade_cli_objects fade_train)
file(RELATIVE_PATH to_libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
target_link_options(fade PRIVATE -Wl,--disable-new-dtags)  # for the libraries of its libraries, too
set_target_properties(fade PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}"
                      BUILD_RPATH "$ORIGIN/lib")  # in a bundle (scripts/gpu_bundle.sh), libraries are there
