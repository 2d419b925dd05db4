#include "engine/cuda/rows.h"
#include "ops/softmax/softmax_kernels.h"
#include "ops/softmax/softmax_math.h"

namespace fade {
namespace {

// `value(in...)` gives x, or −inf for a column that does not take part; e^−inf is exactly 0. Exponentials are
// computed twice, which costs less than storing and loading them.
template <class T, class Row, class Value, class... In>
__device__ void softmax_row(const Row& row, const Value& value, T* y, const In*... in) {
  const T shift = exponent_shift(row.max(value, in...));
  const auto power = [&](In... v) { return std::exp(value(v...) - shift); };
  const T sum = row.sum(power, in...), factor = sum == 0 ? T{0} : 1 / sum;
  row.map([&](In... v) { return power(v...) * factor; }, y, in...);
}

template <class T>
struct Softmax {
  const T* x;
  T* y;
  __device__ void operator()(const auto& row) const {
    softmax_row(
        row, [](T v) { return v; }, y + row.start(), x + row.start());
  }
};

template <class T>
struct SoftmaxWhere {
  const T *x, *mask;  // [B, K, M, L], [B, M, L]
  T* y;
  int64_t heads, queries;
  __device__ void operator()(const auto& row) const {
    const int64_t of_mask = row.index / (heads * queries) * queries + row.index % queries;
    softmax_row(
        row, [](T v, T m) { return m > 0 ? v : -static_cast<T>(INFINITY); }, y + row.start(), x + row.start(),
        mask + of_mask * row.size);
  }
};

template <class T>
struct SoftmaxBackward {
  const T *g, *y;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T *gr = g + row.start(), *yr = y + row.start();
    const T dot = row.sum([](T gi, T yi) { return gi * yi; }, gr, yr);
    row.map([=](T gi, T yi) { return yi * (gi - dot); }, dx + row.start(), gr, yr);
  }
};

template <class T>
struct LogSoftmax {
  const T* x;
  T* y;
  __device__ void operator()(const auto& row) const {
    const T* xr = x + row.start();
    const T shift = exponent_shift(row.max([](T v) { return v; }, xr));
    const T sum = row.sum([=](T v) { return std::exp(v - shift); }, xr);
    const T lse = sum == 0 ? T{0} : std::log(sum);  // of x − shift; a row of −inf stays −inf
    row.map([=](T v) { return v - shift - lse; }, y + row.start(), xr);
  }
};

template <class T>
struct LogSoftmaxBackward {
  const T *g, *y;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T *gr = g + row.start(), *yr = y + row.start();
    const T total = row.sum([](T gi) { return gi; }, gr);
    row.map([=](T gi, T yi) { return gi - std::exp(yi) * total; }, dx + row.start(), gr, yr);
  }
};

template <class T>
struct LogSumExp {
  const T* x;
  T* y;
  __device__ void operator()(const auto& row) const {
    const T* xr = x + row.start();
    const T shift = exponent_shift(row.max([](T v) { return v; }, xr));
    const T sum = row.sum([=](T v) { return std::exp(v - shift); }, xr);
    if (row.lane == 0) y[row.index] = shift + std::log(sum);
  }
};

template <class T>
struct LogSumExpBackward {
  const T *g, *x, *y;
  T* dx;
  __device__ void operator()(const auto& row) const {
    const T shift = exponent_shift(y[row.index]), factor = g[row.index];
    row.map([=](T v) { return factor * std::exp(v - shift); }, dx + row.start(), x + row.start());
  }
};

RowSizes rows_of(const Tensor& x) {
  const int64_t n = x.size(-1);
  return {n ? x.numel() / n : 0, n};
}

void forward(const Tensor& x, const Tensor& mask, Out y) {
  dispatch_float(x.dtype(), "softmax", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    if (mask) {
      const T* m = mask.data<T>();
      launch_rows("softmax_where", rows_of(x), SoftmaxWhere<T>{in, m, out, x.size(1), x.size(2)}, in, m, out);
    } else {
      launch_rows("softmax", rows_of(x), Softmax<T>{in, out}, in, out);
    }
  });
}

void log_forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "log_softmax", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = y.mutate<T>();
    launch_rows("log_softmax", rows_of(x), LogSoftmax<T>{in, out}, in, out);
  });
}

template <template <class> class Backward>
void backward(const Tensor& g, const Tensor& y, Out dx) {
  dispatch_float(g.dtype(), "softmax", [&]<class T>() {
    const T *pg = g.data<T>(), *py = y.data<T>();
    T* out = dx.mutate<T>();
    launch_rows("softmax_backward", rows_of(g), Backward<T>{pg, py, out}, pg, py, out);
  });
}

void lse_forward(const Tensor& x, Out y) {
  dispatch_float(x.dtype(), "logsumexp", [&]<class T>() {
    const T* in = x.data<T>();
    launch_rows("logsumexp", rows_of(x), LogSumExp<T>{in, y.mutate<T>()}, in);
  });
}

void lse_backward(const Tensor& g, const Tensor& x, const Tensor& y, Out dx) {
  dispatch_float(g.dtype(), "logsumexp", [&]<class T>() {
    const T* in = x.data<T>();
    T* out = dx.mutate<T>();
    launch_rows("logsumexp_backward", rows_of(x), LogSumExpBackward<T>{g.data<T>(), in, y.data<T>(), out}, in,
                out);
  });
}

[[maybe_unused]] const bool registered =
    softmax_forward.implement(Device::cuda, forward) &&
    softmax_backward.implement(Device::cuda, backward<SoftmaxBackward>) &&
    log_softmax_forward.implement(Device::cuda, log_forward) &&
    log_softmax_backward.implement(Device::cuda, backward<LogSoftmaxBackward>) &&
    logsumexp_forward.implement(Device::cuda, lse_forward) &&
    logsumexp_backward.implement(Device::cuda, lse_backward);

}  // namespace
}  // namespace fade
