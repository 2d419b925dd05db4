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

/// The order in which a TrainReader reads its bytes.
struct ReadingOrder {
  int streams;    ///< B: read together, by all ranks
  int block;      ///< M: bytes read at a time
  int turns = 1;  ///< T: sets of B streams, which take turns
  /// That a stream reads, in whole blocks, before it goes elsewhere; 0: all of its part.
  int64_t chunk_bytes = 0;
  uint64_t seed = 1;  ///< of the offsets at which streams start again
};

/// The position of a TrainReader: with its ReadingOrder, all it needs to continue bit for bit.
struct StreamPosition {
  int64_t epoch = 0;   ///< how often the streams have gone to another chunk, or back to the start of theirs
  int64_t offset = 0;  ///< of the next token in the chunk, of every stream whose turn is still to come
  int64_t turn = 0;    ///< the set of streams that is read next
  bool operator==(const StreamPosition&) const = default;  ///< the same position
};

/// Endless blocks for training. `bytes` is cut into T·B equal parts, one per stream (fewer than T·B bytes at the end are not
/// read). Streams t·B to (t + 1)·B − 1 are set t. The sets take turns: each reads a block before any reads its next, so that
/// successive blocks are of other places.
///
/// A part of n bytes is cut into K chunks of (n − M) div K bytes: K is 1 without chunk_bytes, or the most for which a chunk has
/// as many, rounded up to whole blocks. In epoch e every stream reads chunk e·s mod K of its part, s the number prime to K
/// nearest to K/φ, φ the golden ratio: any few epochs in a row lie evenly over the part. It begins at an offset, a function
/// of (seed, epoch) that is uniform on [0, M), or on [0, n − M) in parts shorter than two blocks, and 0 in the first epoch,
/// and yields whole blocks until fewer than M + 1 bytes of the chunk and the M bytes after it are left (K = 1: of the part).
class TrainReader {
 public:
  /// Of the B streams of a set, this rank reads its share. Throws InputError, naming the bytes by `name`, when there are
  /// fewer than T·B·(M + 1).
  TrainReader(const Bytes& bytes, const ReadingOrder& order, const std::string& name,
              const Ranks& ranks = Ranks::alone());

  /// Fills tokens and targets, both [b, M] for a share of b streams of the set position().turn. True when this block starts
  /// their epoch: their memories must be cleared before it. Throws as Bytes::read does; the next call then tries the same block.
  bool next(std::span<int32_t> tokens, std::span<int32_t> targets);

  StreamPosition position() const { return position_; }  ///< of the next block

  /// True when a reader with chunks of so many bytes reads the same bytes in the same order.
  bool has_chunks_of(int64_t chunk_bytes) const;

  /// `position`, or the start of the next epoch when no block of these streams can start there.
  StreamPosition possible(StreamPosition position) const;

  /// Continues from a position of a reader of the same bytes and order. Throws InputError when no block
  /// of these streams can start there.
  void restore(StreamPosition position);

 private:
  int64_t start_of(int64_t epoch) const;
  int64_t chunk_of(int64_t epoch) const;
  bool exists(StreamPosition position) const;

  ReadingOrder order_;
  Share own_;                    // streams of a set
  int64_t chunks_, chunk_step_;  // K and s
  int64_t chunk_size_;           // bytes
  int64_t readable_;             // bytes from the start of a chunk, its offset among them
  Streams streams_;
  StreamPosition position_;
};

/// The streams of one pass for evaluation. B streams predict n = (size − 1) div B bytes each, their
/// stride; a stream's last target is the next stream's first token, so that every byte is predicted once
/// except the very first and, where B does not divide size − 1, fewer than B at the end. With one stream:
/// every byte except the first. Throws InputError, naming the bytes by `name`, unless every stream has a
/// byte to predict.
Streams eval_streams(const Bytes& bytes, int count, const std::string& name);

}  // namespace fade
