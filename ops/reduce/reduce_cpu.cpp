#include <numeric>

#include "engine/parallel.h"
#include "ops/reduce/reduce_kernels.h"

namespace fade {
namespace {

constexpr int64_t kBlock = 1 << 12;  // elements of one partial sum

// Calls f(o, c, count) for columns [c, c + count) of outer index o:
// pieces of the result of at most kBlock elements.
template <class F>
void for_each_piece(Along s, F&& f) {
  const int64_t blocks = (s.inner + kBlock - 1) / kBlock;
  parallel_rows(s.outer * blocks, s.n * std::min(s.inner, kBlock), [&](int64_t piece) {
    const int64_t c = piece % blocks * kBlock;
    f(piece / blocks, c, std::min(kBlock, s.inner - c));
  });
}

// Several sums side by side: an addition waits for the one before it.
template <class T>
double sum_of(const T* x, int64_t n) {
  constexpr int64_t kSums = 8;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int64_t k = 0; k < kSums; ++k) sums[k] += static_cast<double>(x[i + k]);
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]);
  return std::accumulate(sums, sums + kSums, 0.0);
}

// The sum of all n elements: partial sums of blocks in parallel, added in order.
template <class T>
double sum_of_blocks(const T* x, int64_t n) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  const Tensor partial = Tensor::empty({blocks}, DType::f64);
  double* p = partial.mutate<double>();
  parallel_rows(blocks, kBlock,
                [&](int64_t b) { p[b] = sum_of(x + b * kBlock, std::min(kBlock, n - b * kBlock)); });
  return sum_of(p, blocks);
}

void sum_cpu(const Tensor& x, Along s, double factor, Out y) {
  dispatch_float(x.dtype(), "sum", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    if (s.outer == 1 && s.inner == 1) {
      *out = static_cast<T>(factor * sum_of_blocks(in, s.n));
    } else if (s.inner == 1) {
      parallel_rows(s.outer, s.n,
                    [&](int64_t o) { out[o] = static_cast<T>(factor * sum_of(in + o * s.n, s.n)); });
    } else {
      for_each_piece(s, [&](int64_t o, int64_t c, int64_t count) {
        double total[kBlock] = {};
        for (int64_t k = 0; k < s.n; ++k) {
          const T* row = in + (o * s.n + k) * s.inner + c;
          for (int64_t i = 0; i < count; ++i) total[i] += row[i];
        }
        for (int64_t i = 0; i < count; ++i) out[o * s.inner + c + i] = static_cast<T>(factor * total[i]);
      });
    }
  });
}

void broadcast_cpu(const Tensor& g, Along s, double factor, Out dx) {
  dispatch_float(g.dtype(), "sum", [&]<class T>() {
    const T* in = g.data<T>();
    T* out = dx.mutate<T>();
    const T f = static_cast<T>(factor);
    parallel_rows(s.outer * s.n, s.inner, [&](int64_t row) {
      const T* from = in + row / s.n * s.inner;
      for (int64_t i = 0; i < s.inner; ++i) out[row * s.inner + i] = f * from[i];
    });
  });
}

void extreme_forward_cpu(const char* op, const Tensor& x, Along s, Extreme which, Out y, Out index) {
  dispatch_float(x.dtype(), op, [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    int32_t* at = index.mutate<int32_t>();
    for_each_piece(s, [&](int64_t o, int64_t c, int64_t count) {
      T* best = out + o * s.inner + c;
      int32_t* where = at + o * s.inner + c;
      std::copy_n(in + o * s.n * s.inner + c, count, best);
      std::fill_n(where, count, 0);
      for (int64_t k = 1; k < s.n; ++k) {
        const T* row = in + (o * s.n + k) * s.inner + c;
        for (int64_t i = 0; i < count; ++i) {
          if (!beats(row[i], best[i], which)) continue;
          best[i] = row[i];
          where[i] = static_cast<int32_t>(k);
        }
      }
    });
  });
}

void extreme_backward_cpu(const Tensor& g, const Tensor& index, Along s, Out dx) {
  dispatch_float(g.dtype(), "max", [&]<class T>() {
    const T* in = g.data<T>();
    const int32_t* at = index.data<int32_t>();
    T* out = dx.mutate<T>();
    std::fill_n(out, dx.numel(), T{0});
    for (int64_t o = 0; o < s.outer; ++o) {
      for (int64_t i = 0; i < s.inner; ++i)
        out[(o * s.n + at[o * s.inner + i]) * s.inner + i] = in[o * s.inner + i];
    }
  });
}

[[maybe_unused]] const bool registered = sum_kernel.implement(Device::cpu, sum_cpu) &&
                                         broadcast_kernel.implement(Device::cpu, broadcast_cpu) &&
                                         extreme_forward.implement(Device::cpu, extreme_forward_cpu) &&
                                         extreme_backward.implement(Device::cpu, extreme_backward_cpu);

}  // namespace
}  // namespace fade
