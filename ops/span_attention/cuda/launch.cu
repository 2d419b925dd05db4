#include "ops/span_attention/cuda/launch.h"

#include <cmath>

#include "engine/product_precision.h"
#include "ops/dropout/keep_bits.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {
namespace {

using span_cuda::AttentionArrays;

/// True iff every row of each head begins at a multiple of 16 bytes.
template <class T>
bool whole_packs(int64_t head_size, std::initializer_list<const void*> arrays) {
  return head_size % span_cuda::kPack<T> == 0 && std::all_of(arrays.begin(), arrays.end(), [](const void* p) {
           return reinterpret_cast<uintptr_t>(p) % 16 == 0;
         });
}

/// pos as S.
template <class S>
Tensor positions_of(const SpanAttentionInputs& in) {
  return in.pos ? in.pos.to(dtype_of<S>) : Tensor();
}

/// `pos`: positions_of(in).
template <class S>
AttentionArrays<S> arrays_of(const SpanAttentionInputs& in, const Tensor& pos) {
  using T = compute_t<S>;
  const SpanAttentionSizes& s = in.sizes;
  const int64_t head_size = in.q.size(1) / s.heads, positions = in.pos ? in.pos.size(0) : 0;
  return {.q = in.q.data<S>(),
          .kv = in.kv.data<S>(),
          .pos = pos ? pos.data<S>() : nullptr,
          .start = in.start.data<int32_t>(),
          .age = in.age.data<int32_t>(),
          .memory_rows = s.memory_rows,
          .streams = s.streams,
          .block = s.block,
          .heads = s.heads,
          .head_size = static_cast<int32_t>(head_size),
          .positions = static_cast<int32_t>(positions),
          .tensor_cores = product_precision() == ProductPrecision::tf32,
          .whole_packs = false,
          .scale = static_cast<T>(1 / std::sqrt(static_cast<double>(head_size))),
          .epsilon = static_cast<T>(s.epsilon()),
          .mask = mask_formula(s, in.span ? in.span.data<T>() : nullptr),
          .last_position =
              static_cast<int32_t>(positions ? std::min<int64_t>(s.last_position(positions), kFar) : -kFar),
          .sizes = s,
          .kept = in.kept ? in.kept.data<int32_t>() : nullptr,
          .kept_factor = static_cast<T>(KeepRule(s.dropout.p).factor)};
}

template <class S>
void forward(const SpanAttentionInputs& in, const SpanAttentionResult& result) {
  const Tensor pos = positions_of<S>(in);
  AttentionArrays<S> x = arrays_of<S>(in, pos);
  S* out = result.out.mutate<S>();
  auto* lse = result.lse.mutate<compute_t<S>>();
  x.whole_packs = whole_packs<S>(x.head_size, {x.q, x.kv, x.pos, out});
  span_cuda::launch_forward(x, out, lse);
}

/// Lanes of compute_delta per query and head.
constexpr int kDeltaLanes = 8;

/// B1: delta [B, K, M] = Σ_d grad·out.
template <class S>
__global__ void compute_delta(AttentionArrays<S> x, const S* grad, const S* out, compute_t<S>* delta) {
  constexpr int W = span_cuda::kPack<S>;
  const int64_t pair = grid_thread() / kDeltaLanes, query = pair / x.heads;
  const int lane = static_cast<int>(threadIdx.x) % kDeltaLanes, head = static_cast<int>(pair % x.heads);
  const bool exists = query < int64_t{x.streams} * x.block;
  compute_t<S> sum = 0;
  span_cuda::with_packs(x, [&]<bool whole, int>() {
    for (int column = lane * W; exists && column < x.head_size; column += kDeltaLanes * W) {
      const auto g = span_cuda::load_pack<W, whole>(x, grad + pair * x.head_size, column);
      const auto o = span_cuda::load_pack<W, whole>(x, out + pair * x.head_size, column);
      for (int e = 0; e < W; ++e) sum += g.at[e] * o.at[e];
    }
  });
  sum = warp_reduce<kDeltaLanes>(sum, Sum{});
  if (exists && lane == 0)
    delta[x.statistic_offset(static_cast<int>(query / x.block), query % x.block, head)] = sum;
}

/// to[i] = factor·Σ_p parts[p, i], parts [count, n], in order.
template <class T>
struct SumParts {
  const T* parts;
  int64_t count, n;
  T factor;
  T* to;
  __device__ void operator()(int64_t i) const {
    T sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * n + i];
    to[i] = factor * sum;
  }
};

