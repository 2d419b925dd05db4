#include "engine/cuda/map.h"
#include "engine/cuda/moved.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {
namespace {

int64_t row_size(const Tensor& x) { return x.shape().numel(1, x.shape().dims()); }
int64_t row_bytes(const Tensor& x) { return row_size(x) * static_cast<int64_t>(size_of(x.dtype())); }

// Calls f<N>() with the number N of elements that can be moved at once.
template <class T, class F>
void with_packs(int64_t row_size, std::initializer_list<const T*> data, const F& f) {
  constexpr int N = kPackOf<T>;
  if (row_size % N == 0 && std::all_of(data.begin(), data.end(), takes_packs<N, T>))
    f.template operator()<N>();
  else
    f.template operator()<1>();
}

// One unit of y: an element, or 16 bytes of a row, which has `units`.
template <class U>
struct Gather {
  const U *top, *bottom;
  const int32_t* index;
  int64_t split, rows, units;  // rows of top, and of both
  IndexCheck check;            // allows −1 where padding gives a row of zeros
  U* y;
  __device__ void operator()(int64_t i) const {
    const int32_t row = index[i / units];
    const bool there = check(row, i / units, rows) && row >= 0;
    const U* from = row < split ? top + row * units : bottom + (row - split) * units;
    y[i] = there ? from[i % units] : U{};
  }
};

template <class U>
void gather(const Tensor& top, const Tensor& bottom, const Tensor& index, GatherRule rule, Out y) {
  const int64_t split = top.size(0), rows = split + (bottom ? bottom.size(0) : 0);
  const int64_t units = row_bytes(top) / static_cast<int64_t>(sizeof(U));
  launch_each(rule.op, index.numel() * units,
              Gather<U>{.top = read_as<U>(top),
                        .bottom = read_as<U>(bottom),
                        .index = index.data<int32_t>(),
                        .split = split,
                        .rows = rows,
                        .units = units,
                        .check = index_check(rule.op, rule.what, rule.lowest),
                        .y = write_as<U>(y)});
}

void forward(const Tensor& top, const Tensor& bottom, const Tensor& index, GatherRule rule, Out y) {
  const auto aligned = [](const Tensor& x) { return takes_packs<4>(read_as<uint32_t>(x)); };
  if (row_bytes(top) % 16 == 0 && aligned(top) && aligned(bottom) && aligned(y))
    return gather<Pack<uint32_t, 4>>(top, bottom, index, rule, y);
  dispatch_size(top.dtype(), [&]<class U>() { gather<U>(top, bottom, index, rule, y); });
}

// Backward: each row of dx belongs to one column of thread blocks, which adds the g of the places that took
// the row. First, NotePlaces writes the places of each row into kSlots slots per row. For a row with more
// places (only few rows can have that many) the thread block searches all places instead. In both cases the
// order of the additions depends on the index only.
constexpr int kSlots = 32;

struct NotePlaces {
  const int32_t* index;
  int64_t rows;
  int32_t *count, *slots;  // [rows], [rows, kSlots]
  __device__ void operator()(int64_t place) const {
    const int32_t row = index[place];
    if (row < 0 || row >= rows) return;
    const int32_t slot = atomicAdd(count + row, 1);
    if (slot < kSlots) slots[int64_t{row} * kSlots + slot] = static_cast<int32_t>(place);
  }
};

constexpr int kBlock = 256, kWarps = kBlock / kWarp;
constexpr int kOfWarp = 4 * kWarp;          // places per warp and scan
constexpr int kScanned = kWarps * kOfWarp;  // places per thread block and scan
constexpr int kListed = 2 * kScanned;       // capacity of the list of places to be added

/// The places of one row, in ascending order, in shared memory.
struct PlaceList {
  int32_t places[kListed];
  int32_t of_warp[kWarps];
  int size;
};

// Sorts the slots, which atomics filled in any order: the rank of a place is the number of smaller ones.
__device__ void list_slots(PlaceList& list, const int32_t* slots, int count) {
  const int rank = thread_rank();
  if (rank < count) {
    int before = 0;
    for (int k = 0; k < count; ++k) before += slots[k] < slots[rank];
    list.places[before] = slots[rank];
  }
  if (rank == 0) list.size = count;
  __syncthreads();
}

// Appends those of the places [begin, begin + kScanned) that took `row`.
__device__ void list_matches(PlaceList& list, const int32_t* index, int64_t begin, int64_t places,
                             int32_t row) {
  const int lane = thread_rank() % kWarp, warp = thread_rank() / kWarp;
  const int64_t first = begin + warp * kOfWarp + lane;
  unsigned matches[kOfWarp / kWarp];
  int found = 0;
  for (int k = 0; k < kOfWarp / kWarp; ++k) {
    const int64_t place = first + k * kWarp;
    matches[k] = __ballot_sync(~0u, place < places && index[place] == row);
    found += __popc(matches[k]);
  }
  if (lane == 0) list.of_warp[warp] = found;
  __syncthreads();
  int at = list.size;
  for (int w = 0; w < warp; ++w) at += list.of_warp[w];
  for (int k = 0; k < kOfWarp / kWarp; ++k) {
    if (matches[k] >> lane & 1)
      list.places[at + __popc(matches[k] & ((1u << lane) - 1))] = static_cast<int32_t>(first + k * kWarp);
    at += __popc(matches[k]);
  }
  __syncthreads();
  if (thread_rank() == kBlock - 1) list.size = at;
  __syncthreads();
}

// One thread block per row (x) and tile of columns (y). threadIdx.x is a pack of columns; threads with
// different threadIdx.y share the places.
template <class T, int N>
__global__ void add_places(const T* g, const int32_t* index, int64_t places, const int32_t* count,
                           const int32_t* slots, T* dx, int64_t n) {
  __shared__ PlaceList list;
  __shared__ Pack<T, N> sums[kBlock];
  const int32_t row = static_cast<int32_t>(blockIdx.x), taken = count[row];
  if (taken == 0) return;
  const int64_t column = (int64_t{blockIdx.y} * blockDim.x + threadIdx.x) * N;
  Pack<T, N> sum{};
  const auto add = [&](const Pack<T, N>& more) {
    for (int k = 0; k < N; ++k) sum.v[k] += more.v[k];
  };
  const auto add_listed = [&] {
    if (column < n) {
#pragma unroll 4
      for (int k = static_cast<int>(threadIdx.y); k < list.size; k += static_cast<int>(blockDim.y)) {
        add(load_pack<N>(g + list.places[k] * n + column));
      }
    }
  };
  if (taken <= kSlots) {
    list_slots(list, slots + int64_t{row} * kSlots, taken);
  } else {
    if (thread_rank() == 0) list.size = 0;
    __syncthreads();
    for (int64_t begin = 0; begin < places; begin += kScanned) {
      if (list.size > kListed - kScanned) {
        add_listed();
        __syncthreads();
        if (thread_rank() == 0) list.size = 0;
      }
      list_matches(list, index, begin, places, row);
    }
  }
  add_listed();
  sums[thread_rank()] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= n) return;
  for (unsigned k = 1; k < blockDim.y; ++k) add(sums[k * blockDim.x + threadIdx.x]);
  T* to = dx + row * n + column;
  add(load_pack<N>(to));
  store_pack(to, sum);
}

