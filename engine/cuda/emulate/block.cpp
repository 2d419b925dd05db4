#include "engine/cuda/emulate/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

#include "engine/cuda/emulate/report.h"
#include "engine/error.h"

namespace fade::emulate {

constinit thread_local Here here;

namespace {

constexpr int kNone = -1;

constinit thread_local Worker* this_worker = nullptr;

uint32_t bit_of(int thread) { return uint32_t{1} << (thread & 31); }

std::string at(Site site) { return fmt::format("{}:{}", site.file, site.line); }

bool same(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }

bool same(Site a, Site b) { return a.line == b.line && same(a.file, b.file); }

}  // namespace

Meeting& Warp::meeting(uint32_t mask) {
  for (Meeting& m : meetings)
    if (m.mask == mask) return m;
  Meeting& m = meetings.emplace_back();
  m.mask = mask;
  return m;
}

Worker& Worker::mine() {
  static thread_local const std::unique_ptr<Worker> owned(this_worker = new Worker);
  return *owned;
}

Worker* Worker::running() { return this_worker && this_worker->grid_ ? this_worker : nullptr; }

Worker::~Worker() {
  quit_ = true;
  for (const auto& fiber : fibers_) main_.switch_to(*fiber);
  this_worker = nullptr;
}

void Worker::set_size(dim3 size) {
  here.threads = size;
  threads_.assign(size_t{size.x} * size.y * size.z, {});
  warps_.clear();
  warps_.resize((threads_.size() + 31) / 32);
  for (int i = 0; i < count(); ++i) {
    const auto n = static_cast<unsigned>(i);
    thread(i).index = {n % size.x, n / size.x % size.y, n / size.x / size.y};
    warp_of(i).exist |= bit_of(i);
  }
}

void Worker::begin_block(const Grid& grid, int64_t block) {
  const dim3 size = grid.threads, last = here.threads;
  if (abandoned_ || size.x != last.x || size.y != last.y || size.z != last.z || threads_.empty())
    set_size(size);
  abandoned_ = false;
  barrier_ = {};
  current_ = returned_ = 0;
  const auto number = static_cast<uint64_t>(block);
  const dim3 blocks = here.blocks = grid.blocks;
  here.block = {static_cast<unsigned>(number % blocks.x), static_cast<unsigned>(number / blocks.x % blocks.y),
                static_cast<unsigned>(number / blocks.x / blocks.y)};
  for (Thread& t : threads_) t.fiber = nullptr;
  for (Warp& w : warps_) {
    constexpr size_t kMasksKept = 4;
    if (w.meetings.size() > kMasksKept) w.meetings.clear();
    w.ready = w.exist;
    w.returned = 0;
  }
  if (shared_bytes_ != grid.shared_bytes) {  // the exact size: AddressSanitizer guards its end
    shared_.reset(grid.shared_bytes ? new std::byte[grid.shared_bytes] : nullptr);
    shared_bytes_ = grid.shared_bytes;
  }
  if (shared_)
    std::memset(shared_.get(), 0xff, shared_bytes_);  // NaN: a read before the first write shows in results
}

void Worker::run_block(const Grid& grid, const Body& body, int64_t block) {
  begin_block(grid, block);
  grid_ = &grid;
  body_ = &body;
  main_.switch_to(fiber_of(next_thread()));
  if (returned_ < count()) {
    abandon(fmt::format("{}: {}", where_block(grid), deadlock()));
    main_.switch_to(fiber_of(next_thread()));
  }
  grid_ = nullptr;
  if (abandoned_) throw Error(error_);
}

// What a fiber does: it starts threads, one after the other, as long as no thread that waited can continue. A
// thread that has to wait keeps its fiber meanwhile.
Fiber& Worker::take_turns(Fiber& self) {
  int next = current_;  // chosen by the fiber that switched to this one
  while (!quit_) {
    if (next == kNone) {
      idle_.push_back(&self);
      self.switch_to(main_);
      next = current_;
    } else if (!thread(next).fiber) {
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

void Worker::run_thread(int number, Fiber& on) {
  thread(number).fiber = &on;
  become(number);
  std::string why;
  try {
    (*body_)();
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

// The first thread that can run, of the warp that ran last if it has one: its stacks are still in the cache.
int Worker::next_thread() {
  const bool forward = thread_order() == ThreadOrder::forward;
  const auto take = [&](size_t number) {
    Warp& w = warps_[number];
    const int lane = forward ? std::countr_zero(w.ready) : 31 - std::countl_zero(w.ready);
    w.ready &= ~bit_of(lane);
    return current_ = static_cast<int>(number) * 32 + lane;
  };
  if (const auto same = static_cast<size_t>(current_ / 32); warps_[same].ready) return take(same);
  for (size_t i = 0; i < warps_.size(); ++i)
    if (const size_t number = forward ? i : warps_.size() - 1 - i; warps_[number].ready) return take(number);
  return kNone;
}

Fiber& Worker::fiber_of(int number) {
  if (Fiber* own = thread(number).fiber) return *own;
  if (idle_.empty()) {
    fibers_.push_back(nullptr);
    auto& fiber = fibers_.back();
    const size_t slot = fibers_.size() - 1;
    fiber = std::make_unique<Fiber>([this, slot]() -> Fiber& { return take_turns(*fibers_[slot]); }, slot);
    return *fiber;
  }
  Fiber& fiber = *idle_.back();
  idle_.pop_back();
  return fiber;
}

void Worker::become(int number) {
  current_ = number;
  here.thread = thread(number).index;
  here.lane = number % 32;
}

void Worker::wait(const char* what, Site site) {
  const int me = current_;
  Thread& t = thread(me);
  t.waits_at = what;
  t.site = site;
  const int next = next_thread();
  if (next != me) {
    t.fiber->switch_to(next == kNone ? main_ : fiber_of(next));
    become(me);
  }
  if (abandoned_) throw Abandoned{};
}

// Ends the thread block: threads that have not started never do, and those that wait leave by an exception.
void Worker::abandon(const std::string& why) {
  abandoned_ = true;
  error_ = why;
  for (int i = 0; i < count(); ++i) {
    Warp& w = warp_of(i);
    if (!thread(i).fiber) {
      ++returned_;
      w.returned |= bit_of(i);
    }
    w.ready = w.exist & ~w.returned;
  }
}

int Worker::block_barrier(bool value, const char* what, Site site) {
  if (barrier_.arrived == 0) {
    barrier_.first = current_;
  } else if (const Thread& first = thread(barrier_.first); !same(first.site, site)) {
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
  }
  wait(what, site);
  return barrier_.result;
}

const uint64_t* Worker::warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site) {
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
    m.arrived = 0;
    ++m.number;
  }
  wait(what, site);
  return values.data();
}

void Worker::check_source(uint32_t mask, int from, const char* what, Site site) const {
  if (!(mask & warp_of(current_).exist & bit_of(from)))
    fail("{} at {}: reads from lane {}, which takes no part (mask {:#010x}, {} threads in the thread block)",
         what, at(site), from, mask, count());
}

std::string Worker::deadlock() const {
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
  return text +
         " (all threads of a thread block must reach a barrier, and all lanes of its mask a warp operation)";
}

int block_barrier(bool value, const char* what, Site site) {
  return Worker::mine().block_barrier(value, what, site);
}

const uint64_t* warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site) {
  return Worker::mine().warp_exchange(mask, value, what, site);
}

void check_source(uint32_t mask, int from, const char* what, Site site) {
  Worker::mine().check_source(mask, from, what, site);
}

void* dynamic_shared_memory() { return Worker::mine().shared_memory(); }

}  // namespace fade::emulate
