#!/usr/bin/env bash
# Runs the sanitizers: every fuzz target for ten seconds and the whole suite under AddressSanitizer (with leak check) and
# UndefinedBehaviorSanitizer; the multi-threaded code under ThreadSanitizer.
#   scripts/sanitize.sh [--quick]      --quick: for continuous integration: five seconds of the fuzz targets that need no model,
#                                      and tests/ops/thread_check.cpp
set -euo pipefail
cd "$(dirname "$0")/.."
quick=${1:-}
[ "$quick" = "" ] || [ "$quick" = --quick ] || { echo "usage: scripts/sanitize.sh [--quick]" >&2; exit 2; }

# LLVM's OpenMP reports synchronisation to ThreadSanitizer through its tool Archer. OpenBLAS is the single-threaded build and not
# instrumented: only our own threads call it.
export OMP_WAIT_POLICY=passive
archer=$(ls /usr/lib/llvm-*/lib/libarcher.so | tail -n 1)
thread_options=(env OMP_TOOL_LIBRARIES="$archer" TSAN_OPTIONS=ignore_noninstrumented_modules=1)

cmake --preset tsan >/dev/null
if [ "$quick" = --quick ]; then
  scripts/fuzz.sh 5 config corpus metrics safetensors
  cmake --build --preset tsan --target thread_check
  "${thread_options[@]}" build/tsan/tests/thread_check
else
  scripts/fuzz.sh 10
  cmake --build --preset asan
  ctest --preset asan
  cmake --build --preset tsan --target thread_check fade_tests
  "${thread_options[@]}" build/tsan/tests/thread_check
  "${thread_options[@]}" build/tsan/tests/fade_tests --run_test=archive,span_attention_test,training
fi
