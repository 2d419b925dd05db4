#include "engine/cuda/emulate/async_copy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <vector>

#include "engine/cuda/emulate/block.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/emulate/races.h"
#include "engine/cuda/emulate/static_shared.h"
#include "engine/error.h"

namespace fade::emulate {
namespace {

constexpr const char* kName = "copy_async";

constexpr size_t kBytes = 16;
using Value = std::array<uint32_t, kBytes / sizeof(uint32_t)>;
constexpr uint32_t kUnderWay = 0x7fffffff;
constexpr Value kPoison{kUnderWay, kUnderWay, kUnderWay, kUnderWay};

Value value_at(const void* p) {
  Value value;
  std::memcpy(&value, p, kBytes);
  return value;
}

struct Copy {
  void* to;
  const void* from;  ///< nullptr: zeros
  Value value;       ///< the source when the copy began
  Site site;
  const void* code;  ///< the address behind the call

  void begin() const {
    if constexpr (kRacecheck) {
      races::access(to, kBytes, {.write = true, .pending = true}, code);
      if (from) races::access(from, kBytes, {.pending = true}, code);
    }
    std::memcpy(to, &kPoison, kBytes);
  }

  void arrive() const {
    if constexpr (kRacecheck) {
      races::arrive(to, kBytes, {.write = true}, code);
      if (from) races::arrive(from, kBytes, {}, code);
    }
    if (from && value_at(from) != value) refuse_change("source");
    if (value_at(to) != kPoison) refuse_change("destination");
    std::memcpy(to, &value, kBytes);
  }

 private:
  void refuse_change(const char* what) const {
    fail("{} at {}:{}: its {} was written to before the copy arrived (wait for the copy first)", kName,
         site.file, site.line, what);
  }
};

/// The copies of a thread that have not arrived, in the order in which it began them.
struct Copies {
  std::vector<Copy> under_way;
  std::vector<size_t> groups;  ///< the sizes of the closed groups that have not arrived
  size_t in_groups() const { return std::reduce(groups.begin(), groups.end()); }
};

thread_local std::vector<Copies> of_threads;  // of the running thread block; empty while none has copied

Copies& of_running_thread() {
  if (of_threads.empty()) of_threads.resize(here.threads.x * here.threads.y * here.threads.z);
  return of_threads[number_of(here.thread, here.threads)];
}

bool is_shared(const void* p) {
  static thread_local const std::vector<Range> fixed = static_shared_memory();
  return is_dynamic_shared(p, kBytes) || std::ranges::any_of(fixed, [&](const Range& r) {
           return r.holds(reinterpret_cast<uintptr_t>(p), kBytes);
         });
}

void check_place(const void* p, const char* what, bool is_there, const char* memory, Site site) {
  if (reinterpret_cast<uintptr_t>(p) % kBytes != 0)
    fail("{} at {}:{}: its {} {} is not a multiple of {} (copy from aligned rows)", kName, site.file,
         site.line, what, p, kBytes);
  if (!is_there)
    fail("{} at {}:{}: its {} {} is not within {} memory (copies lead from global to shared memory)", kName,
         site.file, site.line, what, p, memory);
}

}  // namespace

void copy_async(void* shared, const void* global, bool valid, Site site) {
  check_place(shared, "destination", is_shared(shared), "shared", site);
  check_place(global, "source", !valid || is_device_memory(global, kBytes), "global", site);
  const Copy copy{shared, valid ? global : nullptr, valid ? value_at(global) : Value{}, site,
                  __builtin_return_address(0)};
  copy.begin();
  of_running_thread().under_way.push_back(copy);
}

void close_copies() {
  Copies& mine = of_running_thread();
  mine.groups.push_back(mine.under_way.size() - mine.in_groups());
}

void wait_for_copies(size_t under_way) {
  Copies& mine = of_running_thread();
  while (mine.groups.size() > under_way) {
    const auto end = mine.under_way.begin() + static_cast<ptrdiff_t>(mine.groups.front());
    std::for_each(mine.under_way.begin(), end, [](const Copy& copy) { copy.arrive(); });
    mine.under_way.erase(mine.under_way.begin(), end);
    mine.groups.erase(mine.groups.begin());
  }
}

void check_copies_arrived() {
  if (of_threads.empty()) return;
  const Copies& mine = of_running_thread();
  if (mine.under_way.empty()) return;
  const Site site = mine.under_way.front().site;
  fail("{} at {}:{}: its thread returns without having waited for the copy ({})", kName, site.file, site.line,
       mine.in_groups() == 0 ? "close_copies, then wait_for_copies<0>" : "wait_for_copies<0>");
}

void forget_copies() { of_threads.clear(); }

}  // namespace fade::emulate
