// An index out of range: the same error on every device.
#pragma once

#include <cstdint>

#include "engine/error.h"

namespace fade {

/// An index that was found outside [lowest, size).
struct BadIndex {
  const char* op;    ///< the operation; a static string
  const char* what;  ///< its word for an index; a static string
  int64_t index;     ///< the value
  int64_t place;     ///< its position in the tensor of indices
  int64_t lowest;    ///< smallest value allowed
  int64_t size;      ///< allowed values are below it
};

/// Throws InputError: "embedding: token 300 at place 17 is not within [0, 256)".
[[noreturn]] inline void refuse_index(const BadIndex& e) {
  refuse("{}: {} {} at place {} is not within [{}, {})", e.op, e.what, e.index, e.place, e.lowest, e.size);
}

}  // namespace fade
