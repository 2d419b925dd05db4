// What a model expects next in several streams, byte by byte: the same numbers whoever asks, compressing or
// decompressing, and with any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/transformer.h"

namespace fade {

class BytePredictor {
 public:
  /// B streams with empty memories. The model is not copied.
  BytePredictor(const Transformer& model, int streams);

  /// Reads one byte of every stream, [B]. Memory moves on and is forgotten as in evaluation.
  void read(std::span<const int32_t> bytes);

  /// The probabilities of a stream's next byte, as a table of cli/compress/range_coder.h; valid until the next read.
  std::span<const uint32_t> table(int stream) const;

 private:
  /// Neighbouring streams that are read by one thread. How streams are grouped doesn't depend on the number
  /// of threads, and inside a group nothing does: sums are cut differently for other sizes and other threads.
  struct Group {
    int first, count;
    Memory memory;
  };
  void read_group(Group& group, std::span<const int32_t> bytes);

  const Transformer& model_;
  size_t table_size_;
  std::vector<Group> groups_;
  std::vector<uint32_t> tables_;  ///< [B, V + 1]
};

}  // namespace fade
