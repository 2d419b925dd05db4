#include "engine/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/error.h"
#include "engine/held_signals.h"

namespace fade {
namespace {

thread_local bool alone = false, inside = false;
std::atomic<int> wanted{0};   ///< threads of a loop; 0: not yet set
std::atomic<int> sharing{1};  ///< processes on the cores of this one

/// How long a thread waits actively before it sleeps. Loops follow each other within microseconds, waking a
/// thread takes tens of them; but a thread that waits longer takes its core from other processes.
constexpr std::chrono::microseconds kActive{100};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`.
void wait_while(const std::atomic<int>& value, int old) {
  constexpr int kPauses = 32;  // between looks at the clock
  for (const auto end = std::chrono::steady_clock::now() + kActive; std::chrono::steady_clock::now() < end;)
    for (int i = 0; i < kPauses; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
  value.wait(old, std::memory_order_acquire);
}

class Pool {
 public:
  // False, and nothing is done, when the pool serves another thread.
  bool run(int pieces, void (*call)(const void*, int), const void* context) {
    const std::unique_lock serving(serving_, std::try_to_lock);
    if (!serving) return false;
    grow(pieces - 1);
    call_ = call;
    context_ = context;
    unfinished_.store(pieces - 1, std::memory_order_relaxed);
    for (int k = 1; k < pieces; ++k) offer(workers_[static_cast<size_t>(k) - 1]);
    work(0);
    for (int k = 1; k < pieces; ++k)
      if (take(workers_[static_cast<size_t>(k) - 1])) finish(k);
    while (const int left = unfinished_.load(std::memory_order_acquire)) wait_while(unfinished_, left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

 private:
  /// A thread, and whether its piece of the current loop is still to be begun. Each has its own line
  /// of the cache.
  struct alignas(64) Worker {
    std::atomic<int> offered{0};
  };

  static void offer(Worker& worker) {
    worker.offered = 1;  // ordered before the look, in notify_one, for a thread that sleeps
    worker.offered.notify_one();
  }
  // Whoever takes a piece runs it; only then may it look at the loop, which lasts until all pieces are done.
  static bool take(Worker& worker) { return worker.offered.exchange(0, std::memory_order_acq_rel) == 1; }

  void work(int piece) {
    inside = true;
    try {
      call_(context_, piece);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      error_ = std::current_exception();
    }
    inside = false;
  }

  void finish(int piece) {
    work(piece);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }

  void grow(int count) {
    while (static_cast<int>(workers_.size()) < count) {
      Worker& worker = workers_.emplace_back();
      const int piece = static_cast<int>(workers_.size());
      if (no_more_threads_) continue;  // the caller takes over all that is offered
      const HeldSignals from_workers;  // a signal to the process is one to the thread that began it
      try {
        std::thread([this, &worker, piece] {
          for (;;) {
            wait_while(worker.offered, 0);
            if (take(worker)) finish(piece);
          }
        }).detach();
      } catch (const std::system_error&) {
        no_more_threads_ = true;
      }
    }
  }

  std::mutex serving_, error_mutex_;
  std::deque<Worker> workers_;  // (a deque does not move them)
  void (*call_)(const void*, int) = nullptr;
  const void* context_ = nullptr;
  std::exception_ptr error_;
  bool no_more_threads_ = false;  ///< the system gives the process no more
  alignas(64) std::atomic<int> unfinished_{0};
};

// Never destroyed: its threads run until the process ends. They do not survive fork(): the new process gets
// a new pool.
std::atomic<Pool*>& pool() {
  static std::atomic<Pool*> current = [] {
    ::pthread_atfork(nullptr, nullptr, [] { pool() = new Pool; });
    return new Pool;
  }();
  return current;
}

int usable_threads() {
  cpu_set_t cores;
  const int usable = ::sched_getaffinity(0, sizeof cores, &cores) == 0
                         ? CPU_COUNT(&cores)
                         : static_cast<int>(std::thread::hardware_concurrency());
  const int all = std::max(usable / sharing, 1);
  const char* const limit = std::getenv("OMP_NUM_THREADS");
  if (!limit || !*limit) return all;
  // Of a list, for nested loops, the first; blanks around it are allowed.
  const std::string_view text(limit);
  std::string_view first = text.substr(0, text.find(','));
  while (first.starts_with(' ')) first.remove_prefix(1);
  while (first.ends_with(' ')) first.remove_suffix(1);
  int most = 0;
  const auto [stop, error] = std::from_chars(first.data(), first.data() + first.size(), most);
  if (error != std::errc{} || stop != first.data() + first.size() || most < 1)
    refuse("OMP_NUM_THREADS: found {}, allowed: a number of at least 1 (or unset it)", text);
  return std::min(all, most);
}

}  // namespace

void set_threads(int n) { wanted = n > 0 ? n : usable_threads(); }

void share_cores(int processes) {
  sharing = processes;
  wanted = 0;
}

int threads() {
  if (alone) return 1;
  if (wanted == 0) set_threads(0);
  return wanted;
}

bool in_parallel() { return inside; }

void run_pieces(int pieces, void (*call)(const void* context, int piece), const void* context) {
  if (pool().load()->run(pieces, call, context)) return;
  std::exception_ptr error;
  inside = true;
  for (int p = 0; p < pieces; ++p) try {
      call(context, p);
    } catch (...) {
      error = std::current_exception();
    }
  inside = false;
  if (error) std::rethrow_exception(error);
}

OneThread::OneThread() : before_(std::exchange(alone, true)) {}
OneThread::~OneThread() { alone = before_; }

}  // namespace fade
