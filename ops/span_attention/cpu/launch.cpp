#include "ops/span_attention/cpu/scratch.h"

#include <algorithm>
#include <atomic>

#include "engine/parallel.h"
#include "engine/primitives.h"
#include "ops/dropout/keep_bits.h"

namespace fade {
namespace {

// The gradient of the position table is summed in this many parts, whatever the number of threads, so that a
// run repeats bit by bit on any machine.
constexpr int64_t kParts = 64;
constexpr int64_t kGrain = 1 << 18;  // fewest additions worth a thread

/// Position rows within the distance of the oldest row of the context; no query needs those beyond.
int64_t positions_in_use(const SpanAttentionInputs& in) {
  if (!in.pos || in.sizes.slots.count) return in.pos ? in.pos.size(0) : 0;
  const int32_t* age = in.age.data<int32_t>();
  const int32_t oldest = in.age.numel() ? *std::max_element(age, age + in.age.numel()) : 0;
  return std::clamp<int64_t>(int64_t{oldest} + in.sizes.block - 1, 0, in.pos.size(0));
}

template <class T>
AttentionArrays<T> arrays_of(const SpanAttentionInputs& in) {
  const auto optional = [](const Tensor& t) { return t ? t.data<T>() : nullptr; };
  return {.q = in.q.data<T>(),
          .kv = in.kv.data<T>(),
          .pos = optional(in.pos),
          .span = optional(in.span),
          .start = in.start.data<int32_t>(),
          .age = in.age.data<int32_t>(),
          .kept = in.kept ? in.kept.data<int32_t>() : nullptr,
          .kept_factor = static_cast<T>(KeepRule(in.sizes.dropout.p).factor),
          .rows = in.kv.size(0),
          .head_size = in.q.size(1) / in.sizes.heads,
          .positions = positions_in_use(in),
          .sizes = in.sizes};
}

void check_start(const int32_t* start, const SpanAttentionSizes& s) {
  if (start[0] != 0 || start[s.streams] != s.memory_rows || !std::is_sorted(start, start + s.streams + 1))
    fail("span_attention: start runs from {} to {} (it must rise from 0 to the {} memory rows)", start[0],
         start[s.streams], s.memory_rows);
}

/// Calls f(task, scratch) for each task on all threads, with `size` elements of scratch. Dynamic scheduling:
/// streams have different numbers of live rows.
template <class T, class F>
void for_each_task(int64_t tasks, int64_t size, F&& f) {
  const int64_t workers = std::min<int64_t>(threads(), tasks);
  const Tensor scratch = Tensor::empty({workers, size}, dtype_of<T>);
  T* base = scratch.mutate<T>();
  std::atomic<int64_t> next{0};
  parallel_for(workers, 1, [&](int64_t worker, int64_t) {
    for (int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
      f(task, base + worker * size);
  });
}

Head head_number(int64_t n, const SpanAttentionSizes& s) { return {n / s.heads, n % s.heads}; }

template <class T>
void forward(const SpanAttentionInputs& in, const SpanAttentionResult& result) {
  const ForwardArrays<T> x{arrays_of<T>(in), result.out.mutate<T>(), result.lse.mutate<T>()};
  const SpanAttentionSizes& s = x.sizes;
  check_start(x.start, s);
  if (s.block == 1 && !x.kept) {
    for_each_task<T>(s.streams, QueryScratch<T>(x, nullptr).arena.used,
                     [&](int64_t stream, T* scratch) { forward_query(x, stream, scratch); });
    return;
  }
  const int64_t tiles = (s.block + kTile - 1) / kTile;
  for_each_task<T>(s.streams * s.heads * tiles, scratch_size<ForwardScratch, T>(x),
                   [&](int64_t task, T* scratch) {
                     forward_tile(x, head_number(task / tiles, s), task % tiles * kTile, scratch);
                   });
}

/// to[i] = Σ_p parts[p][i], parts [count, stride], in order.
template <class T>
void sum_parts(const T* parts, int64_t count, int64_t stride, T* to, int64_t n) {
  std::fill(to, to + n, T{0});
  for (int64_t p = 0; p < count; ++p)
    for (int64_t i = 0; i < n; ++i) to[i] += parts[p * stride + i];
}

template <class T>
void backward(const SpanAttentionInputs& in, const SpanAttentionResult& result, const Tensor& grad,
              const SpanAttentionGradients& d) {
  const SpanAttentionSizes& s = in.sizes;
  const int64_t heads = int64_t{s.streams} * s.heads, parts = std::min(heads, kParts);
  Tensor dspan, dpos;
  if (d.span)
    dspan = Tensor::empty(
        s.mask == MaskKind::expiring ? Shape{s.heads, d.span.size(0)} : Shape{s.streams, s.heads},
        dtype_of<T>);
  const BackwardArrays<T> x{arrays_of<T>(in),
                            result.out.data<T>(),
                            result.lse.data<T>(),
                            grad.data<T>(),
                            d.q.mutate<T>(),
                            d.kv.mutate<T>(),
                            dspan ? dspan.mutate<T>() : nullptr};
  const int64_t table = x.positions * padded_head(x.head_size);
  dpos = Tensor::empty({parts, table}, dtype_of<T>);
  T* parts_of_dpos = dpos.mutate<T>();
  for_each_task<T>(parts, scratch_size<BackwardScratch, T>(x), [&](int64_t part, T* scratch) {
    T* to = parts_of_dpos + part * table;
    std::fill(to, to + table, T{0});
    for (int64_t h = heads * part / parts; h < heads * (part + 1) / parts; ++h)
      backward_head(x, head_number(h, s), to, scratch);
  });
  if (d.span) sum_parts(x.dspan, dspan.size(0), dspan.size(1), d.span.mutate<T>(), d.span.numel());
  if (d.pos) {
    T* to = d.pos.mutate<T>();
    std::fill(to + x.positions * x.head_size, to + d.pos.numel(), T{0});
    parallel_for(x.positions, kGrain / (parts * x.head_size) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        sum_parts(parts_of_dpos + p * padded_head(x.head_size), parts, table, to + p * x.head_size,
                  x.head_size);
    });
  }
}

void forward_cpu(const SpanAttentionInputs& in, const SpanAttentionResult& result) {
  dispatch_float(in.q.dtype(), "span_attention", [&]<class T>() { forward<T>(in, result); });
}

void backward_cpu(const SpanAttentionInputs& in, const SpanAttentionResult& result, const Tensor& grad,
                  const SpanAttentionGradients& d) {
  dispatch_float(in.q.dtype(), "span_attention", [&]<class T>() { backward<T>(in, result, grad, d); });
}

[[maybe_unused]] const bool registered = span_attention_forward.implement(Device::cpu, forward_cpu) &&
                                         span_attention_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
