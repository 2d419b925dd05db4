#!/bin/bash
# Mistakes that the compiler finds in code that uses the engine: its error has a sentence with the remedy.
set -euo pipefail

compiler=${CXX:-c++}
command -v "$compiler" > /dev/null || { echo "no C++ compiler called $compiler (set CXX)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failures=0
# expect SENTENCE < CODE: the code must not compile, with this sentence; with an empty one, it must compile.
expect() {
  cat > "$work/code.cpp"
  if "$compiler" -std=c++20 -fsyntax-only -DFMT_SHARED -I"$work" -I. "$work/code.cpp" 2> "$work/errors"; then
    [ -z "$1" ] || { echo "compiles, but should fail with: $1"; failures=$((failures + 1)); }
  elif [ -z "$1" ] || ! grep -qF -- "$1" "$work/errors"; then
    echo "wanted: ${1:-no error}"; head -20 "$work/errors"; failures=$((failures + 1))
  fi
}

# record_with TYPE: an operation with attributes of this type.
record_with() {
  cat << CODE
#include <string>
#include "engine/tape.h"
using namespace fade;
struct Large { double numbers[11]; };
constexpr OpDef kOp{"mine", [](BackwardCtx&) {}};
void recorded(const Tensor& x, Tensor& y, $1 attributes) { record(kOp, y, {&x}, {}, attributes); }
CODE
}

expect "" < <(record_with "double")
expect "record: attributes are copied as bytes: give it a struct of numbers" < <(record_with "std::string")
expect "record: attributes are copied as bytes: give it a struct of numbers" < <(record_with "Tensor")
expect "record: a node holds kMaxAttrs bytes of attributes: keep larger data in a tensor" < <(record_with "Large")

expect "a tensor holds float, double, int32_t, uint8_t or bf16: convert the values first" << 'CODE'
#include "engine/tensor.h"
fade::Tensor made() { return fade::Tensor::from(std::vector<int64_t>{1, 2}, {2}); }
CODE

# An elementwise operation whose functor is in no list: operations as they are, with one functor fewer in the list.
mkdir -p "$work/ops/elementwise"
sed '/using UnaryFunctors =/,/;/s/Neg, //' ops/elementwise/elementwise_math.h > "$work/ops/elementwise/elementwise_math.h"
expect "this functor is in no list: add it to UnaryFunctors, or the list of its kind" << CODE
#include "$PWD/ops/elementwise/elementwise.cpp"
CODE
rm -r "$work/ops"
expect "" << CODE
#include "$PWD/ops/elementwise/elementwise.cpp"
CODE

exit $((failures > 0))
