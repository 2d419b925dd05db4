#include "train/data/corpus.h"

#include <filesystem>

#include "engine/error.h"
#include "train/data/recall.h"
#include "train/data/vocabulary.h"

namespace fade {

Corpus::Corpus(const DataConfig& config) : name_(config.path), percent_(config.split) {
  if (config.kind == DataKind::recall) {
    name_ = "recall";
    generated_ = make_recall(config.recall);
    all_ = generated_;
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
