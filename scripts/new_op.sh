#!/usr/bin/env bash
# Begins a new operation over rows of numbers: a folder ops/NAME that compiles, with a rule, kernels for both devices and cases,
# and its row in ops/README.md. Its results are zeros, and its tests fail, until what is marked FILL IN is filled in;
# ops/README.md shows how.
#   scripts/new_op.sh NAME      NAME as of a C++ function: rms_norm
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C # (a-z are the lower-case letters of ASCII)

refuse() {
  printf 'new_op: %s\n' "$1" >&2
  exit 2
}
[ $# -eq 1 ] || refuse "${*:-no name}: give one name (scripts/new_op.sh rms_norm)"
op=$1
[[ $op =~ ^[a-z][a-z0-9]*(_[a-z0-9]+)*$ ]] || refuse "$op: no name of an operation (lower-case letters, digits and single _: rms_norm)"
[ ${#op} -le 30 ] || refuse "$op: ${#op} characters, of at most 30"
case " and asm auto bool break case catch char class compl concept const continue default delete do double else enum explicit export
  extern false float for friend goto if inline int long mutable namespace new noexcept not nullptr operator or private protected public
  register requires return short signed sizeof static struct switch template this throw true try typedef typeid typename union unsigned
  using virtual void volatile while xor " in
  *[[:space:]]"$op"[[:space:]]*) refuse "$op: a word of C++ (choose another name)" ;;
esac
[ ! -e "ops/$op" ] || refuse "ops/$op: is there already (choose another name, or remove it)"
! grep -q "^| \`$op\` |" ops/README.md || refuse "$op: has a row in ops/README.md already (choose another name, or remove the row)"
! grep -rq "\<Tensor $op(" ops --include='*.h' || refuse "$op: a function of ops/ has this name (choose another)"

Op=$(sed -E 's/(^|_)([a-z0-9])/\u\2/g' <<<"$op")
made=$(mktemp -d ops/new_op.XXXXXX)
trap 'rm -rf "$made"' EXIT
file() { sed "s/@op@/$op/g; s/@Op@/$Op/g" >"$made/$op$1"; }

file .h <<'END'
// FILL IN: what the operation is, and where it was published.
#pragma once

#include "engine/tensor.h"

namespace fade {

/// y = FILL IN, over the last dimension.
///   x [..., H] → y [..., H]
/// dx = FILL IN.   Saves x.
Tensor @op@(const Tensor& x);

}  // namespace fade
END

file _kernels.h <<'END'
// Kernels of @op@ over rows of H numbers.
#pragma once

#include "engine/kernel.h"

namespace fade {

/// y = FILL IN.
inline constinit Kernel<void(const Tensor& x, Out y)> @op@_forward{"@op@"};
/// dx = FILL IN.
inline constinit Kernel<void(const Tensor& g, const Tensor& x, Out dx)> @op@_backward{"@op@"};

}  // namespace fade
END

file .cpp <<'END'
#include "ops/@op@/@op@.h"

#include "engine/tape.h"
#include "ops/@op@/@op@_kernels.h"

namespace fade {
namespace {

enum Saved : int { kX };

void @op@_rule(BackwardCtx& ctx) {
  const Tensor dx = ctx.empty_for(0);
  @op@_backward(dx.device(), ctx.grad(), ctx.saved(kX), dx);
  ctx.add(0, dx);
}

constexpr OpDef k@Op@{"@op@", @op@_rule};

}  // namespace

Tensor @op@(const Tensor& x) {
  if (x.shape().dims() == 0) fail("@op@: the input is a single number, needs a last dimension");
  Tensor y = Tensor::empty_like(x);
  @op@_forward(x.device(), x, y);
  record(k@Op@, y, {&x}, {&x});  // saved in the order of the enum
  return y;
}

}  // namespace fade
END

file _cpu.cpp <<'END'
#include <cmath>

#include "engine/parallel.h"
#include "ops/@op@/@op@_kernels.h"

namespace fade {
namespace {

void forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "@op@", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(n ? x.numel() / n : 0, n, [&](int64_t row) {
      const T* v = in + row * n;
      for (int64_t i = 0; i < n; ++i) out[row * n + i] = 0 * v[i];  // FILL IN
    });
  });
}

void backward(const Tensor& g, const Tensor& x, Out dx) {
  dispatch_float(g.dtype(), "@op@", [&]<class T>() {
    const T *gs = g.data<T>(), *in = x.data<T>();
    T* out = dx.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(n ? x.numel() / n : 0, n, [&](int64_t row) {
      const T *gr = gs + row * n, *v = in + row * n;
      for (int64_t i = 0; i < n; ++i) out[row * n + i] = 0 * gr[i] * v[i];  // FILL IN
    });
  });
}

[[maybe_unused]] const bool registered = @op@_forward.implement(Device::cpu, forward) &&
                                         @op@_backward.implement(Device::cpu, backward);

}  // namespace
}  // namespace fade
END

