// A model's predictions of the next byte in several streams: the same numbers when compressing and
// decompressing, on any number of threads.
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

  /// Reads one byte of every stream, [B]. Memory is carried and forgotten as in evaluation.
  void read(std::span<const int32_t> bytes);

  /// The probabilities of a stream's next byte, as a table of cli/compress/range_coder.h; valid
  /// until the next read.
  std::span<const uint32_t> table(int stream) const;

 private:
  /// Neighbouring streams that one thread reads. Neither the groups nor the work inside one depend on the
  /// number of threads, because sums of other sizes or on several threads are rounded differently.
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
