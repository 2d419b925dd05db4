#!/usr/bin/env bash
# Fuzzes every reader of external input under AddressSanitizer and UndefinedBehaviorSanitizer, starting from tests/fuzz/corpus.
# An input that breaks a reader is kept in build/fuzz/TARGET and named at the end, with exit code 1.
#   scripts/fuzz.sh [SECONDS [TARGET...]]      SECONDS per target, default 600; TARGETs as in tests/fuzz/TARGET_fuzz.cpp, default all
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
targets=("$@")
[ $# -gt 0 ] || for source in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$source" _fuzz.cpp)"); done

scripts/configure.sh asan
cmake --build --preset asan --target "${targets[@]/%/_fuzz}"

# One target in a process of its own; xargs runs as many targets at a time as there are cores.
fuzz_one() {
  mkdir -p "build/fuzz/$1"
  if "build/asan/tests/fuzz/$1_fuzz" -max_total_time="$2" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/$1/" "build/fuzz/$1" "tests/fuzz/corpus/$1" >"build/fuzz/$1.log" 2>&1; then
    echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$1.log") inputs in $2 s, no error"
  else
    echo "$1: BROKEN, see build/fuzz/$1.log:"
    grep -E 'ERROR|broken:|runtime error|Test unit written' "build/fuzz/$1.log" || tail -n 5 "build/fuzz/$1.log"
    return 1
  fi
}
export -f fuzz_one
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c "fuzz_one {} $seconds"
