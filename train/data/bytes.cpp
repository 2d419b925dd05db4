#include "train/data/bytes.h"

#include <algorithm>

#include "engine/error.h"

namespace fade {

Bytes Bytes::part(size_t offset, size_t count) const {
  if (offset > size_ || count > size_ - offset)
    fail("bytes: {} from {} on are not within {}", count, offset, size_);
  Bytes part = *this;
  part.begin_ += offset;
  part.size_ = count;
  return part;
}

void Bytes::read(size_t offset, std::span<uint8_t> to) const {
  const Bytes from = part(offset, to.size());
  if (file_)
    file_->read_at(from.begin_, to.data(), to.size());
  else
    std::copy_n(memory_ + from.begin_, to.size(), to.begin());
}

std::vector<uint8_t> Bytes::all() const {
  std::vector<uint8_t> copy(size_);
  read(0, copy);
  return copy;
}

}  // namespace fade
