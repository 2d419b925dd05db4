#!/usr/bin/env bash
# Installs what is missing, builds everything with warnings as errors, and runs every test.
#   scripts/test.sh             as continuous integration does: the program and its tests; the tests that involve a device
#                               on the emulated one, plain and sanitized; the CUDA build compiles
#   scripts/test.sh PRESET...   of CMakePresets.json: each built, and all of its tests run
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_dependencies.sh

# Formatting: the style is clang-format 14's, and other versions differ in details.
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
  git ls-files '*.h' '*.cpp' '*.cu' | xargs -r clang-format --dry-run --Werror
else
  echo "clang-format 14 is not here: formatting is not checked"
fi

# Presets share what they compile alike.
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_CUDA_COMPILER_LAUNCHER=ccache CCACHE_NOHASHDIR=1
fi
command -v nvcc >/dev/null || PATH="$PATH:/usr/local/cuda/bin"

took() { echo "== $1: $((SECONDS - began)) s"; }
build() {  # PRESET [TARGET]
  began=$SECONDS
  cmake --preset "$1" "${options[@]}" >/dev/null
  cmake --build --preset "$1" ${2:+--target "$2"}
  took "building $1"
}
run_tests() {  # PRESET [OPTIONS...]
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
run_tests cpu
scripts/sanitize.sh --quick
export FADE_TEST_DEVICE=cuda  # the CPU has had its turn
build emulate fade_tests
run_tests emulate -L device -j "$(nproc)"
build asan fade_tests
run_tests asan -L device -E reverse_order -j "$(nproc)"
if command -v nvcc >/dev/null; then
  options=(-DCMAKE_CUDA_ARCHITECTURES=90-real)
  build cuda fade_tests
else
  echo "nvcc is not here: the CUDA build is not checked"
fi
