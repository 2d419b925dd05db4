#!/usr/bin/env bash
# Installs missing packages, builds everything with warnings as errors, and runs every test.
#   scripts/test.sh             as continuous integration does: all tests on the CPU; the device tests on the emulated device,
#                               with a check for races; compiles the CUDA build (sanitizers on device tests: scripts/sanitize.sh)
#   scripts/test.sh PRESET...   presets of CMakePresets.json: builds each and runs all of its tests
set -euo pipefail
cd "$(dirname "$0")/.."

# Compilers and tests write temporary files: where there is no room for them, there is on the disk of the build.
free=$(df -Pk "${TMPDIR:-/tmp}" 2>/dev/null | awk 'NR == 2 { print $4 }') || free=0
if [ "${free:-0}" -lt 1048576 ]; then
  mkdir -p build/tmp
  export TMPDIR=$PWD/build/tmp
  echo "${free:-0} KiB are free for temporary files: they go to build/tmp"
fi

scripts/install_dependencies.sh
command -v nvcc >/dev/null || PATH="$PATH:/usr/local/cuda/bin"
scripts/install_python_tools.sh &  # it waits for the network; the first tests wait for it
tools=$!

# Formatting: the style is clang-format 14's, and other versions differ in details.
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
  git ls-files '*.h' '*.cpp' '*.cu' | xargs -r -n 50 -P "$(nproc)" clang-format --dry-run --Werror
else
  echo "clang-format 14 is not installed: formatting is not checked"
fi

# Presets share compiled objects. CCACHE_DEPEND: the compiler lists the headers, without a run of the preprocessor.
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
fi

took() { echo "== $1: $((SECONDS - began)) s"; }
build() {  # PRESET [TARGET]
  began=$SECONDS
  scripts/configure.sh "$1" "${options[@]}"
  cmake --build --preset "$1" ${2:+--target "$2"}
  took "building $1"
}
run_tests() {  # PRESET [OPTIONS...]
  [ -z "$tools" ] || wait "$tools"
  tools=
  began=$SECONDS
  ctest --preset "$@"
  took "testing $1"
}
options=()

if [ $# -gt 0 ]; then
  for preset in "$@"; do
    build "$preset"
    run_tests "$preset"
  done
  exit
fi

build cpu
run_tests cpu -j $(($(nproc) + 1))  # one more than there are cores: tests of several ranks wait for mpirun
scripts/sanitize.sh --quick
export FADE_TEST_DEVICE=cuda  # the CPU has been tested above
scripts/racecheck.sh
if command -v nvcc >/dev/null; then
  options=(-DCMAKE_CUDA_ARCHITECTURES=90-real)
  build cuda fade_tests
  run_tests cuda -L compiled_code
else
  echo "nvcc is not installed: the CUDA build is not checked"
fi
