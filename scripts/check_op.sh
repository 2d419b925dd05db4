#!/usr/bin/env bash
# Everything that can tell a mistake in one operation: values, gradients, memory, planted bugs, races, the index, the structure
# and the comments, on the CPU and on the emulated device. Builds the tests (presets cpu and racecheck) and runs those of the
# operation.
#   scripts/check_op.sh NAME      NAME: a folder of ops/, or an operation of ops/README.md
set -euo pipefail
cd "$(dirname "$0")/.."

refuse() {
  printf 'check_op: %s\n' "$1" >&2
  exit 2
}
[ $# -eq 1 ] || refuse "${*:-no name}: give one name (scripts/check_op.sh softmax)"
name=${1#ops/}
name=${name%/}
[[ $name =~ ^[a-z0-9_]+$ ]] || refuse "$name: no name of a folder or an operation (lower-case letters, digits and _: softmax)"
folder=$name
[ -d "ops/$folder" ] || folder=$(sed -n "s/^| \`$name\` | \[\([a-z0-9_]*\)\].*/\1/p" ops/README.md)
[ -n "$folder" ] && [ -d "ops/$folder" ] || refuse "$name: neither a folder of ops/ nor an operation of ops/README.md (scripts/new_op.sh $name begins one)"

# The cases of the folder; and the suites of tests/ops/NAME_test.cpp and of the tests that its rows in ops/README.md name.
suites=()
[ ! -f "ops/$folder/${folder}_cases.cpp" ] || suites+=("ops/$folder")
mapfile -t tests < <(
  ls "tests/ops/${folder}_test.cpp" "tests/ops/${name}_test.cpp" 2>/dev/null || true
  sed -n "s|^. \`.*\[$folder\].*(\.\./\(tests/ops/[a-z0-9_]*\.cpp\)) .$|\1|p" ops/README.md)
[ ${#tests[@]} -eq 0 ] || mapfile -t -O "${#suites[@]}" suites < <(
  sed -n 's/^BOOST_AUTO_TEST_SUITE(\([A-Za-z0-9_]*\).*/\1/p' "${tests[@]}" | sort -u)
[ ${#suites[@]} -gt 0 ] || refuse "ops/$folder: has neither ${folder}_cases.cpp nor a test (ops/README.md says what it needs)"
suites=$(IFS=:; echo "${suites[*]}")

for preset in cpu racecheck; do
  scripts/configure.sh $preset
  cmake --build --preset $preset --target fade_tests
done
began=$(date +%s%N)
failed=()
checks() {  # WHAT PROGRAM SUITES
  echo "== $1: $3"
  "$2" --color_output=no --run_test="$3" || failed+=("$1")
}
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
  find "ops/$folder" -name '*.h' -o -name '*.c*' | xargs clang-format --dry-run --Werror ||
    failed+=("formatting (clang-format -i mends it)")
fi
unset FADE_TEST_DEVICE FADE_EMULATE_ORDER
checks "on the CPU" build/tests/fade_tests "$suites:planted_bugs:structure:documents_test:torn_lines"
export FADE_TEST_DEVICE=cuda
checks "on the emulated device" build/racecheck/tests/fade_tests "$suites"
FADE_EMULATE_ORDER=reverse checks "with its threads in reverse order" build/racecheck/tests/fade_tests "$suites"
verdict="no mistake found"
[ ${#failed[@]} -eq 0 ] || verdict="MISTAKES, see above: $(printf '%s; ' "${failed[@]}" | sed 's/; $//')"
printf '%s: %s in %d.%d s\n' "$name" "$verdict" \
  $((($(date +%s%N) - began) / 1000000000)) $((($(date +%s%N) - began) / 100000000 % 10))
[ ${#failed[@]} -eq 0 ]
