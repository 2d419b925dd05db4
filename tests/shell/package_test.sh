#!/usr/bin/env bash
# fade as a library of other projects: installed, found with CMake and pkg-config, as a part of their source, as a Debian
# package; and what is said to those who use it wrongly. Needs $FADE, the program in the folder of a build.
#   package_test.sh [device]      device: only an operation with a kernel for device cuda
set -u
root=$PWD
. tests/shell/cli_support.sh
build=$(dirname "$fade")
option() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
if [ "$(option FADE_SANITIZE)" != OFF ]; then
  echo "skipped: a library with sanitizers needs programs with sanitizers"
  exit 77
fi
outside=$root/examples/outside
prefix=$dir/prefix

# Nothing of the environment but where programs are: no paths, no flags.
bare() { env -i PATH="$PATH" HOME="$dir" PKG_CONFIG_PATH="$prefix/lib/pkgconfig" "$@" >out 2>err; }
# project SOURCE BUILD OPTIONS..: configures and builds the project
project() {
  source=$1 to=$2
  shift 2
  bare cmake -S "$source" -B "$to" "$@" && bare cmake --build "$to" --parallel 2
}
# says WHAT TEXT: the errors of the last call say the text, however the lines are broken
says() {
  tr -s ' \n' '  ' <err | grep -qF "$2" && echo "ok      $1" || failed "$1: lacks: $2"
}

bare cmake --install "$build" --prefix "$prefix" --component libraries || fatal "cmake --install"
[ -d "$prefix/lib/cmake/fade" ] || fatal "no $prefix/lib/cmake/fade"
holds "nothing installed names a folder of the build" sh -c "! grep -rlF -e '$build' -e '$root' prefix"
holds "the insides are not installed" sh -c "! find prefix -name '*-inl.h' -o -name 'softmax_*.h' | grep ."

