#include "engine/cuda/rows.h"
#include "engine/cuda/sum.h"
#include "ops/cross_entropy/cross_entropy_kernels.h"
#include "ops/softmax/softmax_math.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  const T* logits;
  const int32_t* targets;
  IndexCheck check;
  T* lse;
  double* loss;  // of each row
  __device__ void operator()(const auto& row) const {
    const T* x = logits + row.start();
    const T shift = exponent_shift(row.max([](T v) { return v; }, x));
    const T of_row = shift + std::log(row.sum([=](T v) { return std::exp(v - shift); }, x));
    if (row.lane != 0) return;
    lse[row.index] = of_row;
    const int32_t target = targets[row.index];
    loss[row.index] = check(target, row.index, row.size) ? static_cast<double>(of_row) - x[target] : 0;
  }
};

template <class T>
struct Backward {
  const T *g, *logits, *lse;
  const int32_t* targets;
  T* dlogits;
  int64_t rows;
  __device__ void operator()(const auto& row) const {
    const T factor = *g / static_cast<T>(rows), of_row = lse[row.index];
    const int32_t target = targets[row.index];
    T* d = dlogits + row.start();
    row.map([=](T v) { return std::exp(v - of_row) * factor; }, d, logits + row.start());
    if (row.owns(target)) d[target] -= factor;
  }
};

void forward_cuda(const Tensor& logits, const Tensor& targets, Out lse, Out loss) {
  const int64_t rows = logits.size(0);
  const Tensor losses = Tensor::empty({rows}, DType::f64, Device::cuda);
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() {
    const T* x = logits.data<T>();
    launch_rows("cross_entropy", {rows, logits.size(1)},
                Forward<T>{x, targets.data<int32_t>(), index_check("cross_entropy", "target"),
                           lse.mutate<T>(), losses.mutate<double>()},
                x);
  });
  sum_middle("cross_entropy", losses, {1, rows, 1}, 1 / static_cast<double>(rows), loss);
}

void backward_cuda(const Tensor& g, const Tensor& logits, const Tensor& targets, const Tensor& lse,
                   Out dlogits) {
  dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() {
    const T* x = logits.data<T>();
    T* dx = dlogits.mutate<T>();
    launch_rows("cross_entropy_backward", {logits.size(0), logits.size(1)},
                Backward<T>{g.data<T>(), x, lse.data<T>(), targets.data<int32_t>(), dx, logits.size(0)}, x,
                dx);
  });
}

[[maybe_unused]] const bool registered = cross_entropy_forward.implement(Device::cuda, forward_cuda) &&
                                         cross_entropy_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
