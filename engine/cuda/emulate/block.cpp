#include "engine/cuda/emulate/block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "engine/cuda/emulate/async_copy.h"
#include "engine/cuda/emulate/fiber.h"
#include "engine/cuda/emulate/races.h"
#include "engine/cuda/emulate/report.h"
#include "engine/error.h"

namespace fade::emulate {

constinit thread_local Here here;

namespace {

constexpr int kNone = -1;

uint32_t bit_of(int thread) { return uint32_t{1} << (thread & 31); }

std::string at(Site site) { return fmt::format("{}:{}", site.file, site.line); }

bool same(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }

bool same(Site a, Site b) { return a.line == b.line && same(a.file, b.file); }

/// A thread of the thread block.
struct Thread {
  uint3 index{};
  Fiber* fiber = nullptr;          ///< the stack on which it runs; nullptr before it starts
  const char* waits_at = nullptr;  ///< the last barrier or exchange at which it waited,
  Site site{};                     ///< and the line of that
};

/// The lanes of one mask, which meet at one warp operation after the other. Two sets of values are enough:
/// a lane that brings its third value has read those of the first meeting, and so have all lanes that came
/// to the second.
struct Meeting {
  uint32_t mask = 0, arrived = 0, number = 0;
  const char* what = nullptr;
  std::array<std::array<uint64_t, 32>, 2> values;
};

struct Warp {
  uint32_t exist = 0, ready = 0, returned = 0;  ///< sets of lanes
  std::deque<Meeting> meetings;                 ///< one per mask

  Meeting& meeting(uint32_t mask) {
    for (Meeting& m : meetings)
      if (m.mask == mask) return m;
    Meeting& m = meetings.emplace_back();
    m.mask = mask;
    return m;
  }
};

/// Runs thread blocks, one after the other. Each thread of the operating system has its own worker.
class Worker {
 public:
  Worker() { report_crashes_of_this_thread(); }
  ~Worker() {
    quit_ = true;
    for (Fiber& fiber : fibers_) main_.switch_to(fiber);
  }

  void run_block(const Grid& grid, const std::function<void()>& body, int64_t block) {
    begin_block(grid, block);
    body_ = &body;
    main_.switch_to(fiber_of(next_thread()));
    if (returned_ < count()) {
      abandon(fmt::format("kernel {}, thread block ({},{},{}): {}", grid.name, here.block.x, here.block.y,
                          here.block.z, deadlock()));
      main_.switch_to(fiber_of(next_thread()));
    }
    here.kernel = nullptr;
    if (abandoned_) throw Error(error_);
  }

  // For the running thread:

  int block_barrier(bool value, const char* what, Site site) {
    if (barrier_.arrived == 0) {
      barrier_.first = current_;
    } else if (const Thread& first = threads_[barrier_.first]; !same(first.site, site)) {
      fail(
          "{} at {}, while thread {} of the thread block waits at {} at {} "
          "(a barrier is for all threads of a thread block: do not branch around it)",
          what, at(site), barrier_.first, first.waits_at, at(first.site));
    }
    barrier_.sum += value;
    if (++barrier_.arrived == count()) {
      barrier_.result = barrier_.sum;
      barrier_.arrived = barrier_.sum = 0;
      for (Warp& w : warps_) w.ready = w.exist;
      if constexpr (kRacecheck) races::block_barrier();
    }
    wait(what, site);
    return barrier_.result;
  }

  const uint64_t* warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site) {
    const uint32_t bit = bit_of(current_);
    Warp& w = warp_of(current_);
    if (!(mask & bit))
      fail("{} at {}: the mask {:#010x} does not name the calling lane {}", what, at(site), mask, here.lane);
    if (const uint32_t gone = mask & w.returned)
      fail("{} at {}: the mask {:#010x} names lane {}, which has returned", what, at(site), mask,
           std::countr_zero(gone));
    Meeting& m = w.meeting(mask);
    if (m.arrived == 0)
      m.what = what;
    else if (!same(m.what, what))
      fail("{} at {}, while other lanes of its mask {:#010x} wait at {}", what, at(site), mask, m.what);
    auto& values = m.values[m.number % 2];
    values[here.lane] = value;
    m.arrived |= bit;
    if (m.arrived == (mask & w.exist)) {
      w.ready |= m.arrived;
      if (kRacecheck && same(what, "__syncwarp")) races::warp_barrier(current_ / 32, m.arrived);
      m.arrived = 0;
      ++m.number;
    }
    wait(what, site);
    return values.data();
  }

