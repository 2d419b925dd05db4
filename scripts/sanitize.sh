#!/usr/bin/env bash
# Runs the sanitizers: every fuzz target for ten seconds and the whole suite under AddressSanitizer (with leak check) and
# UndefinedBehaviorSanitizer; the multi-threaded code under ThreadSanitizer.
#   scripts/sanitize.sh [--quick]      --quick: for continuous integration: five seconds of each of four fuzz targets, and
#                                      tests/ops/thread_check.cpp
set -euo pipefail
cd "$(dirname "$0")/.."
quick=${1:-}
[ "$quick" = "" ] || [ "$quick" = --quick ] || { echo "usage: scripts/sanitize.sh [--quick]" >&2; exit 2; }

scripts/configure.sh tsan
if [ "$quick" = --quick ]; then
  scripts/fuzz.sh 5 config corpus metrics safetensors
  cmake --build --preset tsan --target thread_check
  build/tsan/tests/thread_check
else
  scripts/fuzz.sh 10
  cmake --build --preset asan
  ctest --preset asan
  cmake --build --preset tsan --target thread_check fade_tests
  build/tsan/tests/thread_check
  build/tsan/tests/fade_tests --run_test=parallel,archive,span_attention_test,training
fi
