#!/usr/bin/env bash
# The sanitizers: every reader fuzzed for ten seconds and the whole suite under AddressSanitizer (with leak check) and
# UndefinedBehaviorSanitizer, and everything that runs on several threads under ThreadSanitizer.
#   scripts/sanitize.sh [--quick]      --quick: what continuous integration has time for: five seconds of the fuzz targets that need
#                                      no model, and tests/ops/thread_check.cpp
set -euo pipefail
cd "$(dirname "$0")/.."
quick=${1:-}
[ "$quick" = "" ] || [ "$quick" = --quick ] || { echo "usage: scripts/sanitize.sh [--quick]" >&2; exit 2; }

# ThreadSanitizer learns from LLVM's OpenMP, through its tool archer, what threads wait for. OpenBLAS is the build without
# threads, and not instrumented: nothing but our own threads runs it.
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
