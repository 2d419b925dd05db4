#include <bit>

#include "engine/cuda/column_sums.h"
#include "engine/cuda/rows.h"
#include "ops/rms_norm/rms_norm_kernels.h"

namespace fade {
namespace {

// One head, as seen by one of the lanes that share it: neighbours in a warp, a power of two of them, because a head
// is shorter than a warp's load. They take packs of N elements in turn. All lanes of a warp call sum, those past the
// last head with size 0.
template <int N>
struct HeadLanes {
  int64_t index;  // of the head, row after row
  int64_t start;  // its first element
  int64_t size;
  int lanes, lane;

  template <class F, class... In>
  __device__ auto sum(const F& f, const In*... in) const {
    auto total = decltype(f(*in...)){0};
    const auto add = [&](const Pack<In, N>&... pack) {
      for (int k = 0; k < N; ++k) total += f(pack.v[k]...);
    };
    for (int64_t i = int64_t{lane} * N; i < size; i += lanes * N) add(load_pack<N>(in + i)...);
    for (int distance = lanes / 2; distance > 0; distance /= 2)
      total += __shfl_xor_sync(~0u, total, distance);
    return total;
  }

  template <class F, class T, class... In>
  __device__ void map(const F& f, T* out, const In*... in) const {
    for (int64_t i = int64_t{lane} * N; i < size; i += lanes * N)
      map_detail::apply<N>(f, out + i, load_pack<N>(in + i)...);
  }
};

// The place of a head in r; −1 if it is copied.
__device__ int64_t place(Heads heads, int64_t index) {
  const int64_t row = index / heads.all, h = index - row * heads.all;
  return h < heads.normalised ? row * heads.normalised + h : -1;
}

template <class T>
struct Forward {
  using C = compute_t<T>;
  const T* x;
  const C* weight;
  Heads heads;
  C eps;
  T* y;
  C* r;

  __device__ void operator()(const auto& head) const {
    const T* in = x + head.start;
    const C mean = head.sum([](C v) { return v * v; }, in) / static_cast<C>(head.size);
    const int64_t at = place(heads, head.index);
    if (at < 0) return head.map([](C v) { return v; }, y + head.start, in);
    const C factor = 1 / std::sqrt(mean + eps);
    head.map([=](C v, C w) { return v * factor * w; }, y + head.start, in, weight);
    if (head.lane == 0 && head.size > 0) r[at] = factor;
  }
};

template <class T>
struct InputGradient {
  using C = compute_t<T>;
  const T *g, *x;
  const C *weight, *r;
  Heads heads;
  T* dx;

  __device__ void operator()(const auto& head) const {
    const T *gs = g + head.start, *in = x + head.start;
    const int64_t at = place(heads, head.index);
    const C factor = at < 0 || head.size == 0 ? 0 : r[at];
    const C sum = head.sum([=](C gi, C w, C v) { return gi * w * v * factor; }, gs, weight, in);
    if (at < 0) return head.map([](C gi) { return gi; }, dx + head.start, gs);
    const C mean = sum / static_cast<C>(head.size);
    head.map([=](C gi, C w, C v) { return factor * (gi * w - v * factor * mean); }, dx + head.start, gs,
             weight, in);
  }
};

// For sum_columns: Σ g·n over the rows, zeros where heads are copied.
template <class T>
struct WeightGradient {
  using C = compute_t<T>;
  const T *g, *x;
  const C* r;
  Heads heads;
  int64_t size;

  template <int N>
  __device__ void add(int64_t row, int64_t column, C (&sum)[1][N]) const {
    if (column >= heads.normalised * size) return;
    const int64_t at = row * heads.all * size + column;
    const Pack<T, N> gi = load_pack<N>(g + at), xi = load_pack<N>(x + at);
    for (int k = 0; k < N; ++k) {
      const int64_t h = (column + k) / size;
      if (h < heads.normalised) sum[0][k] += gi.v[k] * xi.v[k] * r[row * heads.normalised + h];
    }
  }
};

template <int N, class F>
__global__ void heads_kernel(F f, int64_t heads, int64_t size, int lanes) {
  const int64_t index = grid_thread() / lanes;
  f(HeadLanes<N>{.index = index,
                 .start = index * size,
                 .size = index < heads ? size : 0,
                 .lanes = lanes,
                 .lane = static_cast<int>(grid_thread() % lanes)});
}

// Calls f(head) for each head of `size` elements, on the lanes that share it. `data`: all arrays that f reads or
// writes by head.
template <class F, class... T>
void launch_heads(const char* name, int64_t heads, int64_t size, const F& f, const T*... data) {
  const auto go = [&]<int N>() {
    const auto lanes =
        static_cast<int>(std::min<uint64_t>(kWarp, std::bit_ceil(static_cast<uint64_t>(size) / N)));
    constexpr int kBlock = 256;
    launch(name, heads_kernel<N, F>, (heads * lanes + kBlock - 1) / kBlock, kBlock, 0, f, heads, size, lanes);
  };
  constexpr int N = kRowPackOf<T...>;
  size % N == 0 && (takes_packs<N>(data) && ...) ? go.template operator()<N>() : go.template operator()<1>();
}

void forward(const Tensor& x, const Tensor& weight, Heads heads, double eps, Out y, Out r) {
  dispatch_stored_float(x.dtype(), "rms_norm", [&]<class T>() {
    using C = compute_t<T>;
    const Forward<T> f{.x = x.data<T>(),
                       .weight = weight.data<C>(),
                       .heads = heads,
                       .eps = static_cast<C>(eps),
                       .y = y.mutate<T>(),
                       .r = r.mutate<C>()};
    launch_heads("rms_norm", r.size(0) * heads.all, weight.numel(), f, f.x, f.weight, f.y);
  });
}

void backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& r, Heads heads, Out dx,
              Out dweight) {
  const int64_t rows = r.size(0), size = weight.numel();
  dispatch_stored_float(x.dtype(), "rms_norm", [&]<class T>() {
    using C = compute_t<T>;
    if (dx) {
      const InputGradient<T> f{.g = g.data<T>(),
                               .x = x.data<T>(),
                               .weight = weight.data<C>(),
                               .r = r.data<C>(),
                               .heads = heads,
                               .dx = dx.mutate<T>()};
      launch_heads("rms_norm_backward", rows * heads.all, size, f, f.g, f.x, f.weight, f.dx);
    }
    if (dweight) {
      const WeightGradient<T> f{
          .g = g.data<T>(), .x = x.data<T>(), .r = r.data<C>(), .heads = heads, .size = size};
      const Tensor of_heads = Tensor::empty({heads.all * size}, dtype_of<C>, Device::cuda);
      sum_columns<C>("rms_norm_backward", rows, of_heads.numel(), f, {of_heads}, f.g, f.x);
      sum_middle("rms_norm_backward", of_heads, {1, heads.all, size}, 1, dweight);
    }
  });
}

[[maybe_unused]] const bool registered =
    rms_norm_forward.implement(Device::cuda, forward) && rms_norm_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