  void check_source(uint32_t mask, int from, const char* what, Site site) {
    if (!(mask & warp_of(current_).exist & bit_of(from)))
      fail(
          "{} at {}: reads from lane {}, which takes no part (mask {:#010x}, {} threads in the thread block)",
          what, at(site), from, mask, count());
  }

  std::span<std::byte> shared_memory() { return shared_; }

 private:
  struct Abandoned {};  // thrown in the threads that wait when another has failed

  int count() const { return static_cast<int>(threads_.size()); }
  Warp& warp_of(int number) { return warps_[number / 32]; }

  void set_size(dim3 size) {
    here.threads = size;
    threads_.assign(size_t{size.x} * size.y * size.z, {});
    warps_.clear();
    warps_.resize((threads_.size() + 31) / 32);
    for (int i = 0; i < count(); ++i) {
      threads_[i].index = index_of(static_cast<uint64_t>(i), size);
      warp_of(i).exist |= bit_of(i);
    }
  }

  void begin_block(const Grid& grid, int64_t block) {
    here.kernel = grid.name;
    const dim3 size = grid.threads, last = here.threads;
    if (abandoned_ || size.x != last.x || size.y != last.y || size.z != last.z || threads_.empty())
      set_size(size);
    abandoned_ = false;
    barrier_ = {};
    current_ = returned_ = 0;
    here.blocks = grid.blocks;
    here.block = index_of(static_cast<uint64_t>(block), grid.blocks);
    for (Thread& t : threads_) t.fiber = nullptr;
    for (Warp& w : warps_) {
      constexpr size_t kMasksKept = 4;
      if (w.meetings.size() > kMasksKept) w.meetings.clear();
      w.ready = w.exist;
      w.returned = 0;
    }
    if (shared_.size() != grid.shared_bytes)  // the exact size: AddressSanitizer guards its end
      shared_ = std::vector<std::byte>(grid.shared_bytes);
    std::ranges::fill(shared_, std::byte{0xff});  // NaN: a read before the first write shows in results
    forget_copies();
    if constexpr (kRacecheck) races::begin_block(block, shared_.data());
  }

  // What a fiber does: it starts threads, one after the other, as long as no thread that waited can continue.
  // A thread that has to wait keeps its fiber meanwhile.
  Fiber& take_turns(Fiber& self) {
    int next = current_;  // chosen by the fiber that switched to this one
    while (!quit_) {
      if (next == kNone) {
        idle_.push_back(&self);
        self.switch_to(main_);
        next = current_;
      } else if (!threads_[next].fiber) {
        run_thread(next, self);
        next = next_thread();
      } else {
        idle_.push_back(&self);
        self.switch_to(fiber_of(next));
        next = current_;
      }
    }
    return main_;
  }

  void run_thread(int number, Fiber& on) {
    threads_[number].fiber = &on;
    become(number);
    std::string why;
    try {
      (*body_)();
      check_copies_arrived();
    } catch (const Abandoned&) {
    } catch (const std::exception& e) {
      why = e.what();
    } catch (...) {
      why = "an exception of unknown type";
    }
    ++returned_;
    warp_of(number).returned |= bit_of(number);
    if (!why.empty() && !abandoned_) abandon(fmt::format("{}: {}", where(), why));
  }

