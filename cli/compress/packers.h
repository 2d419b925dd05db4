// The sizes that general compressors achieve, for comparison with a model.
#pragma once

#include <cstdint>
#include <span>

#include "train/data/bytes.h"

namespace fade {

// The size in bytes of the file that each would write. The compressed data itself is not kept. Throw Error
// when the library cannot allocate its memory.
int64_t gzip_size(const Bytes& text);              ///< gzip -9 (without a file name in its header)
int64_t xz_size(std::span<const uint8_t> text);    ///< xz -9
int64_t zstd_size(std::span<const uint8_t> text);  ///< zstd -19

}  // namespace fade
