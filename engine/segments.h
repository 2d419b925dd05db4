// The memory of large tensors: parts of segments, which are large blocks taken from a device.
//
// The sizes of large tensors follow the rows in memory, which change with every step of a training run. A pool
// that keeps what was released by its size would find that it fits nothing later. So segments are divided as
// needed, and what is released unites with the free memory beside it. Two rules keep that in few pieces:
//
//   oldest first   An allocation goes to the oldest segment in use that has room. Weights and memory are
//                  allocated while little else is there, and so end in the oldest segments; between two steps
//                  the others are empty.
//   merging        An empty segment is used only when no other has room. If there are several, or none that
//                  is large enough, they are given back first, and one takes the place of all. What does not
//                  fit anywhere thus adds a small segment, which in the next step becomes part of a large one.
//
// Once the sizes settle, no segment is added or given back any more. All work of a device is in one stream:
// what has been released can be handed out at once, even if the device has not come to the work that used it.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/device.h"

namespace fade {

/// Memory taken from a device.
class DeviceMemory {
 public:
  /// Takes nothing yet.
  explicit DeviceMemory(const DeviceBackend& device) : device_(device) {}

  /// nullptr when the device has no more.
  void* take(size_t bytes);
  /// The same for a segment: also nullptr when the device would have less than its `reserve` left.
  void* take_segment(size_t bytes);
  /// Returns what take(bytes) or take_segment(bytes) returned. It can be taken again after reclaim.
  void give_back(void* p, size_t bytes);
  /// Waits for the device, until what was given back is free.
  void reclaim() { device_.reclaim(); }
  size_t taken() const { return taken_; }  ///< bytes

 private:
  const DeviceBackend device_;
  size_t taken_ = 0;
};

/// Segments of a device.
class Segments {
 public:
  /// Without segments.
  explicit Segments(DeviceMemory& device) : device_(device) {}
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  /// `bytes` of a segment, at least 1. nullptr when there is no room and the device has no more.
  void* allocate(size_t bytes);
  /// Returns the memory that allocate(bytes) returned.
  void release(void* p, size_t bytes);
  /// Gives all empty segments back to the device. Returns their bytes.
  size_t give_back_empty();

 private:
  struct Part {
    std::byte* begin;
    size_t bytes;
    std::byte* end() const { return begin + bytes; }
  };
  struct Segment {
    Part all;
    std::vector<Part> free;  // by address; no two touch
    size_t most;             // no free part has more bytes
    size_t used = 0;         // bytes

    void* allocate(size_t bytes);
    void release(std::byte* p, size_t bytes);
  };

  Segment* empty_with_room(size_t bytes);
  Segment* add(size_t wanted, size_t bytes);

  DeviceMemory& device_;
  std::vector<Segment> segments_;  // oldest first
  size_t all_ = 0;                 // bytes of all segments
  size_t used_ = 0, peak_ = 0;     // bytes allocated, now and at most
};

}  // namespace fade
