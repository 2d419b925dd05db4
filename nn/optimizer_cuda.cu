// One launch handles many tensors: a launch costs more than the update of a small tensor.
#include <cmath>

#include "engine/cuda/map.h"
#include "engine/cuda/sum.h"
#include "nn/optimizer.h"

namespace fade {
namespace {

constexpr int kTensors = 64;         // per launch: their pointers and sizes fit into a kernel's arguments
constexpr int64_t kElements = 4096;  // per thread block
constexpr int kBlock = 256;          // threads per thread block

int64_t pieces_of(int64_t elements) { return (elements + kElements - 1) / kElements; }

/// Tensors cut into pieces of kElements: one piece per thread block.
struct Pieces {
  int tensors = 0;
  int64_t size[kTensors] = {};
  int64_t first[kTensors + 1] = {};  ///< first piece of each tensor; running sums, the last is the count

  void append(int64_t elements) {
    size[tensors] = elements;
    first[tensors + 1] = first[tensors] + pieces_of(elements);
    ++tensors;
  }
  int64_t count() const { return first[tensors]; }
};

/// The piece of this thread block.
struct Piece {
  int tensor = 0;
  int64_t begin, end;
  __device__ explicit Piece(const Pieces& pieces) {
    while (blockIdx.x >= pieces.first[tensor + 1]) ++tensor;
    const int64_t size = pieces.size[tensor];
    begin = (blockIdx.x - pieces.first[tensor]) * kElements;
    end = begin + kElements < size ? begin + kElements : size;
  }
  /// Calls f<N>(i) for packs of N elements, and f<1>(i) for each element of the rest.
  /// Spreads the calls over the threads.
  template <int N, class F>
  __device__ void each(const F& f) const {
    const int64_t packed = begin + (end - begin) / N * N;
    for (int64_t i = begin + int64_t{threadIdx.x} * N; i < packed; i += kBlock * N)
      f.template operator()<N>(i);
    for (int64_t i = packed + threadIdx.x; i < end; i += kBlock) f.template operator()<1>(i);
  }
};

template <class T>
struct Updated {
  Pieces pieces;
  T *value[kTensors] = {}, *first[kTensors] = {}, *second[kTensors] = {};
  const T* grad[kTensors] = {};
};

template <int N, class T, class Rule>
__global__ void update(Updated<T> u, Rule rule, GradScale scale, const double* norm, T l2) {
  constexpr bool two = Rule::states == 2;
  const double of_all = norm ? *norm : 0;
  if (!std::isfinite(of_all)) return;
  const T factor = static_cast<T>(scale.factor(of_all));
  const Piece piece(u.pieces);
  const int t = piece.tensor;
  piece.each<N>([&]<int n>(int64_t i) {
    const Pack<T, n> g = load_pack<n>(u.grad[t] + i);
    Pack<T, n> p = load_pack<n>(u.value[t] + i), first = load_pack<n>(u.first[t] + i), second{};
    if constexpr (two) second = load_pack<n>(u.second[t] + i);
    for (int k = 0; k < n; ++k) {
      T s[2] = {first.v[k], second.v[k]};
      rule(p.v[k], g.v[k] * factor + l2 * p.v[k], s);
      first.v[k] = s[0];
      second.v[k] = s[1];
    }
    store_pack(u.value[t] + i, p);
    store_pack(u.first[t] + i, first);
    if constexpr (two) store_pack(u.second[t] + i, second);
  });
}

template <class T, class Rule>
void update_batch(std::span<const OptimizerSlot> slots, const Rule& rule, const GradScale& scale,
                  const Tensor& norm, double l2) {
  constexpr int N = kPackOf<T>;
  static_assert(sizeof(Updated<T>) + sizeof(Rule) < 4000, "a kernel takes 4096 bytes of arguments");
  Updated<T> u;
  bool packs = true;
  for (const OptimizerSlot& slot : slots) {
    const int t = u.pieces.tensors;
    u.value[t] = slot.value.mutate<T>();
    u.grad[t] = slot.grad.data<T>();
    u.first[t] = slot.state[0].mutate<T>();
    u.second[t] = Rule::states == 2 ? slot.state[1].mutate<T>() : u.first[t];
    packs = packs && takes_packs<N>(u.value[t]) && takes_packs<N>(u.grad[t]) && takes_packs<N>(u.first[t]) &&
            takes_packs<N>(u.second[t]);
    u.pieces.append(slot.value.numel());
  }
  launch("optimizer", packs ? update<N, T, Rule> : update<1, T, Rule>,
         static_cast<unsigned>(u.pieces.count()), kBlock, 0, u, rule, scale,
         norm ? norm.data<double>() : nullptr, static_cast<T>(l2));
}

// Calls f for each batch of tensors that one launch takes.
template <class Tensors, class F>
void for_each_batch(Tensors all, const F& f) {
  for (size_t i = 0; i < all.size(); i += kTensors)
    f(all.subspan(i, std::min<size_t>(kTensors, all.size() - i)));
}

void step(std::span<const OptimizerSlot> slots, const OptimizerRule& rule, const GradScale& scale,
          const Tensor& norm, double l2) {
  dispatch_float(slots.front().value.dtype(), "optimizer", [&]<class T>() {
    for_each_batch(slots, [&](std::span<const OptimizerSlot> batch) {
      std::visit([&](const auto& r) { update_batch<T>(batch, r, scale, norm, l2); }, rule);
    });
  });
}

template <class T>
struct Squared {
  Pieces pieces;
  const T* data[kTensors] = {};
};

template <int N, class T>
__global__ void sum_of_squares(Squared<T> s, double* partial) {
  const Piece piece(s.pieces);
  double sum = 0;
  piece.each<N>([&]<int n>(int64_t i) {
    const Pack<T, n> g = load_pack<n>(s.data[piece.tensor] + i);
    for (int k = 0; k < n; ++k) sum += static_cast<double>(g.v[k]) * static_cast<double>(g.v[k]);
  });
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// Writes a partial sum per piece of the tensors to partial[0], ... Returns the end.
template <class T>
double* squares_of(std::span<const Tensor> grads, double* partial) {
  constexpr int N = kPackOf<T>;
  Squared<T> s;
  bool packs = true;
  for (const Tensor& grad : grads) {
    s.data[s.pieces.tensors] = grad.data<T>();
    packs = packs && takes_packs<N>(grad.data<T>());
    s.pieces.append(grad.numel());
  }
  launch("grad_norm", packs ? sum_of_squares<N, T> : sum_of_squares<1, T>,
         static_cast<unsigned>(s.pieces.count()), kBlock, 0, s, partial);
  return partial + s.pieces.count();
}

struct SquareRoot {
  __device__ double operator()(double x) const { return std::sqrt(x); }
};

void norm_of(std::span<const Tensor> grads, Out norm) {
  int64_t pieces = 0;
  for (const Tensor& grad : grads) pieces += pieces_of(grad.numel());
  const Tensor partial = Tensor::empty({pieces}, DType::f64, Device::cuda);
  double* to = partial.mutate<double>();
  for_each_batch(grads, [&](std::span<const Tensor> batch) {
    dispatch_float(batch.front().dtype(), "grad_norm", [&]<class T>() { to = squares_of<T>(batch, to); });
  });
  sum_middle("grad_norm", partial, {1, pieces, 1}, 1, norm);
  map("grad_norm", SquareRoot{}, 1, norm.mutate<double>(), norm.data<double>());
}

[[maybe_unused]] const bool registered =
    optimizer_kernel.implement(Device::cuda, step) && grad_norm_kernel.implement(Device::cuda, norm_of);

}  // namespace
}  // namespace fade
