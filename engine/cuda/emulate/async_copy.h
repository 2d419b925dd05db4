// Asynchronous copies, as late as CUDA allows: one arrives when its own thread waits for it, and not before.
// Until then the destination holds a number that is NaN as a float and out of range as an index.
#pragma once

#include "engine/cuda/emulate/thread.h"

namespace fade::emulate {

/// As the functions of engine/cuda/async_copy.h. They throw, naming the copy's line, where a place is
/// misaligned or in the wrong kind of memory, and where one of the two changed before the copy arrived.
void copy_async(void* shared, const void* global, bool valid, Site site);
void close_copies();
void wait_for_copies(size_t under_way);

/// The running thread returns: throws where it has not waited for a copy.
void check_copies_arrived();

/// A thread block begins: copies of an abandoned one never arrive.
void forget_copies();

}  // namespace fade::emulate
