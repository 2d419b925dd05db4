// The recall corpus: facts that must be remembered across noise until they are asked for.
// train/data/recall.md describes the text and derives its best possible loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// The bytes of keys, of which a configuration uses the first RecallConfig::keys. No byte is in two of
/// the three alphabets.
inline constexpr std::string_view kRecallKeys = "KLMNOPQRSTUVWXYZ";
/// The bytes of values, of which a configuration uses the first RecallConfig::values.
inline constexpr std::string_view kRecallValues = "0123456789ABCDEF";
/// The bytes of noise, of which a configuration uses the first RecallConfig::noise.
inline constexpr std::string_view kRecallNoise = "abcdefghijklmnopqrstuvwxyz";

/// The whole corpus: `config.bytes` bytes, the same for the same configuration on every machine.
std::vector<uint8_t> make_recall(const RecallConfig& config);

/// Bits per byte of two predictors.
struct RecallBounds {
  double best;       ///< the ideal one remembers every pending fact: no model can be better on average
  double forgetful;  ///< ideal except that it guesses the answers among all values
};
/// Both for corpora of this configuration. Derivation: train/data/recall.md.
RecallBounds recall_bounds(const RecallConfig& config);

/// A question of a text whose fact lies in the text too.
struct RecallQuestion {
  size_t answer;    ///< position of the answer byte; it is predicted from the byte before it, the key
  size_t distance;  ///< rows from the fact's value byte to the question's key byte, as attention counts them
};

/// The questions of any stretch of a recall corpus, in order.
std::vector<RecallQuestion> recall_questions(std::span<const uint8_t> text);

/// The role of a byte.
enum class RecallRole : uint8_t {
  noise,     ///< between records
  fact,      ///< of a fact `@k=v;`: all bytes but v
  value,     ///< its v
  question,  ///< of a question `?kv`: all bytes but v
  answer     ///< its v
};

/// The role of every byte of a stretch of a recall corpus. The rest of a record that the start
/// cuts off counts as `question`.
std::vector<RecallRole> recall_roles(std::span<const uint8_t> text);

}  // namespace fade