// Threads along x for the packs of a row, at least one warp; threads along y share the places. With many
// places per row, y gets more of the thread block, and the columns more thread blocks.
dim3 block_for(int64_t packs, int64_t places, int64_t rows) {
  unsigned columns = kWarp;
  if (places < 4 * rows)
    while (columns < packs && columns < kBlock) columns *= 2;
  return {columns, kBlock / columns};
}

void backward(const Tensor& g, const Tensor& index, Out dx) {
  const int64_t rows = dx.size(0), places = index.numel(), n = row_size(dx);
  const Tensor count = Tensor::zeros({rows}, DType::i32, Device::cuda);
  const Tensor slots = Tensor::empty({rows, kSlots}, DType::i32, Device::cuda);
  const int32_t* at = index.data<int32_t>();
  launch_each("note_places", places, NotePlaces{at, rows, count.mutate<int32_t>(), slots.mutate<int32_t>()});
  dispatch_float(g.dtype(), "gather_rows", [&]<class T>() {
    const T* from = g.data<T>();
    T* to = dx.mutate<T>();
    with_packs<T>(n, {from, to}, [&]<int N>() {
      const dim3 block = block_for(n / N, places, rows);
      const int64_t tiles = (n / N + block.x - 1) / block.x;
      launch("gather_rows_backward", add_places<T, N>,
             dim3(static_cast<unsigned>(rows), static_cast<unsigned>(tiles)), block, 0, from, at, places,
             count.data<int32_t>(), slots.data<int32_t>(), to, n);
    });
  });
}

[[maybe_unused]] const bool registered = gather_rows_forward.implement(Device::cuda, forward) &&
                                         gather_rows_backward.implement(Device::cuda, backward);

}  // namespace
}  // namespace fade
