#!/usr/bin/env bash
# Races in kernels, without a GPU: the tests of device cuda on the emulated device, which checks each access to memory
# (docs/cuda.md). Ends with a table of the kernels and of what was checked. Exit status 1 when a test finds a race or fails
# otherwise, or when no test runs a kernel.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 0 ] || { echo "racecheck: $*: it takes no arguments (for one suite: docs/cuda.md)" >&2; exit 2; }
scripts/configure.sh racecheck
cmake --build --preset racecheck --target fade_tests

export FADE_TEST_DEVICE=cuda FADE_RACECHECK_TABLE=$PWD/build/racecheck/kernels
: >"$FADE_RACECHECK_TABLE"
ctest --preset racecheck -L device -E 'reverse_order|add_operation|loss_curves' -j "$(nproc)" || exit 1

launched() { grep -rhoE --include='*.c*' '(launch(_each|_rows)?|map|sum_columns(<[^(]*>)?)\("[^"]*"' "$@" | cut -d '"' -f 2 | sort -u; }
launched tests >build/racecheck/test_kernels
awk -F '\t' 'NR == FNR { of_tests[$1]; next }
             !($1 in of_tests) { launches[$1] += $2; accesses[$1] += $3 }
             END { for (kernel in launches) printf "%s\t%d\t%.0f\n", kernel, launches[kernel], accesses[kernel] }' \
  build/racecheck/test_kernels "$FADE_RACECHECK_TABLE" | sort >build/racecheck/checked
awk -F '\t' 'BEGIN { printf "%-40s %10s %16s\n", "kernel", "launches", "accesses" }
             { printf "%-40s %10d %16.0f\n", $1, $2, $3; launches += $2; accesses += $3 }
             END { printf "%-40s %10d %16.0f\n", NR " kernels, no race", launches, accesses }' build/racecheck/checked

not_run=$(launched engine ops nn | comm -23 - <(cut -f 1 build/racecheck/checked) | paste -sd ,)
[ -z "$not_run" ] || { echo "racecheck: no test runs ${not_run//,/, } (add one)" >&2; exit 1; }
