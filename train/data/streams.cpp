#include "train/data/streams.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/rng.h"

namespace fade {

/// A random stream that no Generator with the same seed reaches.
constexpr uint64_t kOffsetsStream = uint64_t{1} << 63;

void Streams::read(size_t begin, size_t length, std::span<int32_t> tokens, std::span<int32_t> targets) const {
  std::vector<uint8_t> text(length + 1);
  for (size_t stream = 0; stream < count; ++stream) {
    bytes.read((first + stream) * stride + begin, text);
    std::copy_n(text.begin(), length, tokens.begin() + stream * length);
    std::copy_n(text.begin() + 1, length, targets.begin() + stream * length);
  }
}

TrainReader::TrainReader(const Bytes& bytes, int streams, int block, uint64_t seed, const std::string& name,
                         const Ranks& ranks)
    : streams_{bytes, static_cast<size_t>(ranks.share(streams).count),
               bytes.size() / static_cast<size_t>(streams), static_cast<size_t>(ranks.share(streams).first)},
      block_(block),
      seed_(seed) {
  const size_t needed = static_cast<size_t>(streams) * (static_cast<size_t>(block) + 1);
  if (bytes.size() < needed)
    refuse(
        "{}: {} bytes to train on, but a batch of {} streams with blocks of {} needs {} "
        "(use a larger file, or reduce train.batch or model.block)",
        name, bytes.size(), streams, block, needed);
}

int64_t TrainReader::start_of(int64_t epoch) const {
  if (epoch == 0) return 0;
  const int64_t starts = std::min(block_, static_cast<int64_t>(streams_.stride) - block_);
  const double u = uniform_f64({seed_, kOffsetsStream}, static_cast<uint64_t>(epoch));
  return static_cast<int64_t>(u * static_cast<double>(starts));
}

bool TrainReader::next(std::span<int32_t> tokens, std::span<int32_t> targets) {
  StreamPosition at = position_;
  if (at.offset + block_ + 1 > static_cast<int64_t>(streams_.stride))
    at = {at.epoch + 1, start_of(at.epoch + 1)};
  streams_.read(at.offset, block_, tokens, targets);
  position_ = {at.epoch, at.offset + block_};
  return at.offset == start_of(at.epoch);
}

bool TrainReader::exists(StreamPosition position) const {
  if (position.epoch < 0) return false;
  const int64_t read = position.offset - start_of(position.epoch);
  return read >= 0 && read % block_ == 0 && position.offset < static_cast<int64_t>(streams_.stride);
}

StreamPosition TrainReader::possible(StreamPosition position) const {
  if (exists(position)) return position;
  const int64_t epoch = std::max<int64_t>(position.epoch, 0) + 1;
  return {epoch, start_of(epoch)};
}

void TrainReader::restore(StreamPosition position) {
  if (!exists(position))
    refuse(
        "data position: epoch {}, offset {} does not exist in streams of {} bytes in blocks of {} with seed {} "
        "(resume with the corpus and configuration of the run)",
        position.epoch, position.offset, streams_.stride, block_, seed_);
  position_ = position;
}

Streams eval_streams(const Bytes& bytes, int count, const std::string& name) {
  const size_t streams = static_cast<size_t>(count);
  if (bytes.size() < streams + 1)
    refuse(
        "{}: {} bytes to evaluate, but {} streams need {} (use fewer streams, "
        "or a larger share of the corpus)",
        name, bytes.size(), streams, streams + 1);
  return {bytes, streams, (bytes.size() - 1) / streams};
}

}  // namespace fade
