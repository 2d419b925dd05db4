// Reading bytes as parallel streams, block by block (section 1 of the specification).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/ranks/ranks.h"
#include "train/data/bytes.h"

namespace fade {

/// A stretch of bytes cut into contiguous streams: stream b starts at b * stride. Some of them, one after the other,
/// are read here, the others by other ranks.
struct Streams {
  Bytes bytes;       ///< what is cut
  size_t count;      ///< of streams that are read here
  size_t stride;     ///< bytes from the start of a stream to that of the next
  size_t first = 0;  ///< the number of the first stream that is read here

  /// Writes tokens [begin, begin + length) of every stream read here to `tokens` and the byte after each to
  /// `targets`, both [count, length]. Throws as Bytes::read does. The caller keeps begin + length + (first +
  /// count - 1) * stride below the number of bytes.
  void read(size_t begin, size_t length, std::span<int32_t> tokens, std::span<int32_t> targets) const;
};

/// The position of a TrainReader: with its seed, all it needs to continue bit for bit.
struct StreamPosition {
  int64_t epoch = 0;   ///< how often the streams have returned to their start
  int64_t offset = 0;  ///< of the next token, in every stream
  bool operator==(const StreamPosition&) const = default;  ///< the same position
};

/// Endless blocks for training. `bytes` is cut into B streams of n = size div B bytes (fewer than B
/// bytes at the end are not read). A stream yields whole blocks until fewer than M + 1 bytes are
/// left; then all streams return to their start plus an offset, a function of (seed, epoch) that is
/// uniform on [0, M), or on [0, n − M) in streams shorter than two blocks, so that a whole block
/// always fits. The first epoch starts at 0.
class TrainReader {
 public:
  /// Of B = `streams` streams, this rank reads its share. Throws InputError, naming the bytes by `name`, when
  /// there are fewer than B·(M + 1).
  TrainReader(const Bytes& bytes, int streams, int block, uint64_t seed, const std::string& name,
              const Ranks& ranks = Ranks::alone());

  /// Fills tokens and targets, both [b, M] for a share of b streams. True when this block starts an epoch: memories must be
  /// cleared before it. Throws as Bytes::read does; the next call then tries the same block again.
  bool next(std::span<int32_t> tokens, std::span<int32_t> targets);

  StreamPosition position() const { return position_; }  ///< of the next block

  /// `position`, or the start of the next epoch when no block of these streams can start there.
  StreamPosition possible(StreamPosition position) const;

  /// Continues from a position of a reader of the same bytes, sizes and seed. Throws InputError when no block
  /// of these streams can start there.
  void restore(StreamPosition position);

 private:
  int64_t start_of(int64_t epoch) const;
  bool exists(StreamPosition position) const;

  Streams streams_;
  int64_t block_;
  uint64_t seed_;
  StreamPosition position_;
};

/// The streams of one pass for evaluation. B streams predict n = (size − 1) div B bytes each, their
/// stride; a stream's last target is the next stream's first token, so that every byte is predicted once
/// except the very first and, where B does not divide size − 1, fewer than B at the end. With one stream:
/// every byte except the first. Throws InputError, naming the bytes by `name`, unless every stream has a
/// byte to predict.
Streams eval_streams(const Bytes& bytes, int count, const std::string& name);

}  // namespace fade
