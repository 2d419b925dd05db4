// An index out of range: the same error on every device.
#pragma once

#include <cstdint>

#include "engine/error.h"

namespace fade {

/// An index that was found outside [lowest, size).
struct BadIndex {
  const char *op, *what;  ///< the operation, and its word for an index; static strings
  int64_t index, place;   ///< its value, and its position in the tensor of indices
  int64_t lowest, size;
};

[[noreturn]] inline void refuse_index(const BadIndex& e) {
  refuse("{}: {} {} at place {} is not within [{}, {})", e.op, e.what, e.index, e.place, e.lowest, e.size);
}

}  // namespace fade
