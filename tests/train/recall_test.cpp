// The recall corpus against an independent implementation of its
// rules: an ideal predictor that only sees bytes.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <set>

#include "tests/source_files.h"
#include "tests/support.h"
#include "train/data/recall.h"

using namespace fade;

namespace {

/// Predicts each byte of a recall text from the bytes before it, as well as the rules allow.
class IdealPredictor {
 public:
  explicit IdealPredictor(const RecallConfig& config) : config_(config) {}

  /// P(next byte = b) for every b; sums to 1.
  std::map<char, double> next() const {
    switch (place_) {
      case Place::noise:
        return after_noise();
      case Place::fact_key:
        return among(config_.keys, kRecallKeys, values_);
      case Place::equals:
        return {{'=', 1.0}};
      case Place::fact_value:
        return among(config_.values, kRecallValues, {});
      case Place::semicolon:
        return {{';', 1.0}};
      case Place::question_key: {
        std::map<char, double> p;
        for (const auto& [key, value] : values_) p[key] = 1.0 / static_cast<double>(values_.size());
        return p;
      }
      case Place::answer:
        return {{values_.at(key_), 1.0}};
    }
    return {};
  }

  /// Takes the next byte. True if it ends a round.
  bool see(char byte) {
    switch (place_) {
      case Place::noise:
        if (byte != '@' && byte != '?') {
          ++noise_;
          return false;
        }
        place_ = byte == '@' ? Place::fact_key : Place::question_key;
        asking_ = byte == '?';
        noise_ = 0;
        return false;
      case Place::fact_key:
      case Place::question_key:
        key_ = byte;
        place_ = asking_ ? Place::answer : Place::equals;
        return false;
      case Place::equals:
        place_ = Place::fact_value;
        return false;
      case Place::fact_value:
        values_[key_] = byte;
        place_ = Place::semicolon;
        return false;
      case Place::semicolon:
        place_ = Place::noise;
        return false;
      case Place::answer:
        values_.erase(key_);
        place_ = Place::noise;
        return values_.empty();
    }
    return false;
  }

 private:
  enum class Place { noise, fact_key, equals, fact_value, semicolon, question_key, answer };

  static std::map<char, double> among(int count, std::string_view alphabet,
                                      const std::map<char, char>& except) {
    std::map<char, double> p;
    for (int i = 0; i < count; ++i)
      if (!except.contains(alphabet[static_cast<size_t>(i)])) p[alphabet[static_cast<size_t>(i)]] = 1;
    const double total = static_cast<double>(p.size());
    for (auto& [byte, probability] : p) probability /= total;
    return p;
  }

  /// P(the noise ends here | it has this length already).
  double ends() const {
    const bool waiting = !asking_phase() && values_.size() == static_cast<size_t>(config_.facts);
    const int low = waiting ? config_.wait_min : 0, high = waiting ? config_.wait_max : config_.gap;
    double here = 0, longer = 0;
    for (int w = std::max(low, noise_); w <= high; ++w) {
      const double weight = waiting ? std::pow(w, -1.5) : 1.0;
      (w == noise_ ? here : longer) += weight;
    }
    return here / (here + longer);
  }

  bool asking_phase() const { return asking_ && !values_.empty(); }

  std::map<char, double> after_noise() const {
    const bool all_known = values_.size() == static_cast<size_t>(config_.facts);
    const double end = ends();
    auto p = among(config_.noise, kRecallNoise, {});
    for (auto& [byte, probability] : p) probability *= 1 - end;
    p[all_known || asking_phase() ? '?' : '@'] = end;
    return p;
  }

