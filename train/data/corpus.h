// The corpus of training and evaluation, and the check that a text holds no byte that the model has no symbol
// for. train/data/streams.h cuts a corpus into streams and blocks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/input.h"
#include "train/config/config.h"
#include "train/data/bytes.h"

namespace fade {

/// A part of a corpus.
enum class Split {
  train,  ///< the first part: for training
  valid,  ///< the second: for validation during a run
  test,   ///< the rest: for a last figure
  all     ///< the whole corpus
};
/// The names of the parts on the command line, as in train/config/config.h.
constexpr auto spellings(Split) { return std::to_array<std::string_view>({"train", "valid", "test", "all"}); }

/// Throws InputError, naming the text by `name`, when a byte is not below `vocab`: the message gives the
/// first such byte, its offset, and the vocabulary that the text needs. Reads the text once; with a
/// vocabulary of 256, not at all.
void check_vocabulary(const Bytes& bytes, int vocab, const std::string& name);

/// What tells one corpus from another: its size, and the hash of its bytes or, above 64 MiB, of a
/// sample of them, so that a run starts at once: 64 pieces of 1 MiB, the first and the last among them,
/// at equal distances.
struct CorpusIdentity {
  int64_t bytes = 0;  ///< its size
  std::string hash;   ///< XXH3 (engine/io/hash.h); empty when nothing is known
  bool operator==(const CorpusIdentity&) const = default;  ///< the same size and hash
};

/// How the corpus called `name` differs from the one that was trained on: "a.txt has changed: ..". Empty when
/// it does not, as far as is known.
std::string change_of_corpus(const CorpusIdentity& trained, const CorpusIdentity& now,
                             const std::string& name);

/// A file, of which only what is asked for is read, or the recall corpus, which is generated. Its bytes
/// are the tokens.
class Corpus {
 public:
  /// Opens or generates the corpus of a checked configuration. Throws InputError if the file is
  /// not set, missing, empty or a directory, or if it holds a byte outside the vocabulary, naming
  /// the first one and its offset.
  explicit Corpus(const DataConfig& config);

  /// "data/enwik8", or "recall": the corpus's name in messages.
  const std::string& name() const { return name_; }

  /// The bytes of one part. Parts lie one after the other, training first; each ends at its cumulative
  /// percentage of the corpus, rounded down to a whole byte. May be empty.
  Bytes bytes(Split split) const;

  /// Reads all of it, or the sample. Throws as Bytes::read does.
  CorpusIdentity identity() const;

 private:
  std::string name_;
  std::unique_ptr<const Input> file_;
  std::vector<uint8_t> generated_;
  Bytes all_;  ///< of the file, or generated_
  std::array<int, 3> percent_;
};

}  // namespace fade