# A Release library in a Debug program.
outside_project() { project "$outside/$1" "$1" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$prefix" || fatal "building $1"; }
outside_project row_operation
bare row_operation/row_operation || fatal "row_operation"
values="0.4629 -0.9258 1.3887 0.9585 0.1198 -1.4377"
holds "a row operation of another project, its gradient checked" grep -qxF "cpu: $values" out
if [ "$(option FADE_CUDA)" = emulate ]; then
  holds "and on the emulated device" grep -qxF "cuda: $values" out
fi
[ "${1:-}" != device ] || finish
[ "${1:-}" != device ] || exit 0

outside_project mlp
bare mlp/mlp || fatal "mlp"
holds "a network of another project learns" awk 'END { exit !(/^step 500  loss 0\.00/) }' out

outside_project elementwise
bare elementwise/elementwise || fatal "elementwise"
holds "an elementwise operation of another project, its gradient checked" grep -qx "[-]0.75 -0.333333 0.5 0.8 " out

outside_project stream_text
small_run_files
works "a run" train c.yaml --out run
works "its text" generate run --prompt 1 --bytes 200
mv out text_of_fade
bare stream_text/stream_text run 1
holds "a program that loads a checkpoint writes the same" cmp out <(cat text_of_fade; echo)
bare stream_text/stream_text nowhere
says "a checkpoint that is not there: one line" "nowhere: "

# pkg-config
if command -v pkg-config >/dev/null; then
  gcc_with() { bare sh -c "g++ '$outside/mlp/main.cpp' \$(pkg-config --cflags --libs fade) $* -o mlp_pc"; }
  holds "builds with pkg-config" gcc_with
  holds "runs" ./mlp_pc
  gcc_with -std=c++17
  says "another standard" "fade needs C++20: compile with -std=c++20"
  holds "in one error" [ "$(grep -c 'error:' err)" -le 2 ]
else
  echo "pkg-config is not installed: not tested" && skipped=1
fi

# user_project LINES: a project with these lines after project(), that builds mlp
user_project() {
  mkdir -p user
  printf 'cmake_minimum_required(VERSION 3.22)\nproject(user LANGUAGES CXX)\n%s\n' "$1" >user/CMakeLists.txt
  rm -rf user_build
  project user user_build -DCMAKE_PREFIX_PATH="$prefix"
}
program="add_executable(mlp \"$outside/mlp/main.cpp\")
target_link_libraries(mlp PRIVATE fade::nn)"
user_project "find_package(fade 0.1 REQUIRED COMPONENTS ops cuda)"
if [ "$(option FADE_CUDA)" != on ]; then
  says "component cuda of a library without it" "this fade was built without component cuda, with FADE_CUDA=$(option FADE_CUDA) (build and install it with -DFADE_CUDA=on"
fi
user_project "find_package(fade 0.1 REQUIRED COMPONENTS tensors)"
says "an unknown component" "fade has no component tensors, only engine, ops"
user_project "find_package(fade 0.2 REQUIRED)"
says "another version" 'compatible with requested version "0.2"'
holds "a project of C++17 is lifted to C++20" user_project "set(CMAKE_CXX_STANDARD 17)
find_package(fade 0.1 REQUIRED COMPONENTS nn cpu)
$program"
user_project "add_compile_definitions(_GLIBCXX_DEBUG)
find_package(fade 0.1 REQUIRED)
$program"
says "a program with other containers" "the library and this program differ in _GLIBCXX_DEBUG"

# Two copies in one process: of two versions, and of one.
copy() {  # NAME VERSION
  bare g++ -std=c++20 -shared -fPIC -I"$root" -DFMT_SHARED -DFADE_VERSION="\"$2\"" -DFADE_VERSION_SYMBOL=version \
    "$root"/engine/version.cpp "$root"/engine/io/{standard_streams,files}.cpp -lfmt -o "lib$1.so" || fatal "copy $1"
}
copy one 0.1.0
copy same 0.1.0
copy other 0.2.0
echo 'int main() {}' >main.cpp
with() { bare g++ main.cpp -Wl,--no-as-needed -L. "$@" -Wl,-rpath,"$dir" -o with && bare ./with; }
holds "one copy" with -lone
holds "two versions in one process are refused" eval '! with -lone -lother'
says "with the files" "fade: two copies in one process: 0.2.0 in $dir/libother.so, 0.1.0 in $dir/libone.so (build all parts"
holds "and so are two copies" eval '! with -lone -lsame'
says "with the remedy" "(link both to fade's shared libraries"

# As a part of another project: libraries alone, and nothing of that project is changed. (The engine is enough: it is built here,
# without optimisation, which the build type None means.)
holds "add_subdirectory" user_project "set(CMAKE_CXX_STANDARD 17)
set(CMAKE_BUILD_TYPE None)
add_subdirectory(\"$root\" fade)
foreach(name CMAKE_CXX_STANDARD:17 CMAKE_CXX_FLAGS_RELEASE:\${CMAKE_CXX_FLAGS_RELEASE} CMAKE_BUILD_TYPE:None FADE_CUDA:off)
  string(REGEX MATCH \"(.*):(.*)\" name \${name})
  if(NOT \"\${\${CMAKE_MATCH_1}}\" STREQUAL \"\${CMAKE_MATCH_2}\")
    message(FATAL_ERROR \"\${name}: \${\${CMAKE_MATCH_1}}\")
  endif()
endforeach()
if(TARGET fade OR TARGET fade_tests OR TARGET CUDA::cudart)
  message(FATAL_ERROR \"more than the libraries\")
endif()
file(WRITE \${CMAKE_BINARY_DIR}/main.cpp \"#include <fade/engine.h>
int main() { return fade::Tensor::zeros({1}).item() != 0; }\")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_executable(zero \${CMAKE_BINARY_DIR}/main.cpp)
target_link_libraries(zero PRIVATE fade::engine)"
holds "and runs" user_build/zero
holds "the program gets no options but the standard" python3 - <<'PY'
import json
command = next(c["command"] for c in json.load(open("user_build/compile_commands.json")) if c["file"].endswith("/user_build/main.cpp"))
options = [o for o in command.split()[1:] if o.startswith("-") and o not in ("-o", "-c")]
assert len(options) == 3 and options[0].startswith("-DFMT_") and options[1].startswith("-I") and "std=" in options[2], options
PY
user_project "include(FetchContent)
add_compile_definitions(_GLIBCXX_DEBUG)
FetchContent_Declare(fade SOURCE_DIR \"$root\")
FetchContent_MakeAvailable(fade)
if(NOT \"\${CMAKE_BUILD_TYPE}\" STREQUAL \"\")
  message(FATAL_ERROR \"CMAKE_BUILD_TYPE: \${CMAKE_BUILD_TYPE}\")
endif()
file(WRITE \${CMAKE_BINARY_DIR}/main.cpp \"#include <fade/build.h>\n\")
add_library(header OBJECT \${CMAKE_BINARY_DIR}/main.cpp)
target_compile_features(header PRIVATE cxx_std_20)
target_include_directories(header PRIVATE \$<TARGET_PROPERTY:fade::train,INTERFACE_INCLUDE_DIRECTORIES>)"
holds "FetchContent, in a project with other containers" [ $? -eq 0 ]

# The Debian package, in a system of its own.
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(fakeroot)
if [ ! -f "$build/CPackConfig.cmake" ] || ! command -v cpack dpkg dpkg-shlibdeps file ${as_root[0]:+fakeroot} >/dev/null; then
  echo "cpack, dpkg-dev, file or fakeroot is not there, or this build has device cuda: the Debian package is not tested" && skipped=1
  finish
  exit
fi
bare cpack --config "$build/CPackConfig.cmake" -G DEB -B deb || fatal "cpack"
package=$(echo deb/fade_*.deb)
holds "it states what it depends on" sh -c "dpkg-deb -f $package Depends | grep -q libfmt-dev && dpkg-deb -f $package Depends | grep -q 'libc6 (>= '"
system() { bare "${as_root[@]}" dpkg --root="$dir/system" --force-depends --force-not-root --log=/dev/null "$@"; }
mkdir -p system/var/lib/dpkg/{info,updates} && : >system/var/lib/dpkg/status
files() { find system -not -path 'system/var/lib/dpkg/*' | sort; }
files >before
system -i "$package" || fatal "dpkg -i"
holds "a program is built with it" project "$outside/mlp" with_deb -DCMAKE_PREFIX_PATH="$dir/system/usr"
holds "its fade runs" system/usr/bin/fade --version
system -P fade || fatal "dpkg -P"
files >after
holds "and is removed without a trace" cmp before after
finish
