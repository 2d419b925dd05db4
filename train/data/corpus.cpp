#include "train/data/corpus.h"

#include <algorithm>
#include <filesystem>

#include "engine/error.h"
#include "train/data/recall.h"

namespace fade {

namespace {

// Reads all of a large file, so it looks at a piece at a time for nothing but its greatest byte: as fast as
// the file comes. Where every byte is allowed, the file isn't read.
void check_vocabulary(std::span<const std::uint8_t> bytes, int vocab, const std::string& name) {
  constexpr std::size_t piece = 1 << 16;
  if (vocab == 256) return;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    std::uint8_t greatest = 0;
    for (const std::uint8_t byte : part) greatest = std::max(greatest, byte);
    if (greatest < vocab) continue;
    const auto outside = std::ranges::find_if(part, [&](int byte) { return byte >= vocab; });
    refuse("{}: byte {} at offset {} is outside the vocabulary: data.vocab is {} (raise it to {} or more)",
           name, int{*outside}, at + static_cast<std::size_t>(outside - part.begin()), vocab, greatest + 1);
  }
}

}  // namespace

Corpus::Corpus(const DataConfig& config) : name_(config.path), percent_(config.split) {
  if (config.kind == DataKind::recall) {
    name_ = "recall";
    made_ = make_recall(config.recall);
    all_ = made_;
  } else {
    if (config.path.empty()) refuse("data.path: not set (give the file to train on: any file will do)");
    if (std::error_code ignored; !std::filesystem::exists(config.path, ignored))
      refuse("{}: no such file (set data.path to any file; scripts/get_enwik8.sh fetches enwik8)",
             config.path);
    file_.emplace(config.path);
    all_ = file_->bytes();
  }
  check_vocabulary(all_, config.vocab, name_);
}

std::span<const std::uint8_t> Corpus::bytes(Split split) const {
  if (split == Split::all) return all_;
  const auto end_of = [&](int percent) {  // whole hundreds first: size * percent cannot overflow
    const std::size_t share = static_cast<std::size_t>(percent);
    return all_.size() / 100 * share + all_.size() % 100 * share / 100;
  };
  const std::size_t train = end_of(percent_[0]), valid = end_of(percent_[0] + percent_[1]);
  if (split == Split::train) return all_.first(train);
  if (split == Split::valid) return all_.subspan(train, valid - train);
  return all_.subspan(valid);
}

}  // namespace fade