  RecallConfig config_;
  Place place_ = Place::noise;
  int noise_ = 0;                ///< noise bytes since the last record
  bool asking_ = false;          ///< the last record was a question
  char key_ = 0;                 ///< of the current record
  std::map<char, char> values_;  ///< of the pending facts
};

std::vector<RecallConfig> configurations() {
  RecallConfig standard, small, plain, wide;
  standard.bytes = 2'000'000;
  small.bytes = 300'000;
  small.keys = small.facts = 2;
  small.values = 3;
  small.noise = 2;
  small.gap = 1;
  small.wait_min = 1;
  small.wait_max = 5;
  plain.bytes = 100'000;  // one key, one value, no gaps, a fixed wait: only noise is random
  plain.keys = plain.values = plain.facts = 1;
  plain.gap = 0;
  plain.wait_min = plain.wait_max = 10;
  wide.bytes = 1'500'000;
  wide.keys = 16;
  wide.facts = 7;
  wide.noise = 26;
  wide.gap = 20;
  wide.seed = 99;
  return {standard, small, plain, wide};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recall)

BOOST_AUTO_TEST_CASE(the_best_loss_is_what_the_ideal_predictor_pays) {
  for (const RecallConfig& config : configurations()) {
    const auto text = make_recall(config);
    const double best = recall_bounds(config).best;
    IdealPredictor predictor(config);
    double round_bits = 0, round_bytes = 0;               // of the current round
    double bits = 0, bytes = 0, rounds = 0, squares = 0;  // of the whole rounds
    for (const uint8_t byte : text) {
      const auto p = predictor.next();
      double total = 0;
      for (const auto& [b, probability] : p) total += probability;
      BOOST_REQUIRE_SMALL(total - 1, 1e-12);
      const auto found = p.find(static_cast<char>(byte));
      BOOST_REQUIRE(found != p.end());
      BOOST_REQUIRE(found->second > 0);
      round_bits -= std::log2(found->second);
      ++round_bytes;
      if (!predictor.see(static_cast<char>(byte))) continue;
      const double excess = round_bits - best * round_bytes;  // has mean 0, by the renewal-reward theorem
      squares += excess * excess;
      bits += round_bits;
      bytes += round_bytes;
      ++rounds;
      round_bits = round_bytes = 0;
    }
    // Four standard errors of a ratio of sums over independent rounds: misses once in 16000 seeds.
    const double standard_error = std::sqrt(squares) / bytes;
    BOOST_TEST_MESSAGE("best " << best << ", ideal predictor " << bits / bytes << " ± " << standard_error);
    BOOST_TEST(rounds > 400);
    // Four standard errors would reveal even the smallest missing term, log2(2!) / 44 = 0.0227.
    BOOST_TEST(standard_error < 0.0045);
    BOOST_TEST(std::abs(bits / bytes - best) <= 4 * standard_error + 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(the_best_loss_of_a_case_worked_by_hand) {
  RecallConfig config;
  config.keys = 2;
  config.facts = 1;
  config.values = 8;
  config.noise = 4;
  config.gap = 3;
  config.wait_min = 1;
  config.wait_max = 2;  // P(1) : P(2) = 1 : 2^-1.5
  const double p = 1 / (1 + std::pow(2, -1.5));
  const double wait_bits = -p * std::log2(p) - (1 - p) * std::log2(1 - p);
  const double noise = 1.5 + 2 - p;
  BOOST_TEST(recall_bounds(config).best == (2 + wait_bits + 2 * noise + 1 + 3) / (8 + noise),
             boost::test_tools::tolerance(1e-14));
  BOOST_TEST(recall_bounds(config).forgetful == (2 + wait_bits + 2 * noise + 1 + 3 + 3) / (8 + noise),
             boost::test_tools::tolerance(1e-14));
}

BOOST_AUTO_TEST_CASE(the_documentation_states_the_defaults_losses) {
  const std::string text = test::source_text("train/data/recall.md");
  char sentence[100];
  std::snprintf(sentence, sizeof sentence,
                "%.4f bits per byte for the ideal predictor, %.4f for the forgetful one",
                recall_bounds({}).best, recall_bounds({}).forgetful);
  BOOST_TEST(test::contains(text, sentence), sentence);
}

BOOST_AUTO_TEST_CASE(the_text_depends_on_the_seed_alone) {
  RecallConfig config;
  config.bytes = 10'000;
  const auto text = make_recall(config);
  BOOST_TEST(text.size() == 10'000u);
  BOOST_TEST((make_recall(config) == text));
  config.bytes = 20'000;
  const auto longer = make_recall(config);
  BOOST_TEST(std::equal(text.begin(), text.end(), longer.begin()));
  config.bytes = 10'000;
  config.seed = 2;
  BOOST_TEST((make_recall(config) != text));
}

BOOST_AUTO_TEST_CASE(questions_know_their_fact) {
  const std::string text = "Q=1;ab@K=7;cd@L=2;efghij?L2k?K7?M4@L=3;?L3@N=1;@P";
  const auto questions = recall_questions({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  BOOST_TEST(questions.size() == 3u);  // the fact of M is not in the text
  const size_t answers[] = {text.find("?L2") + 2, text.find("?K7") + 2, text.find("?L3") + 2};
  const size_t facts[] = {text.find("@L=2") + 3, text.find("@K=7") + 3, text.find("@L=3") + 3};
  for (size_t i = 0; i < questions.size(); ++i) {
    BOOST_TEST(questions[i].answer == answers[i]);
    BOOST_TEST(questions[i].distance == answers[i] - 1 - facts[i]);
  }
}

BOOST_AUTO_TEST_CASE(answers_repeat_values_at_distances_from_near_to_far) {
  RecallConfig config;
  config.bytes = 1'000'000;
  const auto text = make_recall(config);
  const auto questions = recall_questions(text);
  size_t nearest = text.size(), farthest = 0;
  double near = 0, middle = 0, far = 0;
  for (const RecallQuestion& q : questions) {
    BOOST_REQUIRE(text[q.answer] == text[q.answer - 1 - q.distance]);
    BOOST_REQUIRE(text[q.answer - 1] == text[q.answer - 1 - q.distance - 2]);  // the same key
    nearest = std::min(nearest, q.distance);
    farthest = std::max(farthest, q.distance);
    (q.distance <= 32 ? near : q.distance <= 64 ? middle : far) += 1;
  }
  const double count = static_cast<double>(questions.size());
  BOOST_TEST(count > 20'000);
  BOOST_TEST(nearest == 7u);  // train/data/recall.md
  BOOST_TEST(farthest <= 165u);
  BOOST_TEST(farthest > 155u);
  BOOST_TEST(near / count > 0.3);  // easy questions
  BOOST_TEST(middle / count > 0.1);
  BOOST_TEST(far / count > 0.1);  // hard ones
}

BOOST_AUTO_TEST_CASE(every_byte_has_its_role) {
  const std::string text = "7;ab@K=7;c?K7d@L";
  using enum RecallRole;
  const std::vector<RecallRole> expected = {question, question, noise,    noise,   fact,     fact,
                                            fact,     value,    fact,     noise,   question, question,
                                            answer,   noise,    question, question};
  BOOST_TEST((recall_roles({reinterpret_cast<const uint8_t*>(text.data()), text.size()}) == expected));
}

BOOST_AUTO_TEST_CASE(the_alphabets_share_no_byte) {
  const std::string all =
      std::string(kRecallKeys) + std::string(kRecallValues) + std::string(kRecallNoise) + "@=;?";
  BOOST_TEST(std::set(all.begin(), all.end()).size() == all.size());
  for (const char byte : all) BOOST_TEST((byte > 32 && byte < 127));
}

BOOST_AUTO_TEST_SUITE_END()
