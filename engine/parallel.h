// Loops over the cores. One pool of threads serves the whole process.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fade {

/// Sets the number of threads that parallel loops use. 0: one for each core that the process may run on,
/// divided by the processes of share_cores, and at most OMP_NUM_THREADS where that is set. Throws InputError when
/// that is set to something else than a number.
void set_threads(int n);
/// Tells how many processes run on the cores of this one, which set_threads(0) then divides. Chooses the number
/// of threads anew.
void share_cores(int processes);
/// That number; 1 while a OneThread of this thread is in scope.
int threads();

/// True inside a parallel loop: loops within it are plain calls.
bool in_parallel();

/// Calls call(context, p) for each piece 0 ≤ p < pieces, on several threads; returns when all are done. Piece
/// p belongs to thread p, the caller's is 0, but the caller takes over what another thread has not begun when
/// its own is done, so that a thread that gets no core delays nothing. Idle threads wait actively for a short
/// while and then sleep. When the pool serves another thread of the program, or the system gives no more
/// threads, the caller runs what they do not. An exception of a piece is rethrown when all are done.
void run_pieces(int pieces, void (*call)(const void* context, int piece), const void* context);

/// Calls f(begin, end) for each range of a partition of [0, n), on several threads; `grain` is the fewest
/// items that are worth a thread. The ranges depend only on `n`, `grain` and the number of threads, so a run
/// repeats bit by bit. Up to `grain` items, or inside another parallel loop, it is a plain call. An exception
/// thrown in a range is rethrown here.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  const int64_t pieces = std::min<int64_t>(threads(), grain > 0 ? (n + grain - 1) / grain : n);
  if (pieces <= 1 || in_parallel()) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  const auto piece = [&](int64_t p) { f(n * p / pieces, n * (p + 1) / pieces); };
  run_pieces(
      static_cast<int>(pieces),
      [](const void* context, int p) { (*static_cast<const decltype(piece)*>(context))(p); }, &piece);
}

/// The fewest elements that are worth a thread.
inline constexpr int64_t kElementsPerThread = 1 << 14;

/// parallel_for over n elements that cost a few instructions each: f(begin, end).
template <class F>
void parallel_elements(int64_t n, F&& f) {
  parallel_for(n, kElementsPerThread, f);
}

/// parallel_for over rows of `width` elements that cost a few instructions each: f(begin, end).
template <class F>
void parallel_row_ranges(int64_t rows, int64_t width, F&& f) {
  parallel_for(rows, kElementsPerThread / std::max<int64_t>(width, 1) + 1, f);
}

/// The same, row by row: f(row).
template <class F>
void parallel_rows(int64_t rows, int64_t width, F&& f) {
  parallel_row_ranges(rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row);
  });
}

/// While in scope, loops that this thread starts run on it alone, so that results do not depend
/// on the threads.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  bool before_;
};

}  // namespace fade
