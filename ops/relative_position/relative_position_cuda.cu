#include "engine/cuda/rows.h"
#include "ops/relative_position/relative_position_kernels.h"

namespace fade {
namespace {

// Row (b·K + h)·M + i: one query of one head.
template <class T>
struct Forward {
  const T* x;
  const int32_t* age;
  int64_t heads, queries, distances;
  bool add;
  T* y;
  __device__ void operator()(const auto& row) const {
    const T* from = x + row.index * distances;
    const int64_t i = row.index % queries, limit = distances;
    const auto near = [=](int32_t a) {
      const int64_t p = a + i - 1;
      return p >= 0 && p < limit ? from[p] : T{0};
    };
    const int32_t* ages = age + row.index / (heads * queries) * row.size;
    T* to = y + row.start();
    if (add)
      row.map([=](T before, int32_t a) { return before + near(a); }, to, to, ages);
    else
      row.map(near, to, ages);
  }
};

// Backward needs the context rows at a distance, in order. For each stream and each age that a column of dx
// can ask for there is a linked list of rows: `first` holds the first row of an age, `next` the next row of
// the same age; kNone ends a list.
constexpr int32_t kNone = -1;

struct AgeLists {
  int64_t rows, ages, lowest;  ///< per stream: its rows, and lists for the ages [lowest, lowest + ages)
  int32_t *first, *next;       ///< [B, ages], [B, rows]
};

struct BuildAgeLists {
  const int32_t* age;
  AgeLists lists;
  __device__ void operator()(int64_t item) const {
    const int64_t items = lists.ages + lists.rows, b = item / items, k = item % items;
    const int32_t* ages = age + b * lists.rows;
    if (k < lists.ages)
      lists.first[b * lists.ages + k] = find(ages, lists.lowest + k, 0);
    else
      lists.next[b * lists.rows + k - lists.ages] = find(ages, ages[k - lists.ages], k - lists.ages + 1);
  }

  __device__ int32_t find(const int32_t* ages, int64_t wanted, int64_t from) const {
    for (int64_t j = from; j < lists.rows; ++j) {
      if (ages[j] == wanted) return static_cast<int32_t>(j);
    }
    return kNone;
  }
};

template <class T>
struct Backward {
  const T* g;
  AgeLists lists;
  int64_t heads, queries, distances;
  T* dx;
  __device__ void operator()(int64_t element) const {
    const int64_t row = element / distances, p = element % distances;
    const int64_t b = row / (heads * queries), age = p + 1 - row % queries;
    T sum = 0;
    int32_t j = lists.first[b * lists.ages + age - lists.lowest];
    for (; j != kNone; j = lists.next[b * lists.rows + j]) sum += g[row * lists.rows + j];
    dx[element] = sum;
  }
};

void forward_cuda(const Tensor& x, const Tensor& age, bool add, Out y) {
  dispatch_float(x.dtype(), "relative_position", [&]<class T>() {
    const int32_t* ages = age.data<int32_t>();
    T* to = y.mutate<T>();
    launch_rows("relative_position", {y.shape().numel(0, 3), y.size(3)},
                Forward<T>{x.data<T>(), ages, x.size(1), x.size(2), x.size(3), add, to}, ages, to);
  });
}

void backward_cuda(const Tensor& g, const Tensor& age, Out dx) {
  const int64_t streams = g.size(0), queries = g.size(2), rows = g.size(3), distances = dx.size(3);
  const int64_t ages = distances + queries - 1;  // from 1 − (M − 1) for the last query to P for the first
  const Tensor first = Tensor::empty({streams, ages}, DType::i32, Device::cuda);
  const Tensor next = Tensor::empty({streams, rows}, DType::i32, Device::cuda);
  const AgeLists lists{rows, ages, 2 - queries, first.mutate<int32_t>(), next.mutate<int32_t>()};
  launch_each("relative_position_lists", streams * (ages + rows), BuildAgeLists{age.data<int32_t>(), lists});
  dispatch_float(g.dtype(), "relative_position", [&]<class T>() {
    launch_each("relative_position_backward", dx.numel(),
                Backward<T>{g.data<T>(), lists, g.size(1), queries, distances, dx.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = relative_position_forward.implement(Device::cuda, forward_cuda) &&
                                         relative_position_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
