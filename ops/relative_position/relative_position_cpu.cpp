#include <vector>

#include "engine/parallel.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

/// Columns [column, column + count) of the result whose ages fall by one from column to column, as those of
/// neighbouring rows do: their numbers are neighbours in x too, in reverse.
struct Run {
  int64_t column, count;
  int64_t place;  ///< of the first column in x, for query 0: its age − 1
};

using Runs = std::vector<Run>;

// The runs of one stream, in order, without those that no query has within P distances.
Runs runs_of(const int32_t* age, int64_t rows, int64_t queries, int64_t distances) {
  Runs runs;
  for (int64_t j = 0, end; j < rows; j = end) {
    for (end = j + 1; end < rows && age[end] == age[end - 1] - 1;) ++end;
    const Run run{j, end - j, int64_t{age[j]} - 1};
    if (run.place - run.count + 1 < distances && run.place + queries > 0) runs.push_back(run);
  }
  return runs;
}

// Calls f(row, near) for each row [.., i, :] of a [B, K, M, ·] tensor. near(g) calls g(column, place, count) for
// each run of columns at the places place, place − 1, ... of x.
template <class F>
void for_each_query(const Shape& x, const Tensor& age, F&& f) {
  const int64_t streams = x[0], heads = x[1], queries = x[2], distances = x[3], context = age.size(1);
  std::vector<Runs> runs;
  for (int64_t b = 0; b < streams; ++b)
    runs.push_back(runs_of(age.data<int32_t>() + b * context, context, queries, distances));
  parallel_rows(streams * heads * queries, context, [&](int64_t row) {
    const Runs& of_stream = runs[static_cast<size_t>(row / (heads * queries))];
    f(row, [&](const auto& g) {
      for (const Run& run : of_stream) {
        const int64_t place = run.place + row % queries;
        const int64_t begin = std::max<int64_t>(0, place - distances + 1),
                      end = std::min(run.count, place + 1);
        if (begin < end) g(run.column + begin, place - begin, end - begin);
      }
    });
  });
}

void forward(const Tensor& x, const Tensor& age, bool add, Out y) {
  dispatch_float(x.dtype(), "relative_position", [&]<class T>() {
    const T* px = x.data<T>();
    T* py = y.mutate<T>();
    const int64_t distances = x.size(3), context = y.size(3);
    for_each_query(x.shape(), age, [&](int64_t row, const auto& near) {
      T* to = py + row * context;
      if (!add) std::fill_n(to, context, T{0});
      near([&](int64_t column, int64_t place, int64_t count) {
        const T* from = px + row * distances + place;
        for (int64_t k = 0; k < count; ++k) to[column + k] += from[-k];
      });
    });
  });
}

void backward(const Tensor& g, const Tensor& age, Out dx) {
  dispatch_float(g.dtype(), "relative_position", [&]<class T>() {
    const T* pg = g.data<T>();
    T* out = dx.mutate<T>();
    const int64_t distances = dx.size(3), context = g.size(3);
    for_each_query(dx.shape(), age, [&](int64_t row, const auto& near) {
      const T* from = pg + row * context;
      T* to = out + row * distances;
      std::fill_n(to, distances, T{0});
      near([&](int64_t column, int64_t place, int64_t count) {
        for (int64_t k = 0; k < count; ++k) to[place - k] += from[column + k];
      });
    });
  });
}

[[maybe_unused]] const bool registered = relative_position_forward.implement(Device::cpu, forward) &&
                                         relative_position_backward.implement(Device::cpu, backward);

}  // namespace
}  // namespace fade
