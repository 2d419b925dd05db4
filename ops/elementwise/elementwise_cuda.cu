#include "engine/cuda/map.h"
#include "ops/elementwise/elementwise_kernels.h"

namespace fade {
namespace {

template <class F>
struct Forward {
  F f;
  __device__ auto operator()(auto... x) const { return f.forward(x...); }
};

template <class F>
struct Backward {
  F f;
  __device__ auto operator()(auto g, auto saved) const { return f.backward(g, saved); }
};

template <class F>
void forward_cuda(const F& f, const Tensor& x, Out y) {
  dispatch_float(x.dtype(), F::name,
                 [&]<class T>() { map(F::name, Forward<F>{f}, x.numel(), y.mutate<T>(), x.data<T>()); });
}

template <class F>
void backward_cuda(const F& f, const Tensor& g, const Tensor& saved, Out dx) {
  dispatch_float(g.dtype(), F::name, [&]<class T>() {
    const T* in = g.data<T>();
    map(F::name, Backward<F>{f}, g.numel(), dx.mutate<T>(), in,
        F::saves == Saves::nothing ? in : saved.data<T>());
  });
}

template <class F, class... In>
void broadcast_cuda(const F& f, Out y, const In&... in) {
  dispatch_float(y.dtype(), F::name, [&]<class T>() {
    const Shape& s = y.shape();
    map_strided(F::name, Forward<F>{f}, s, StridedView{y.mutate<T>(), broadcast_strides(s, s)},
                StridedView{in.template data<T>(), broadcast_strides(in.shape(), s)}...);
  });
}

template <class F>
void binary_cuda(const F& f, const Tensor& a, const Tensor& b, Out y) {
  broadcast_cuda(f, y, a, b);
}
template <class F>
void ternary_cuda(const F& f, const Tensor& a, const Tensor& b, const Tensor& c, Out y) {
  broadcast_cuda(f, y, a, b, c);
}

template <class... F>
bool implement_unary(Functors<F...>) {
  return (unary_forward<F>.implement(Device::cuda, forward_cuda<F>) && ...);
}
template <class... F>
bool implement_backward(Functors<F...>) {
  return (unary_backward<F>.implement(Device::cuda, backward_cuda<F>) && ...);
}
template <class... F>
bool implement_binary(Functors<F...>) {
  return (binary_forward<F>.implement(Device::cuda, binary_cuda<F>) && ...);
}
template <class... F>
bool implement_ternary(Functors<F...>) {
  return (ternary_forward<F>.implement(Device::cuda, ternary_cuda<F>) && ...);
}

[[maybe_unused]] const bool registered =
    implement_unary(UnaryFunctors{}) && implement_backward(UnaryFunctors{}) &&
    implement_unary(StepFunctors{}) && implement_binary(BinaryFunctors{}) &&
    implement_ternary(TernaryFunctors{});

}  // namespace
}  // namespace fade