  // The first thread that can run, of the warp that ran last if possible: its stacks are still in the cache.
  int next_thread() {
    const bool forward = !reverse_order();
    const auto take = [&](size_t number) {
      Warp& w = warps_[number];
      const int lane = forward ? std::countr_zero(w.ready) : 31 - std::countl_zero(w.ready);
      w.ready &= ~bit_of(lane);
      return current_ = static_cast<int>(number) * 32 + lane;
    };
    if (const auto same = static_cast<size_t>(current_ / 32); warps_[same].ready) return take(same);
    for (size_t i = 0; i < warps_.size(); ++i)
      if (const size_t number = forward ? i : warps_.size() - 1 - i; warps_[number].ready)
        return take(number);
    return kNone;
  }

  Fiber& fiber_of(int number) {
    if (Fiber* own = threads_[number].fiber) return *own;
    if (idle_.empty())
      return fibers_.emplace_back([this](Fiber& self) -> Fiber& { return take_turns(self); }, fibers_.size());
    Fiber& fiber = *idle_.back();
    idle_.pop_back();
    return fiber;
  }

  void become(int number) {
    current_ = number;
    here.thread = threads_[number].index;
    here.lane = number % 32;
  }

  void wait(const char* what, Site site) {
    const int me = current_;
    Thread& t = threads_[me];
    t.waits_at = what;
    t.site = site;
    const int next = next_thread();
    if (next != me) {
      t.fiber->switch_to(next == kNone ? main_ : fiber_of(next));
      become(me);
    }
    if (abandoned_) throw Abandoned{};
  }

  // Ends the thread block: threads that have not started never do, and those that wait leave by exception.
  void abandon(const std::string& why) {
    abandoned_ = true;
    error_ = why;
    for (int i = 0; i < count(); ++i) {
      Warp& w = warp_of(i);
      if (!threads_[i].fiber) {
        ++returned_;
        w.returned |= bit_of(i);
      }
      w.ready = w.exist & ~w.returned;
    }
  }

  std::string deadlock() {
    std::map<std::string, std::string> groups;  // what threads do, and which
    const auto doing = [&](int i) {
      const Thread& t = threads_[i];
      return warp_of(i).returned & bit_of(i) ? std::string("returned")
                                             : fmt::format("wait at {} at {}", t.waits_at, at(t.site));
    };
    for (int first = 0, last; first < count(); first = last + 1) {
      const std::string what = doing(first);
      for (last = first; last + 1 < count() && doing(last + 1) == what;) ++last;
      std::string& who = groups[what];
      who += fmt::format("{}{}", who.empty() ? "" : ",", first);
      if (last > first) who += fmt::format("-{}", last);
    }
    std::string text = "threads wait for others that never arrive:";
    for (const auto& [what, who] : groups) text += fmt::format(" threads {} {};", who, what);
    return text + " (all threads of a thread block must reach a barrier, " +
           "and all lanes of its mask a warp operation)";
  }

  const std::function<void()>* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  int current_ = 0;   // the thread that runs, or ran last
  int returned_ = 0;  // threads that are done
  struct {
    int arrived = 0, sum = 0, result = 0;
    int first = 0;  // the thread that came first
  } barrier_;
  std::vector<std::byte> shared_;
  std::string error_;  // why the thread block was abandoned
  bool abandoned_ = false, quit_ = false;
  Fiber main_;
  std::deque<Fiber> fibers_;
  std::vector<Fiber*> idle_;
};

Worker& worker() {
  static thread_local Worker of_this_thread;
  return of_this_thread;
}

}  // namespace

void run_block(const Grid& grid, const std::function<void()>& thread, int64_t block) {
  worker().run_block(grid, thread, block);
}

int block_barrier(bool value, const char* what, Site site) {
  return worker().block_barrier(value, what, site);
}

const uint64_t* warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site) {
  return worker().warp_exchange(mask, value, what, site);
}

void check_source(uint32_t mask, int from, const char* what, Site site) {
  worker().check_source(mask, from, what, site);
}

void* dynamic_shared_memory() { return worker().shared_memory().data(); }

bool is_dynamic_shared(const void* p, size_t bytes) {
  const std::span<const std::byte> all = worker().shared_memory();
  const size_t offset = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(all.data());
  return offset < all.size() && bytes <= all.size() - offset;
}

}  // namespace fade::emulate
