#!/usr/bin/env bash
# New operations in a copy of the repository: scripts/new_op.sh, scripts/check_op.sh, and the steps of ops/README.md word for word.
# Only the files that they make or change are compiled, with the commands of the build; the other objects are the build's.
set -u
root=$PWD build=$(cd "$(dirname "$FADE")" && pwd)
. tests/shell/cli_support.sh
ninja -C "$build" -t commands fade_tests >commands 2>/dev/null && [ -f "$build/tests/fade_tests" ] ||
  { echo "skipped: $build has no fade_tests that ninja has built"; exit 77; }
mkdir copy objects
(cd "$root" && cp -r engine ops nn models train cli tests examples bench scripts configs docs .clang-format "$dir/copy")
cd copy || exit 1

# refuses WHAT MESSAGE PROGRAM ARGUMENTS..: it ends with exit code 2 and this one line, and changes nothing
refuses() {
  what=$1 message=$2
  shift 2
  "scripts/$@" >"$dir/out" 2>"$dir/err"
  code=$?
  holds "$what is refused" test "$code $(cat "$dir/err")" = "2 $message"
  holds "  and changes nothing" diff -r ops "$root/ops"
}
rule="no name of an operation (lower-case letters, digits and single _: rms_norm)"
refuses "no name" "new_op: no name: give one name (scripts/new_op.sh rms_norm)" new_op.sh
refuses "a second name" "new_op: a b: give one name (scripts/new_op.sh rms_norm)" new_op.sh a b
for name in Wave _wave wave_ wa__ve 2d ../wave "wa ve" élan; do refuses "$name" "new_op: $name: $rule" new_op.sh "$name"; done
refuses "a long name" "new_op: ${rule//[^a-z]/a}: ${#rule} characters, of at most 30" new_op.sh "${rule//[^a-z]/a}"
refuses "a word of C++" "new_op: while: a word of C++ (choose another name)" new_op.sh while
refuses "a folder that exists" "new_op: ops/softmax: is there already (choose another name, or remove it)" new_op.sh softmax
refuses "a name of the index" "new_op: add: has a row in ops/README.md already (choose another name, or remove the row)" new_op.sh add
refuses "a function of another operation" "new_op: gather_rows_of: a function of ops/ has this name (choose another)" new_op.sh gather_rows_of
refuses "a path that is no folder of ops/" \
  "check_op: softmax/x: no name of a folder or an operation (lower-case letters, digits and _: softmax)" check_op.sh ops/softmax/x
refuses "an operation that is not there" \
  "check_op: wave: neither a folder of ops/ nor an operation of ops/README.md (scripts/new_op.sh wave begins one)" check_op.sh wave

holds "new_op.sh makes wave" scripts/new_op.sh wave
holds "and l2_normalize" scripts/new_op.sh l2_normalize
holds "the steps of ops/README.md can be followed" python3 tests/shell/follow_steps.py
if clang-format --version 2>/dev/null | grep -q 'version 14'; then
  clang-format -i ops/elementwise/elementwise_math.h # (its list, as the page says)
  holds "all of it is formatted" clang-format --dry-run --Werror ops/{wave,l2_normalize,elementwise}/*
fi

# command_of SOURCE: of the build, that compiles it
command_of() { grep -E " -c $root/$1( |\$)" ../commands; }
# compile FILE AS: compiles a file of the copy as the build compiles another, but faster: with less optimisation, and vector code
# for one instruction set. The object replaces that of the build, if there is one.
link=$(tail -n 1 ../commands | sed "s|-o tests/fade_tests |-o $dir/fade_tests |")
compile() {
  local object=$dir/objects/$(basename "$1").o command
  command=$(command_of "$2" | sed -E "s#-I$root( |\$)#-I$dir/copy\1#; s# -MF [^ ]*# -MF $object.d#; s# -MT [^ ]*##; s# -o [^ ]*# -o $object#; s# -O3 # -O1 #; s# -c [^ ]*# -DHWY_COMPILE_ONLY_STATIC -c $dir/copy/$1#")
  [ -n "$command" ] || fatal "the build has no command for $2"
  (cd "$build" && eval "$command") >>"$dir/log" 2>&1 || fatal "$1 does not compile"
  if grep -q " [^ ]*/$1.o " <<<"$link"; then
    link=$(sed -E "s| [^ ]*/$1.o | $object |" <<<"$link")
  else
    link=${link/ -o / $object -o }
  fi
}
kinds=(.cpp _cpu.cpp _cases.cpp)
[ -z "$(command_of ops/reduce/reduce_cuda.cu)" ] || kinds+=(_cuda.cu)
for kind in "${kinds[@]}"; do
  for op in wave l2_normalize; do compile "ops/$op/$op$kind" "ops/reduce/reduce$kind"; done
  compile "ops/elementwise/elementwise$kind" "ops/elementwise/elementwise$kind"
done
cd ..
(cd "$build" && eval "$link") >>log 2>&1 || fatal "the tests do not link"
rm log

# checks SUITES: runs tests on the copy
checks() { FADE_ROOT=$dir/copy ./fade_tests --color_output=no --run_test="$1" >out 2>err; }
fails() { ! checks "$@"; }
holds "l2_normalize passes its tests" checks ops/l2_normalize
holds "softsign passes its tests" checks 'ops/elementwise/softsign*'
holds "what is not filled in fails" fails ops/wave
holds "all of its cases do" test "$(grep -c 'error: in "ops/wave/wave' out err | sed 's/.*://' | sort -n | tail -n 1)" = 8
holds "and say why" grep -q "FILL IN: by_formula in ops/wave/wave_cases" out err
holds "the structure test fails" fails structure
cat out err | grep 'error: in' >errors
holds "only because of what is not filled in" test -z "$(grep -v ': to be filled in' errors)"
(cd copy && grep -rn 'FILL IN' ops/wave && grep -nH '^| `wave` ' ops/README.md) | cut -d: -f1,2 | sort >places
holds "and names each place" diff places <(grep -o 'ops/.*: to be' errors | sed 's/: to be//' | sort)
holds "planted bugs are found in the new cases too" checks planted_bugs

# check_op.sh, with programs that pretend to be CMake and the tests.
cd copy || exit 1
mkdir -p bin build/tests build/racecheck/tests
printf '#!/bin/sh\n' >bin/cmake
printf '#!/bin/sh\necho "${FADE_TEST_DEVICE:-all} ${FADE_EMULATE_ORDER:-forward} $2" >>calls\ncase $2 in $BROKEN) exit 201 ;; esac\n' >build/tests/fade_tests
cp build/tests/fade_tests build/racecheck/tests/fade_tests
chmod +x bin/cmake build/tests/fade_tests build/racecheck/tests/fade_tests
check_op() {
  rm -f calls
  PATH=$PWD/bin:$PATH BROKEN=${2:-none} scripts/check_op.sh "$1" >../out 2>../err
}
holds "check_op.sh runs the tests of an operation's folder" check_op softsign
holds "on both devices, in both orders" diff calls - <<'END'
all forward --run_test=ops/elementwise:elementwise_edges:planted_bugs:structure:documents_test:torn_lines
cuda forward --run_test=ops/elementwise:elementwise_edges
cuda reverse --run_test=ops/elementwise:elementwise_edges
END
holds "of a function without a gradient, its test" check_op survivors
holds "by the name of its suite" grep -q '^cuda forward --run_test=survivors_of_contexts$' calls
broken() { ! check_op "$@"; }
holds "it fails when a test fails" broken ops/wave/ '--run_test=ops/wave'
holds "after all of them have run" test "$(wc -l <calls)" = 3
finish
