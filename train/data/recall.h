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

/// The alphabets. A configuration uses the first `keys`, `values` and `noise` of them; no byte is in two.
inline constexpr std::string_view kRecallKeys = "KLMNOPQRSTUVWXYZ";
inline constexpr std::string_view kRecallValues = "0123456789ABCDEF";
inline constexpr std::string_view kRecallNoise = "abcdefghijklmnopqrstuvwxyz";

/// The whole corpus: `config.bytes` bytes, the same for the same configuration on every machine.
std::vector<uint8_t> make_recall(const RecallConfig& config);

/// Bits per byte of two predictors.
struct RecallBounds {
  double best;       ///< the ideal one remembers every pending fact: no model can be better on average
  double forgetful;  ///< ideal except that it guesses the answers among all values
};
RecallBounds recall_bounds(const RecallConfig& config);

/// A question of a text whose fact lies in the text too.
struct RecallQuestion {
  size_t answer;    ///< position of the answer byte; it is predicted from the byte before it, the key
  size_t distance;  ///< rows from the fact's value byte to the question's key byte, as attention counts them
};

/// The questions of any stretch of a recall corpus, in order.
std::vector<RecallQuestion> recall_questions(std::span<const uint8_t> text);

/// The role of a byte: `value` and `answer` are the v of @k=v; and of ?kv, `fact` and `question`
/// the other bytes.
enum class RecallRole : uint8_t { noise, fact, value, question, answer };

/// The role of every byte of a stretch of a recall corpus. The rest of a record that the start
/// cuts off counts as `question`.
std::vector<RecallRole> recall_roles(std::span<const uint8_t> text);

}  // namespace fade
