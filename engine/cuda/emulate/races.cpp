#include "engine/cuda/emulate/races.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "engine/cuda/emulate/block.h"
#include "engine/cuda/emulate/code_lines.h"
#include "engine/cuda/emulate/cuda.h"
#include "engine/cuda/emulate/race_words.h"
#include "engine/cuda/emulate/static_shared.h"
#include "engine/error.h"

namespace fade::emulate::races {

void* Words::zeros(size_t bytes) {
  void* p =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) fail("racecheck: no {} bytes of address space (raise ulimit -v)", bytes);
  return p;
}

namespace {

/// What was checked of each kernel. At its end the process appends it to the file FADE_RACECHECK_TABLE.
struct Table {
  struct Row {
    int64_t launches = 0, accesses = 0;
  };
  std::map<std::string, Row, std::less<>> rows;
  std::FILE* file = nullptr;

  Table() {
    const char* name = std::getenv("FADE_RACECHECK_TABLE");
    if (!name) return;
    file = std::fopen(name, "a");
    if (!file) refuse("FADE_RACECHECK_TABLE: {} cannot be written: {}", name, std::strerror(errno));
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() {
    if (!file) return;
    for (const auto& [kernel, row] : rows)
      fmt::print(file, "{}\t{}\t{}\n", kernel, row.launches, row.accesses);
    std::fclose(file);
  }
};

struct Race {
  std::optional<Access> first;  ///< none: the second reads what was never written
  Access second;
  bool shared;
};

class Detector {
 public:
  Words words;

  void begin_launch(const Grid& grid) {
    grid_ = grid;
    const uint64_t blocks = uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
    if (blocks > std::numeric_limits<uint32_t>::max() - next_block_)
      fail("racecheck: {}: more than 2^32 thread blocks in one process (run fewer tests at a time)",
           grid.name);
    first_block_ = next_block_;
    next_block_ += static_cast<uint32_t>(blocks);
    row_ = &table_.rows[grid.name];
    ++row_->launches;
    race_.reset();
    own_memory_ = {reinterpret_cast<uintptr_t>(&here), sizeof here};
    static_shared_ = static_shared_memory();
  }

  void begin_block(int64_t number, const void* shared) {
    block_ = first_block_ + static_cast<uint32_t>(number);
    dynamic_shared_ = {reinterpret_cast<uintptr_t>(shared), grid_.shared_bytes};
  }

  // Clocks are never set back: what is of an earlier thread block is told by its number.
  void block_barrier() {
    for (Clocks& t : threads_) t.met_by_all = ++t.own;
  }

  void warp_barrier(int warp, uint32_t lanes) {
    Clocks* const of_warp = &threads_[32 * warp];
    std::array<uint32_t, 32> met{};
    for (uint32_t left = lanes; left; left &= left - 1) {
      const auto& of_lane = of_warp[std::countr_zero(left)].met_in_warp;
      std::ranges::transform(met, of_lane, met.begin(),
                             [](uint32_t a, uint32_t b) { return std::max(a, b); });
    }
    for (uint32_t left = lanes; left; left &= left - 1)
      met[std::countr_zero(left)] = ++of_warp[std::countr_zero(left)].own;
    for (uint32_t left = lanes; left; left &= left - 1) of_warp[std::countr_zero(left)].met_in_warp = met;
  }

  void access(uintptr_t p, size_t bytes, AccessKind kind, uintptr_t code) {
    if (own_memory_.holds(p)) return;
    const bool shared = dynamic_shared_.holds(p) ||
                        std::ranges::any_of(static_shared_, [&](const Range& r) { return r.holds(p); });
    if (!shared && !words.of_device(p)) return;
    ++row_->accesses;
    Access now = by_running_thread(kind, code);
    for (const uintptr_t end = p + bytes; p < end;) {
      const uintptr_t first = p % kWord, last = std::min<uintptr_t>(kWord, first + (end - p));
      now.bytes = (1u << last) - (1u << first);
      check(words.at(p), now, shared);
      p += last - first;
    }
  }

  // p and bytes are those of whole words.
  void arrive(uintptr_t p, size_t bytes, AccessKind kind, uintptr_t code) {
    kind.pending = true;
    const Access sought = by_running_thread(kind, code);
    const auto is_sought = [&](const Access& a) {
      return a.block == sought.block && a.thread == sought.thread && pending(a) && a.code == sought.code &&
             a.write == sought.write;
    };
    for (uintptr_t word = p; word < p + bytes; word += kWord)
      if (const auto a = std::ranges::find_if(words.at(word), is_sought); a != words.at(word).end()) *a = {};
    kind.pending = false;
    access(p, bytes, kind, code);
  }

  std::string found() const { return race_ ? sentence(*race_) : std::string(); }

 private:
  struct Clocks {
    uint32_t own = 0;
    uint32_t met_by_all = 0;                    ///< accesses before are ordered for the whole thread block,
    std::array<uint32_t, 32> met_in_warp = {};  ///< those of each lane before for this thread
  };

  static constexpr uint32_t kPending = std::numeric_limits<uint32_t>::max();  // a clock that is never passed
  static bool pending(const Access& a) { return a.clock == kPending; }

  Access by_running_thread(AccessKind kind, uintptr_t code) {
    thread_ = number_of(here.thread, here.threads);
    Access a{.block = block_,
             .clock = kind.pending ? kPending : threads_[thread_].own,
             .code = code,
             .thread = thread_};
    a.write = kind.write;
    a.atomic = kind.atomic;
    return a;
  }

  // True iff a barrier of the whole thread block came after the access.
  bool met_by_all(const Access& a) const { return a.clock < threads_[a.thread].met_by_all; }

