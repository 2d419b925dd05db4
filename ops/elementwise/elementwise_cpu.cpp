#include "engine/parallel.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {
namespace {

template <class F>
void forward_cpu(const F& f, const Tensor& x, Out y) {
  dispatch_float(x.dtype(), F::name, [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    parallel_elements(x.numel(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = f.forward(in[i]);
    });
  });
}

template <class F>
void backward_cpu(const F& f, const Tensor& g, const Tensor& saved, Out dx) {
  dispatch_float(g.dtype(), F::name, [&]<class T>() {
    const T* in = g.data<T>();
    const T* v = F::saves == Saves::nothing ? in : saved.data<T>();
    T* out = dx.mutate<T>();
    parallel_elements(g.numel(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = f.backward(in[i], v[i]);
    });
  });
}

// n elements along the last dimension. An operand that is broadcast along it does not move.
template <class F, class T>
void binary_row(const F& f, const T* a, bool a_moves, const T* b, bool b_moves, T* y, int64_t n) {
  if (a_moves && b_moves) {
    for (int64_t i = 0; i < n; ++i) y[i] = f.forward(a[i], b[i]);
  } else if (a_moves) {
    for (int64_t i = 0; i < n; ++i) y[i] = f.forward(a[i], *b);
  } else if (b_moves) {
    for (int64_t i = 0; i < n; ++i) y[i] = f.forward(*a, b[i]);
  } else {
    std::fill(y, y + n, f.forward(*a, *b));
  }
}

template <class F>
void binary_cpu(const F& f, const Tensor& a, const Tensor& b, Out y) {
  dispatch_float(y.dtype(), F::name, [&]<class T>() {
    const T *pa = a.data<T>(), *pb = b.data<T>();
    T* out = y.mutate<T>();
    const Shape& s = y.shape();
    if (a.shape() == s && b.shape() == s) {
      parallel_elements(y.numel(), [&](int64_t begin, int64_t end) {
        binary_row(f, pa + begin, true, pb + begin, true, out + begin, end - begin);
      });
      return;
    }
    const int last = s.dims() - 1;  // shapes differ, so there is a dimension
    const int64_t n = s[last];
    const Strides sa = broadcast_strides(a.shape(), s), sb = broadcast_strides(b.shape(), s);
    parallel_rows(n ? y.numel() / n : 0, n, [&](int64_t row) {
      int64_t at_a = 0, at_b = 0, rest = row;
      for (int d = last - 1; d >= 0; --d) {
        const int64_t k = rest % s[d];
        rest /= s[d];
        at_a += k * sa[d];
        at_b += k * sb[d];
      }
      binary_row(f, pa + at_a, sa[last] != 0, pb + at_b, sb[last] != 0, out + row * n, n);
    });
  });
}

template <class... F>
bool implement_unary(Functors<F...>) {
  return ((unary_forward<F>.implement(Device::cpu, forward_cpu<F>) &&
           unary_backward<F>.implement(Device::cpu, backward_cpu<F>)) &&
          ...);
}
template <class... F>
bool implement_binary(Functors<F...>) {
  return (binary_forward<F>.implement(Device::cpu, binary_cpu<F>) && ...);
}

[[maybe_unused]] const bool registered =
    implement_unary(UnaryFunctors{}) && implement_binary(BinaryFunctors{});

}  // namespace
}  // namespace fade
