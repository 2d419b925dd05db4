#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/elementwise/unary_cuda.h"

namespace fade {
namespace {

// bf16 for the sum only, the one that models take of activations.
template <class F, class... In>
void broadcast_cuda(const F& f, Out y, const In&... in) {
  const auto launch = [&]<class T>() {
    const Shape& s = y.shape();
    map_strided(F::name, ForwardElement<F>{f}, s, StridedView{y.mutate<T>(), broadcast_strides(s, s)},
                StridedView{in.template data<T>(), broadcast_strides(in.shape(), s)}...);
  };
  if constexpr (std::is_same_v<F, Add>)
    dispatch_stored_float(y.dtype(), F::name, launch);
  else
    dispatch_float(y.dtype(), F::name, launch);
}

template <class F>
void binary_cuda(const F& f, const Tensor& a, const Tensor& b, Out y) {
  broadcast_cuda(f, y, a, b);
}
template <class F>
void ternary_cuda(const F& f, const Tensor& a, const Tensor& b, const Tensor& c, Out y) {
  broadcast_cuda(f, y, a, b, c);
}

[[maybe_unused]] const bool registered =
    implement_each(UnaryFunctors{}, []<class F>(F) { implement_unary_cuda<F>(); }) &&
    implement_each(StepFunctors{},
                   []<class F>(F) { unary_forward<F>.implement(Device::cuda, unary_forward_cuda<F>); }) &&
    implement_each(BinaryFunctors{},
                   []<class F>(F) { binary_forward<F>.implement(Device::cuda, binary_cuda<F>); }) &&
    implement_each(TernaryFunctors{},
                   []<class F>(F) { ternary_forward<F>.implement(Device::cuda, ternary_cuda<F>); });

}  // namespace
}  // namespace fade
