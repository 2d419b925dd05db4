// What general compressors make of a text, to compare a model with.
#pragma once

#include <cstdint>
#include <span>

namespace fade {

// Bytes of the file that each would write; the text is packed piece by piece, and nothing of the result kept.
// Throw Error when the library has no memory for it.
int64_t gzip_size(std::span<const uint8_t> text);  ///< gzip -9 (without a file name in its header)
int64_t xz_size(std::span<const uint8_t> text);    ///< xz -9
int64_t zstd_size(std::span<const uint8_t> text);  ///< zstd -19

}  // namespace fade
