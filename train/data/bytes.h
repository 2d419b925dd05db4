// Bytes to read, wherever they are: in memory, or in a file of any size, of which only what is asked
// for is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/io/input.h"

namespace fade {

/// A range of bytes in memory or of an Input, which must outlive it. Cheap to copy.
class Bytes {
 public:
  Bytes() = default;  ///< none
  /// All bytes of `memory`, which are not copied.
  Bytes(std::span<const uint8_t> memory) : memory_(memory.data()), size_(memory.size()) {}
  /// All bytes of `memory`, which are not copied.
  Bytes(const std::vector<uint8_t>& memory) : Bytes(std::span(memory)) {}
  /// All bytes of `file`, which are read when they are asked for.
  explicit Bytes(const Input& file) : file_(&file), size_(file.size()) {}

  size_t size() const { return size_; }      ///< how many
  bool empty() const { return size_ == 0; }  ///< true when there are none

  /// `count` of these bytes from `offset` on. Throws Error when that is not within them.
  Bytes part(size_t offset, size_t count) const;

  /// Copies the bytes from `offset` on to `to`. Any number of threads may call it at the same time. Throws
  /// InputError when the file cannot be read, or has become shorter since it was opened; Error as part does.
  void read(size_t offset, std::span<uint8_t> to) const;

  /// A copy of all of them. Throws as read does.
  std::vector<uint8_t> all() const;

  /// Calls f(piece) with all of them in order, in pieces of at most 64 KiB. Throws as read does.
  template <class F>
  void each_piece(const F& f) const {
    constexpr size_t kPiece = 1 << 16;
    std::vector<uint8_t> piece(size_ < kPiece ? size_ : kPiece);
    for (size_t at = 0; at < size_; at += piece.size()) {
      if (size_ - at < piece.size()) piece.resize(size_ - at);
      read(at, piece);
      f(std::span<const uint8_t>(piece));
    }
  }

 private:
  const Input* file_ = nullptr;  ///< null: in memory
  const uint8_t* memory_ = nullptr;
  size_t begin_ = 0, size_ = 0;  ///< the range
};

}  // namespace fade