  // True iff the access is the running thread's, or before a barrier that is between the two threads.
  bool ordered(const Access& a) const {
    if (a.block != block_ || pending(a)) return false;
    return a.thread == thread_ || met_by_all(a) ||
           (a.thread / 32 == thread_ / 32 && a.clock < threads_[thread_].met_in_warp[a.thread % 32]);
  }

  void check(Word& word, const Access& now, bool shared) {
    unsigned written = 0;
    Access* over = nullptr;
    for (Access& a : word) {
      if (shared ? a.block != block_ : a.block < first_block_) {  // of what is over
        a = {};
        continue;
      }
      if (a.write) written |= a.bytes;
      if (!ordered(a)) {
        if ((a.bytes & now.bytes) && (a.write || now.write) && !(a.atomic && now.atomic))
          note({a, now, shared});
      } else if (!(a.bytes & ~now.bytes) && a.write <= now.write && a.atomic >= now.atomic) {
        a = {};  // what races with it from now on also races with this one
      } else if (shared && met_by_all(a)) {
        // Races with nothing any more. One access keeps which bytes were written.
        if (a.write && !over) {
          over = &a;
        } else {
          if (a.write) over->bytes |= a.bytes;
          a = {};
        }
      }
    }
    const bool reads = !now.write || now.atomic;
    if (shared && reads && (now.bytes & ~written)) note({std::nullopt, now, shared});
    remember(word, now);
  }

  // Of many threads that read before the next write, the first ones and the last one are remembered: they are
  // of different warps if any are. A write is replaced only if its bytes are in other writes, so that they
  // still count as written.
  static void remember(Word& word, const Access& now) {
    const auto replaceable = [&](const Access& a) {
      unsigned others = now.write ? now.bytes : 0u;
      for (const Access& b : word)
        if (&b != &a && b.write) others |= b.bytes;
      return !(a.bytes & ~others);
    };
    auto place = std::ranges::find(word, 0u, &Access::block);
    if (place == word.end()) {
      auto last = std::find_if(word.rbegin(), word.rend(), [](const Access& a) { return !a.write; });
      if (last == word.rend()) last = std::find_if(word.rbegin(), word.rend(), replaceable);
      if (last == word.rend()) return;
      place = last.base() - 1;
    }
    *place = now;
  }

  // The first race. What reads before the first write, because a barrier is missing, is one.
  void note(const Race& race) {
    if (!race_ || (race.first && !race_->first)) race_ = race;
  }

  static std::string place(uint64_t number, dim3 size) {
    const uint3 at = index_of(number, size);
    return fmt::format("({},{},{})", at.x, at.y, at.z);
  }
  std::string block(const Access& a) const {
    return "thread block " + place(a.block - first_block_, grid_.blocks);
  }
  std::string thread(const Access& a) const { return "thread " + place(a.thread, grid_.threads); }

  std::string sentence(const Race& race) const {
    const auto does = [](const Access& a) {
      return fmt::format("{}{} it at {}",
                         a.atomic     ? "atomically "
                         : pending(a) ? "asynchronously "
                                      : "",
                         a.write ? "writes" : "reads", code_lines(a.code));
    };
    const Access& second = race.second;
    if (!race.first)
      return fmt::format("kernel {}, {}, {}: reads shared memory that no thread has written, at {}",
                         grid_.name, block(second), thread(second), code_lines(second.code));
    const Access& first = *race.first;
    if (first.block != second.block)
      return fmt::format(
          "kernel {}: {} of {} and {} of {} race for global memory: the first {}, the second {} (thread blocks "
          "are not ordered: give each address one writer, or launch a second kernel)",
          grid_.name, thread(first), block(first), thread(second), block(second), does(first), does(second));
    return fmt::format("kernel {}, {}: {} and {} race for {} memory: the first {}, the second {} ({})",
                       grid_.name, block(second), thread(first), thread(second),
                       race.shared ? "shared" : "global", does(first), does(second),
                       pending(first)
                           ? "the first has not waited for its copy: wait_for_copies"
                           : "no barrier is between them: __syncthreads, or __syncwarp within a warp");
  }

  Grid grid_{};
  uint32_t first_block_ = 1, next_block_ = 1,
           block_ = 0;   // of the launch; of the next launch; the running one
  uint32_t thread_ = 0;  // the running one
  std::array<Clocks, 1024> threads_;
  Range own_memory_, dynamic_shared_;
  std::vector<Range> static_shared_;
  std::optional<Race> race_;
  Table table_;
  Table::Row* row_ = nullptr;
};

Detector& detector() {
  static Detector only;
  return only;
}

}  // namespace

void add_memory(const void* p, size_t bytes) {
  detector().words.set_of_device(reinterpret_cast<uintptr_t>(p), bytes, true);
}
void remove_memory(const void* p, size_t bytes) {
  detector().words.set_of_device(reinterpret_cast<uintptr_t>(p), bytes, false);
}
void begin_launch(const Grid& grid) { detector().begin_launch(grid); }
void begin_block(int64_t number, const void* shared) { detector().begin_block(number, shared); }
void block_barrier() { detector().block_barrier(); }
void warp_barrier(int warp, uint32_t lanes) { detector().warp_barrier(warp, lanes); }

void access(const void* p, size_t bytes, AccessKind kind, const void* code) {
  if (here.kernel)
    detector().access(reinterpret_cast<uintptr_t>(p), bytes, kind, reinterpret_cast<uintptr_t>(code) - 1);
}
void arrive(const void* p, size_t bytes, AccessKind kind, const void* code) {
  detector().arrive(reinterpret_cast<uintptr_t>(p), bytes, kind, reinterpret_cast<uintptr_t>(code) - 1);
}

std::string found() { return detector().found(); }

}  // namespace fade::emulate::races