file _cuda.cu <<'END'
#include "engine/cuda/rows.h"
#include "ops/@op@/@op@_kernels.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  const T* x;
  T* y;
  __device__ void operator()(const auto& row) const {
    row.map([](T v) { return 0 * v; }, y + row.start(), x + row.start());  // FILL IN
  }
};

template <class T>
struct Backward {
  const T *g, *x;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T *gr = g + row.start(), *in = x + row.start();
    row.map([](T gi, T v) { return 0 * gi * v; }, dx + row.start(), gr, in);  // FILL IN
  }
};

void forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "@op@", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    const int64_t n = x.size(-1);
    launch_rows("@op@", {n ? x.numel() / n : 0, n}, Forward<T>{in, out}, in, out);
  });
}

void backward(const Tensor& g, const Tensor& x, Out dx) {
  dispatch_float(g.dtype(), "@op@", [&]<class T>() {
    const T *gs = g.data<T>(), *in = x.data<T>();
    T* out = dx.mutate<T>();
    const int64_t n = x.size(-1);
    launch_rows("@op@_backward", {n ? x.numel() / n : 0, n}, Backward<T>{gs, in, out}, gs, in, out);
  });
}

[[maybe_unused]] const bool registered = @op@_forward.implement(Device::cuda, forward) &&
                                         @op@_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
END

file _cases.cpp <<'END'
#include "ops/@op@/@op@.h"

#include <cmath>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// The result for rows of `width` numbers, in double and as naive as its formula.
Values by_formula(const Values&, int64_t) {
  fail("FILL IN: by_formula in ops/@op@/@op@_cases.cpp, y of x without any code of this project");
}

OpCase rows_case(const char* name, const Shape& shape) {
  return {.name = fmt::format("@op@/{}", name),
          .inputs = {{shape, distinct_values(shape.numel())}},
          .run = [=](const Tensors& in) { return @op@(in[0]); },
          .reference = [=](const Arrays& in) { return by_formula(in[0], shape[-1]); },
          .shape = shape};
}

[[maybe_unused]] const bool added = add_cases(
    "@op@", {rows_case("one_row", {7}), rows_case("three_dimensions", {2, 3, 11}), rows_case("no_rows", {0, 5}),
             rows_case("odd", {3, 67}), rows_case("whole_vectors", {3, 64}), rows_case("many_rows", {131, 5}),
             rows_case("long", {2, 1031}), rows_case("long_whole_vectors", {2, 1100})});

}  // namespace
}  // namespace fade::test
END

! command -v clang-format >/dev/null || clang-format -i "$made"/*
awk -v row="| \`$op\` | [$op]($op/$op.h) | FILL IN | FILL IN | x |" '
  { line[NR] = $0 }
  /^\| operation \|/ { rows = 1 }
  !/^\|/ { rows = 0 }
  rows { last = NR }
  END { for (i = 1; i <= NR; ++i) { print line[i]; if (i == last) print row } }' ops/README.md >"$made/README.md"
grep -q "^| \`$op\` |" "$made/README.md" || refuse "ops/README.md: has no table of operations (restore it)"
mv "$made/README.md" ops/README.md
chmod 755 "$made"
mv "$made" "ops/$op"

echo "made ops/$op/ with $(cd "ops/$op" && echo *), and a row in ops/README.md
fill in what is marked FILL IN there, as ops/README.md shows, then run
  scripts/check_op.sh $op"
