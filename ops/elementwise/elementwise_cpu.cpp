#include <array>

#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/elementwise/unary_cpu.h"

namespace fade {
namespace {

// An operand along a row of the result: it moves, or is broadcast.
template <class T>
struct Moving {
  const T* at;
  T operator[](int64_t i) const { return at[i]; }
};
template <class T>
struct Still {
  T value;
  T operator[](int64_t) const { return value; }
};

// y[i] = f(in[i]...) for n elements. `known` are the operands of which it is known whether they move: each
// combination has a loop of its own.
template <class F, class T, size_t N, class... Known>
void row(const F& f, const std::array<const T*, N>& in, const std::array<bool, N>& moves, T* y, int64_t n,
         Known... known) {
  constexpr size_t k = sizeof...(Known);
  if constexpr (k == N) {
    for (int64_t i = 0; i < n; ++i) y[i] = f.forward(known[i]...);
  } else if (moves[k]) {
    row(f, in, moves, y, n, known..., Moving<T>{in[k]});
  } else {
    row(f, in, moves, y, n, known..., Still<T>{*in[k]});
  }
}

// y = f(in...), element by element: all shapes are the same.
template <class F, class T>
void same_shapes_cpu(const F& f, int64_t n, T* y, auto... in) {
  parallel_elements(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = f.forward(in[i]...);
  });
}

// y = f(in...) with broadcasting, row by row along the last dimension.
template <class F, class... In>
void broadcast_cpu(const F& f, Out y, const In&... in) {
  constexpr size_t N = sizeof...(In);
  dispatch_float(y.dtype(), F::name, [&]<class T>() {
    const std::array<const T*, N> operands{in.template data<T>()...};  // all of the result's type
    T* out = y.mutate<T>();
    if ((... && (in.shape() == y.shape())))
      return same_shapes_cpu(f, y.numel(), out, in.template data<T>()...);
    if (y.numel() == 0) return;
    std::array<Strides, N + 1> strides = {broadcast_strides(in.shape(), y.shape())...,
                                          broadcast_strides(y.shape(), y.shape())};
    const Shape s = merge_dims(y.shape(), strides);
    const int last = s.dims() - 1;
    const int64_t n = last < 0 ? 1 : s[last];
    std::array<bool, N> moves{};
    for (size_t k = 0; k < N; ++k) moves[k] = last >= 0 && strides[k][last] != 0;
    const auto part = [&](int64_t row_index, int64_t begin, int64_t end) {
      std::array<const T*, N> at = operands;
      int64_t rest = row_index;
      for (int d = last - 1; d >= 0; --d) {
        for (size_t k = 0; k < N; ++k) at[k] += rest % s[d] * strides[k][d];
        rest /= s[d];
      }
      for (size_t k = 0; k < N; ++k) at[k] += moves[k] ? begin : 0;
      row(f, at, moves, out + row_index * n + begin, end - begin);
    };
    if (last <= 0)
      parallel_elements(n, [&](int64_t begin, int64_t end) { part(0, begin, end); });
    else
      parallel_rows(y.numel() / n, n, [&](int64_t i) { part(i, 0, n); });
  });
}

template <class F>
void binary_cpu(const F& f, const Tensor& a, const Tensor& b, Out y) {
  broadcast_cpu(f, y, a, b);
}
template <class F>
void ternary_cpu(const F& f, const Tensor& a, const Tensor& b, const Tensor& c, Out y) {
  broadcast_cpu(f, y, a, b, c);
}

[[maybe_unused]] const bool registered =
    implement_each(UnaryFunctors{}, []<class F>(F) { implement_unary_cpu<F>(); }) &&
    implement_each(StepFunctors{},
                   []<class F>(F) { unary_forward<F>.implement(Device::cpu, unary_forward_cpu<F>); }) &&
    implement_each(BinaryFunctors{},
                   []<class F>(F) { binary_forward<F>.implement(Device::cpu, binary_cpu<F>); }) &&
    implement_each(TernaryFunctors{},
                   []<class F>(F) { ternary_forward<F>.implement(Device::cpu, ternary_cpu<F>); });

}  // namespace
}  // namespace fade
