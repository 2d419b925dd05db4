#include "train/data/streams.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

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

// Into how many chunks a part of so many bytes is cut: at most 2³¹, so that products of two numbers of chunks fit.
static int64_t count_chunks(int64_t part, int64_t chunk_bytes, int64_t block) {
  if (chunk_bytes == 0) return 1;
  const int64_t least = (chunk_bytes + block - 1) / block * block;
  return std::clamp<int64_t>((part - block) / least, 1, int64_t{1} << 31);
}

// Steps of K/φ lie most evenly; those prime to K reach every chunk.
static int64_t even_step(int64_t chunks) {
  const int64_t even = std::llround(static_cast<double>(chunks) / std::numbers::phi);
  for (int64_t near = 0;; ++near)
    for (const int64_t step : {even - near, even + near})
      if (std::gcd(step, chunks) == 1) return step;
}

TrainReader::TrainReader(const Bytes& bytes, const ReadingOrder& order, const std::string& name,
                         const Ranks& ranks)
    : order_(order), own_(ranks.share(order.streams)) {
  const auto size = static_cast<int64_t>(bytes.size()), streams = int64_t{order.streams} * order.turns;
  if (const int64_t needed = streams * (int64_t{order.block} + 1); size < needed)
    refuse(
        "{}: {} bytes to train on, allowed: at least {}, train.batch {} x train.turns {} x (model.block {} + 1) "
        "(use a larger file, or reduce these)",
        name, size, needed, order.streams, order.turns, order.block);
  const int64_t part = size / streams;
  chunks_ = count_chunks(part, order.chunk_bytes, order.block);
  chunk_step_ = even_step(chunks_);
  chunk_size_ = (part - order.block) / chunks_;
  readable_ = chunk_size_ + order.block;
  streams_ = {bytes, static_cast<size_t>(own_.count), static_cast<size_t>(part)};
}

bool TrainReader::has_chunks_of(int64_t chunk_bytes) const {
  return count_chunks(static_cast<int64_t>(streams_.stride), chunk_bytes, order_.block) == chunks_;
}

int64_t TrainReader::start_of(int64_t epoch) const {
  if (epoch == 0) return 0;
  const int64_t starts = std::min<int64_t>(order_.block, readable_ - order_.block);
  const double u = uniform_f64({order_.seed, kOffsetsStream}, static_cast<uint64_t>(epoch));
  return static_cast<int64_t>(u * static_cast<double>(starts));
}

// The place of the epoch's chunk in the part of each stream.
int64_t TrainReader::chunk_of(int64_t epoch) const {
  return epoch % chunks_ * chunk_step_ % chunks_ * chunk_size_;
}

bool TrainReader::next(std::span<int32_t> tokens, std::span<int32_t> targets) {
  StreamPosition at = position_;
  if (at.offset + order_.block + 1 > readable_) at = {at.epoch + 1, start_of(at.epoch + 1)};
  streams_.first = static_cast<size_t>(at.turn * order_.streams + own_.first);
  streams_.read(chunk_of(at.epoch) + at.offset, order_.block, tokens, targets);
  if (at.turn + 1 < order_.turns)
    position_ = {at.epoch, at.offset, at.turn + 1};
  else
    position_ = {at.epoch, at.offset + order_.block};
  return at.offset == start_of(at.epoch);
}

bool TrainReader::exists(StreamPosition position) const {
  if (position.epoch < 0 || position.turn < 0 || position.turn >= order_.turns) return false;
  const int64_t read = position.offset - start_of(position.epoch);
  // Between two rounds nothing more may fit; within one, the block is that of the other sets.
  const int64_t room = position.turn == 0 ? 1 : order_.block + 1;
  return read >= 0 && read % order_.block == 0 && position.offset <= readable_ - room;
}

StreamPosition TrainReader::possible(StreamPosition position) const {
  if (exists(position)) return position;
  const int64_t epoch = std::max<int64_t>(position.epoch, 0) + 1;
  return {epoch, start_of(epoch)};
}

void TrainReader::restore(StreamPosition position) {
  if (!exists(position))
    refuse(
        "data position: epoch {}, offset {}, turn {} does not exist in chunks of {} bytes in blocks of {} with seed {} "
        "(resume with the corpus and configuration of the run)",
        position.epoch, position.offset, position.turn, readable_, order_.block, order_.seed);
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
