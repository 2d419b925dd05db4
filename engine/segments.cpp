#include "engine/segments.h"

#include <algorithm>

namespace fade {
namespace {

constexpr size_t kSmallest = size_t{32} << 20;  // of a segment; larger allocations have their size
constexpr size_t kGrowth = 32;                  // a new segment adds at least 1/kGrowth to all

// Segments together stay below this multiple of the most bytes that were ever allocated,
// unless a request fits nowhere.
constexpr double kLimit = 1.12;

}  // namespace

void* DeviceMemory::take(size_t bytes) {
  void* p = device_.allocate(bytes);
  if (p) taken_ += bytes;
  return p;
}

void* DeviceMemory::take_segment(size_t bytes) {
  if (device_.reserve > 0 && device_.free_bytes() < bytes + device_.reserve) return nullptr;
  return take(bytes);
}

void DeviceMemory::give_back(void* p, size_t bytes) {
  device_.release(p, bytes);
  taken_ -= bytes;
}

// The first part that is large enough.
void* Segments::Segment::allocate(size_t bytes) {
  if (most < bytes) return nullptr;
  const auto part = std::ranges::find_if(free, [&](const Part& f) { return f.bytes >= bytes; });
  if (part == free.end()) {
    most = 0;
    for (const Part& f : free) most = std::max(most, f.bytes);
    return nullptr;
  }
  void* p = part->begin;
  part->begin += bytes;
  part->bytes -= bytes;
  if (part->bytes == 0) free.erase(part);
  used += bytes;
  return p;
}

void Segments::Segment::release(std::byte* p, size_t bytes) {
  used -= bytes;
  auto part = std::ranges::upper_bound(free, p, {}, &Part::begin);  // the first behind
  if (part != free.begin() && std::prev(part)->end() == p) {
    --part;
    part->bytes += bytes;
  } else {
    part = free.insert(part, {p, bytes});
  }
  if (const auto next = std::next(part); next != free.end() && part->end() == next->begin) {
    part->bytes += next->bytes;
    free.erase(next);
  }
  most = std::max(most, part->bytes);
}

void* Segments::allocate(size_t bytes) {
  void* p = nullptr;
  for (Segment& s : segments_)
    if (s.used > 0 && (p = s.allocate(bytes))) break;
  if (!p) {
    Segment* s = empty_with_room(bytes);
    if (!s) return nullptr;
    p = s->allocate(bytes);
  }
  used_ += bytes;
  peak_ = std::max(peak_, used_);
  return p;
}

void Segments::release(void* p, size_t bytes) {
  auto* const begin = static_cast<std::byte*>(p);
  std::ranges::find_if(segments_, [&](const Segment& s) {
    return s.all.begin <= begin && begin < s.all.end();
  })->release(begin, bytes);
  used_ -= bytes;
}

Segments::Segment* Segments::empty_with_room(size_t bytes) {
  Segment* empty = nullptr;
  int count = 0;
  bool large_enough = false;
  for (Segment& s : segments_)
    if (s.used == 0) {
      empty = &s;
      ++count;
      large_enough |= s.all.bytes >= bytes;
    }
  if (count == 1 && large_enough) return empty;
  size_t wanted = std::max(kSmallest, all_ / kGrowth);
  if (count > 0) {
    wanted = give_back_empty() + (large_enough ? 0 : bytes);
    device_.reclaim();
  }
  const auto limit = static_cast<size_t>(kLimit * static_cast<double>(std::max(peak_, used_ + bytes)));
  wanted = std::min(wanted, std::max(kSmallest, limit - std::min(limit, all_)));
  return add(std::max(wanted, bytes), bytes);
}

// A new segment of `wanted` bytes, or of only `bytes` if the device has no more.
Segments::Segment* Segments::add(size_t wanted, size_t bytes) {
  void* p = device_.take_segment(wanted);
  if (!p) {
    wanted = bytes;
    p = device_.take_segment(wanted);
  }
  if (!p) return nullptr;
  all_ += wanted;
  const Part all{static_cast<std::byte*>(p), wanted};
  return &segments_.emplace_back(Segment{.all = all, .free = {all}, .most = wanted});
}

size_t Segments::give_back_empty() {
  size_t bytes = 0;
  std::erase_if(segments_, [&](const Segment& s) {
    if (s.used > 0) return false;
    device_.give_back(s.all.begin, s.all.bytes);
    bytes += s.all.bytes;
    return true;
  });
  all_ -= bytes;
  return bytes;
}

}  // namespace fade
