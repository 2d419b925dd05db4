#include "train/data/corpus.h"

#include <algorithm>
#include <filesystem>

#include "engine/error.h"
#include "engine/io/hash.h"
#include "train/config/corpus_path.h"
#include "train/data/recall.h"

namespace fade {

void check_vocabulary(std::span<const uint8_t> bytes, int vocab, const std::string& name) {
  if (vocab == 256) return;
  uint8_t greatest = 0;  // a maximum vectorises, so a large file is checked as fast as it is read
  for (const uint8_t byte : bytes) greatest = std::max(greatest, byte);
  if (bytes.empty() || greatest < vocab) return;
  const auto outside = std::ranges::find_if(bytes, [&](int byte) { return byte >= vocab; });
  refuse("{}: byte {} at offset {} is outside the vocabulary: data.vocab is {}, these bytes need {}", name,
         int{*outside}, outside - bytes.begin(), vocab, greatest + 1);
}

Corpus::Corpus(const DataConfig& config) : name_(config.path), percent_(config.split) {
  if (config.kind == DataKind::recall) {
    name_ = "recall";
    generated_ = make_recall(config.recall);
    all_ = generated_;
  } else {
    if (config.path.empty()) refuse("data.path: not set (give the file to train on: any file will do)");
    if (!path_exists(config.path))
      refuse("{}: no such file{} (set data.path to any file; scripts/get_enwik8.sh fetches enwik8)",
             config.path, searched_folders(config));
    file_.emplace(config.path);
    all_ = file_->bytes();
  }
  check_vocabulary(all_, config.vocab, name_);
}

CorpusIdentity Corpus::identity() const {
  constexpr size_t kPieces = 64, kPiece = 1 << 20;
  ContentHash hash;
  if (all_.size() <= kPieces * kPiece)
    hash.add(all_.data(), all_.size());
  else
    for (size_t i = 0; i < kPieces; ++i)
      hash.add(all_.data() + (all_.size() - kPiece) * i / (kPieces - 1), kPiece);
  return {static_cast<int64_t>(all_.size()), hash.digits()};
}

std::span<const uint8_t> Corpus::bytes(Split split) const {
  if (split == Split::all) return all_;
  const auto end_of = [&](int percent) {  // whole hundreds first: size * percent cannot overflow
    const size_t share = static_cast<size_t>(percent);
    return all_.size() / 100 * share + all_.size() % 100 * share / 100;
  };
  const size_t train = end_of(percent_[0]), valid = end_of(percent_[0] + percent_[1]);
  if (split == Split::train) return all_.first(train);
  if (split == Split::valid) return all_.subspan(train, valid - train);
  return all_.subspan(valid);
}

}  // namespace fade
