#include "train/data/corpus.h"

#include <algorithm>
#include <filesystem>

#include "engine/error.h"
#include "engine/io/hash.h"
#include "train/config/corpus_path.h"
#include "train/data/recall.h"

namespace fade {

void check_vocabulary(const Bytes& bytes, int vocab, const std::string& name) {
  if (vocab == 256) return;
  uint8_t greatest = 0;
  size_t at = 0, first = bytes.size();
  bytes.each_piece([&](std::span<const uint8_t> piece) {
    uint8_t here = 0;  // a maximum vectorises, so a large file is checked as fast as it is read
    for (const uint8_t byte : piece) here = std::max(here, byte);
    if (here >= vocab && first == bytes.size())
      first = at + static_cast<size_t>(std::ranges::find_if(piece, [&](int byte) { return byte >= vocab; }) -
                                       piece.begin());
    greatest = std::max(greatest, here);
    at += piece.size();
  });
  if (first == bytes.size()) return;
  uint8_t byte = 0;
  bytes.read(first, {&byte, 1});
  refuse("{}: byte {} at offset {} is outside the vocabulary: data.vocab is {}, these bytes need {}", name,
         int{byte}, first, vocab, greatest + 1);
}

std::string change_of_corpus(const CorpusIdentity& trained, const CorpusIdentity& now,
                             const std::string& name) {
  if (trained.hash.empty() || trained == now) return "";
  if (trained.bytes != now.bytes)
    return fmt::format("{} has changed: {} bytes were trained on, it has {} now", name, trained.bytes,
                       now.bytes);
  return fmt::format("{} has changed: it has {} bytes as before, but other ones", name, now.bytes);
}

Corpus::Corpus(const DataConfig& config) : name_(config.path), percent_(config.split) {
  if (config.kind == DataKind::recall) {
    name_ = "recall";
    generated_ = make_recall(config.recall);
    all_ = generated_;
  } else {
    if (config.path.empty()) refuse("data.path: not set (give the file to train on: any file will do)");
    if (config.path != "-" && !path_exists(config.path))
      refuse(
          "{}: no such file{} (--set data.path=FILE names another place, or any other file; "
          "scripts/get_enwik8.sh fetches enwik8)",
          config.path, searched_folders(config));
    file_ = std::make_unique<const Input>(config.path);
    name_ = file_->name();
    all_ = Bytes(*file_);
    if (all_.empty())
      refuse("{}: empty ({})", name_,
             config.path == "-" ? "add < FILE to the command" : "name a file with text in it");
  }
  check_vocabulary(all_, config.vocab, name_);
}

CorpusIdentity Corpus::identity() const {
  constexpr size_t kPieces = 64, kPiece = 1 << 20;
  ContentHash hash;
  const auto add = [&](const Bytes& bytes) {
    bytes.each_piece([&](std::span<const uint8_t> piece) { hash.add(piece.data(), piece.size()); });
  };
  if (all_.size() <= kPieces * kPiece)
    add(all_);
  else
    for (size_t i = 0; i < kPieces; ++i) add(all_.part((all_.size() - kPiece) * i / (kPieces - 1), kPiece));
  return {static_cast<int64_t>(all_.size()), hash.digits()};
}

Bytes Corpus::bytes(Split split) const {
  if (split == Split::all) return all_;
  const auto end_of = [&](int percent) {  // whole hundreds first: size * percent cannot overflow
    const size_t share = static_cast<size_t>(percent);
    return all_.size() / 100 * share + all_.size() % 100 * share / 100;
  };
  const size_t train = end_of(percent_[0]), valid = end_of(percent_[0] + percent_[1]);
  if (split == Split::train) return all_.part(0, train);
  if (split == Split::valid) return all_.part(train, valid - train);
  return all_.part(valid, all_.size() - valid);
}

}  // namespace fade