/// to[k] = factor·Σ_i parts[k, i], parts [thread blocks, n].
template <class T>
__global__ void sum_rows(const T* parts, int64_t n, T factor, T* to) {
  T sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += parts[blockIdx.x * n + i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) to[blockIdx.x] = factor * sum;
}

template <class S>
void backward(const SpanAttentionInputs& in, const SpanAttentionResult& result, const Tensor& grad,
              const SpanAttentionGradients& d) {
  using T = compute_t<S>;
  constexpr int kBlock = 256;
  const auto device_empty = [](const Shape& shape) {
    return Tensor::empty(shape, dtype_of<T>, Device::cuda);
  };
  const Tensor pos = positions_of<S>(in);
  AttentionArrays<S> x = arrays_of<S>(in, pos);
  const Tensor delta = device_empty(result.lse.shape());
  const span_cuda::BackwardInputs<S> b{
      .lse = result.lse.data<T>(), .delta = delta.mutate<T>(), .grad = grad.data<S>()};
  const S* out = result.out.data<S>();
  S *dq = d.q.mutate<S>(), *dkv = d.kv.mutate<S>();
  x.whole_packs = whole_packs<S>(x.head_size, {x.q, x.kv, x.pos, out, b.grad, dq, dkv});
  constexpr int kPairs = kBlock / kDeltaLanes;  // of a query and a head, per thread block
  launch("span_attention compute_delta", compute_delta<S>,
         static_cast<unsigned>((delta.numel() + kPairs - 1) / kPairs), kBlock, 0, x, b.grad, out,
         delta.mutate<T>());

  const Tensor dspan = d.span ? device_empty({x.heads, x.rows()}) : Tensor();
  span_cuda::launch_backward_dkv(x, b, dkv, dspan ? dspan.mutate<T>() : nullptr);
  if (d.span && in.sizes.mask == MaskKind::expiring)
    launch_each("span_attention dspan", x.rows(),
                SumParts<T>{dspan.data<T>(), x.heads, x.rows(), x.mask.inverse_ramp, d.span.mutate<T>()});
  else if (d.span)
    launch("span_attention dspan", sum_rows<T>, x.heads, kBlock, 0, dspan.data<T>(), x.rows(),
           x.mask.inverse_ramp, d.span.mutate<T>());

  const int64_t table = d.pos ? d.pos.numel() : 0, parts = table ? span_cuda::kPositionParts : 0;
  const Tensor dpos = Tensor::zeros({parts, table}, dtype_of<T>, Device::cuda);
  span_cuda::launch_backward_dq(x, b, dq, dpos.mutate<T>(), parts);
  if (d.pos)
    launch_each("span_attention dpos", table,
                SumParts<T>{dpos.data<T>(), parts, table, T{1}, d.pos.mutate<T>()});
}

void forward_cuda(const SpanAttentionInputs& in, const SpanAttentionResult& result) {
  dispatch_stored_float(in.q.dtype(), "span_attention", [&]<class S>() { forward<S>(in, result); });
}

void backward_cuda(const SpanAttentionInputs& in, const SpanAttentionResult& result, const Tensor& grad,
                   const SpanAttentionGradients& d) {
  dispatch_stored_float(in.q.dtype(), "span_attention", [&]<class S>() { backward<S>(in, result, grad, d); });
}

[[maybe_unused]] const bool registered = span_attention_forward.implement(Device::cuda, forward_cuda) &&
                                         span_attention_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
