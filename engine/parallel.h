// Loops over the cores. OpenMP is the only thread pool in the process.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace fade {

/// Sets the number of threads that parallel loops and matrix products use. 0: one per core.
inline void set_threads(int n) { omp_set_num_threads(n > 0 ? n : omp_get_num_procs()); }
inline int threads() { return omp_get_max_threads(); }

/// Calls f(begin, end) for each range of a partition of [0, n), on several threads; `grain` is the fewest
/// items that are worth a thread. The ranges depend only on `n`, `grain` and the number of threads, so a run
/// repeats bit by bit. Up to `grain` items, or inside another parallel loop, it is a plain call. An exception
/// thrown in a range is rethrown here.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  const int64_t pieces = std::min<int64_t>(threads(), grain > 0 ? (n + grain - 1) / grain : n);
  if (pieces <= 1 || omp_in_parallel()) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  const int team = static_cast<int>(pieces);
  std::exception_ptr error;
#pragma omp parallel for schedule(static, 1) num_threads(team)
  for (int64_t p = 0; p < pieces; ++p) {
    try {
      f(n * p / pieces, n * (p + 1) / pieces);
    } catch (...) {
#pragma omp critical(fade_parallel_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

/// The fewest elements that are worth a thread.
inline constexpr int64_t kElementsPerThread = 1 << 14;

/// parallel_for over n elements that cost a few instructions each: f(begin, end).
template <class F>
void parallel_elements(int64_t n, F&& f) {
  parallel_for(n, kElementsPerThread, f);
}

/// Calls f(row) for each of `rows` rows of `width` elements that cost a few instructions each, on several
/// threads as parallel_for does.
template <class F>
void parallel_rows(int64_t rows, int64_t width, F&& f) {
  parallel_for(rows, kElementsPerThread / std::max<int64_t>(width, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row);
  });
}

/// While in scope, loops and matrix products that this thread starts run on it alone, so that their results
/// do not depend on the number of threads.
class OneThread {
 public:
  OneThread() : before_(threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace fade
