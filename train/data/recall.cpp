#include "train/data/recall.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "engine/rng.h"

namespace fade {

namespace {

constexpr size_t kFactLength = 5;      // @k=v;
constexpr size_t kQuestionLength = 3;  // ?kv

/// The distribution of the wait: P(w) proportional to w^-3/2 on [low, high].
class WaitLengths {
 public:
  WaitLengths(int low, int high) : low_(low) {
    for (int w = low; w <= high; ++w) probability_.push_back(std::pow(w, -1.5));
    const double total = std::accumulate(probability_.begin(), probability_.end(), 0.0);
    for (double& p : probability_) p /= total;
    std::partial_sum(probability_.begin(), probability_.end(), std::back_inserter(cumulative_));
  }

  /// The length at quantile u of [0, 1).
  int at(double u) const {
    const auto reached = std::upper_bound(cumulative_.begin(), cumulative_.end(), u);
    const auto last = cumulative_.end() - 1;  // rounding may leave the sum just below 1
    return low_ + static_cast<int>(std::min(reached, last) - cumulative_.begin());
  }

  double mean() const {
    double sum = 0;
    for (size_t i = 0; i < probability_.size(); ++i) sum += (low_ + static_cast<double>(i)) * probability_[i];
    return sum;
  }

  double entropy_bits() const {
    double sum = 0;
    for (const double p : probability_) sum -= p * std::log2(p);
    return sum;
  }

 private:
  int low_;
  std::vector<double> probability_, cumulative_;
};

/// Writes the rounds, one after the other.
class Writer {
 public:
  explicit Writer(const RecallConfig& config) : config_(config), waits_(config.wait_min, config.wait_max) {
    std::iota(keys_.begin(), keys_.end(), size_t{0});
  }

  void round(std::vector<uint8_t>& text) {
    const size_t facts = config_.facts;
    std::array<uint8_t, kRecallValues.size()> value_of{};  // by key
    shuffle_front(facts, config_.keys);
    for (size_t i = 0; i < facts; ++i) {
      const uint8_t value = pick(kRecallValues, config_.values);
      value_of[keys_[i]] = value;
      noise(text, below(config_.gap + 1));
      text.insert(text.end(), {'@', key_byte(i), '=', value, ';'});
    }
    noise(text, waits_.at(uniform_draw()));
    shuffle_front(facts, facts);
    for (size_t i = 0; i < facts; ++i) {
      if (i > 0) noise(text, below(config_.gap + 1));
      text.insert(text.end(), {'?', key_byte(i), value_of[keys_[i]]});
    }
  }

 private:
  double uniform_draw() { return uniform_f64(random_, draws_++); }

  size_t below(size_t count) { return static_cast<size_t>(uniform_draw() * count); }

  uint8_t pick(std::string_view alphabet, int used) { return static_cast<uint8_t>(alphabet[below(used)]); }

  uint8_t key_byte(size_t i) const { return static_cast<uint8_t>(kRecallKeys[keys_[i]]); }

  void noise(std::vector<uint8_t>& text, size_t length) {
    for (size_t i = 0; i < length; ++i) text.push_back(pick(kRecallNoise, config_.noise));
  }

  /// Makes the first `count` of keys_ a uniform ordered choice among its first `among` (Fisher and Yates).
  void shuffle_front(size_t count, size_t among) {
    for (size_t i = 0; i < count; ++i) std::swap(keys_[i], keys_[i + below(among - i)]);
  }

  const RecallConfig config_;
  const WaitLengths waits_;
  const RngKey random_{config_.seed, 0};
  uint64_t draws_ = 0;
  std::array<size_t, kRecallKeys.size()> keys_{};  ///< a permutation of all keys
};

/// log2 of n (n - 1) .. (n - k + 1): the ordered choices of k among n.
double log2_choices(int n, int k) {
  double bits = 0;
  for (int i = 0; i < k; ++i) bits += std::log2(n - i);
  return bits;
}

/// A whole fact or question of a text, starting at `begin`.
struct Record {
  size_t begin;
  bool is_fact;
  size_t length() const { return is_fact ? kFactLength : kQuestionLength; }
  size_t value() const { return begin + (is_fact ? 3 : 2); }
};

/// The whole records of a text, in order. '@' and '?' occur nowhere else.
std::vector<Record> records_in(std::span<const uint8_t> text) {
  std::vector<Record> records;
  for (size_t i = 0; i < text.size(); ++i) {
    const Record record{i, text[i] == '@'};
    if ((record.is_fact || text[i] == '?') && i + record.length() <= text.size()) records.push_back(record);
  }
  return records;
}

}  // namespace

std::vector<uint8_t> make_recall(const RecallConfig& config) {
  const size_t size = config.bytes;
  std::vector<uint8_t> text;
  text.reserve(size);
  Writer writer(config);
  while (text.size() < size) writer.round(text);
  text.resize(size);
  return text;
}

// The sums of train/data/recall.md.
RecallBounds recall_bounds(const RecallConfig& config) {
  const WaitLengths waits(config.wait_min, config.wait_max);
  const double n = config.facts, gaps = 2 * n - 1;
  const double noise_bytes = gaps * config.gap / 2.0 + waits.mean();
  const double value_bits = n * std::log2(config.values);
  const double bits = gaps * std::log2(config.gap + 1) + waits.entropy_bits() +
                      noise_bytes * std::log2(config.noise) + log2_choices(config.keys, config.facts) +
                      value_bits + log2_choices(config.facts, config.facts);
  const double bytes = n * (kFactLength + kQuestionLength) + noise_bytes;
  return {bits / bytes, (bits + value_bits) / bytes};
}

std::vector<RecallQuestion> recall_questions(std::span<const uint8_t> text) {
  std::vector<RecallQuestion> questions;
  std::array<std::optional<size_t>, 256> pending;  // by key: where its value is
  for (const Record& record : records_in(text)) {
    const size_t key_at = record.begin + 1;
    auto& value_at = pending[text[key_at]];
    if (record.is_fact) {
      value_at = record.value();
    } else if (value_at) {
      questions.push_back({record.value(), key_at - *value_at});
      value_at.reset();
    }
  }
  return questions;
}

std::vector<RecallRole> recall_roles(std::span<const uint8_t> text) {
  std::vector<RecallRole> roles;
  for (const uint8_t byte : text) {
    const bool noise = kRecallNoise.find(static_cast<char>(byte)) != std::string_view::npos;
    roles.push_back(noise ? RecallRole::noise : RecallRole::question);
  }
  for (const Record& record : records_in(text)) {
    std::fill_n(roles.begin() + record.begin, record.length(),
                record.is_fact ? RecallRole::fact : RecallRole::question);
    roles[record.value()] = record.is_fact ? RecallRole::value : RecallRole::answer;
  }
  return roles;
}

}  // namespace fade
