// What is chosen for a text: sensible for any length, time and machine, and larger where there is more of them.
#include <array>
#include <boost/test/unit_test.hpp>

#include "train/config/check.h"
#include "train/config/file.h"
#include "train/config/text_plan.h"
#include "train/config/text_preset.h"

namespace fade {
namespace {

constexpr double kSlow = 2e9, kLaptop = 6e10, kGpu = 2e13;  // operations per second
const auto kLengths = std::to_array<int64_t>({3, 10, 300, 30'000, 1'000'000, 100'000'000});
const auto kMinutes = std::to_array<double>({0.01, 1, 10, 10'000});

// A machine that computes so many operations per second: 6 per weight and byte, forward and backward; and needs a millisecond
// per step besides.
TextBudget budget_of(std::optional<int64_t> bytes, double minutes, double operations,
                     const std::vector<std::string>& given = {}) {
  const auto speed = [operations](const Config& c) {
    const double bytes_per_step = 1.0 * c.train.batch * c.model.block;
    return bytes_per_step / (1e-3 + bytes_per_step * 6 * weight_count(c.model) / operations);
  };
  return {bytes, minutes, speed, given};
}

Config config_of(const TextPlan& plan, std::vector<std::string> given = {}) {
  given.insert(given.begin(), plan.settings.begin(), plan.settings.end());
  return parse_config(kLaptopPreset, "the laptop preset", given);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(text_plan)

BOOST_AUTO_TEST_CASE(any_budget_has_a_sensible_plan) {
  for (const int64_t bytes : kLengths)
    for (const double minutes : kMinutes)
      for (const double machine : {kSlow, kLaptop, kGpu}) {
        BOOST_TEST_CONTEXT(bytes << " bytes, " << minutes << " minutes, " << machine
                                 << " operations per second") {
          const TextBudget budget = budget_of(bytes, minutes, machine);
          const TextPlan plan = plan_for_text(budget);
          const Config c = config_of(plan);  // which is a valid one
          const double text = 0.9 * static_cast<double>(bytes), step = 1.0 * c.train.batch * c.model.block;
          BOOST_TEST(c.train.turns * c.train.batch * (c.model.block + 1) <=
                     text);  // the streams have a block each
          if (plan.epochs > 4) BOOST_TEST((c.train.turns == 1 && c.train.chunk_bytes == 0));
          if (plan.epochs < 4) BOOST_TEST(c.train.chunk_bytes == 2048);
          if (plan.epochs < 4 && bytes >= 1'000'000) BOOST_TEST(c.train.turns * c.train.batch == 128);
          BOOST_TEST(plan.steps >= 1);
          BOOST_TEST(c.train.steps == plan.steps);
          BOOST_TEST(c.train.schedule.warmup < plan.steps);
          BOOST_TEST(c.train.eval_every <= plan.steps);
          BOOST_TEST(plan.steps * step <= std::max(1.001 * 60 * minutes * budget.speed(c), step));
          BOOST_TEST(plan.epochs <= std::max(40.0, 101 * step / text));  // no text is read for ever
          if (plan.epochs > 15 && static_cast<double>(weight_count(c.model)) >= 5 * text)
            BOOST_TEST(c.model.dropout >= 0.2);
          if (plan.epochs < 1) BOOST_TEST(c.model.dropout == 0);
          BOOST_TEST(c.train.optimizer.weight_decay <= 1);
          BOOST_TEST(plan.minutes == minutes);
          // The clock ends the run unless the text does.
          BOOST_TEST(plan.steps <= c.train.max_steps);
          if (plan.steps * step < 60 * minutes * budget.speed(c) - step)
            BOOST_TEST(plan.steps == c.train.max_steps);
        }
      }
}

BOOST_AUTO_TEST_CASE(more_of_anything_makes_no_smaller_model) {
  const auto weights = [](int64_t bytes, double minutes, double machine) {
    return weight_count(config_of(plan_for_text(budget_of(bytes, minutes, machine))).model);
  };
  for (size_t i = 1; i < kLengths.size(); ++i)
    BOOST_TEST(weights(kLengths[i], 10, kLaptop) >= weights(kLengths[i - 1], 10, kLaptop));
  for (size_t i = 1; i < kMinutes.size(); ++i)
    BOOST_TEST(weights(1'000'000, kMinutes[i], kLaptop) >= weights(1'000'000, kMinutes[i - 1], kLaptop));
  BOOST_TEST(weights(1'000'000, 10, kLaptop) > weights(1'000'000, 10, kSlow));
  BOOST_TEST(weights(100'000'000, 10, kGpu) > weights(100'000'000, 10, kLaptop));
  BOOST_TEST(weights(100'000'000, 10'000, kLaptop) > weights(30'000, 10'000, kLaptop));
}

BOOST_AUTO_TEST_CASE(a_text_that_is_read_often_is_regularised_and_ends_early) {
  const TextPlan short_text = plan_for_text(budget_of(30'000, 100, kLaptop)),
                 long_text = plan_for_text(budget_of(100'000'000, 100, kLaptop));
  BOOST_TEST(short_text.minutes == 100);  // at most, should the machine be slower than it seems
  BOOST_TEST(config_of(short_text).train.max_steps == short_text.steps);
  BOOST_TEST(short_text.notes.back().find("which is enough") != std::string::npos);
  BOOST_TEST(config_of(short_text).model.dropout > config_of(long_text).model.dropout);
  BOOST_TEST(long_text.minutes == 100);
  BOOST_TEST(config_of(long_text).train.max_steps > long_text.steps);
}

BOOST_AUTO_TEST_CASE(the_more_readings_the_more_regularisation) {
  // So many readings of 27,000 bytes, in steps of 512.
  const auto after = [](double readings, std::vector<std::string> given = {}) {
    given.push_back(fmt::format("train.steps={:.0f}", readings * 27'000 / 512));
    return config_of(plan_for_text(budget_of(30'000, 0, kLaptop, given)), given);
  };
  const Config none = after(1.9), some = after(15), all = after(30);
  BOOST_TEST(none.model.dropout == 0);
  BOOST_TEST(none.train.input_noise == 0);
  BOOST_TEST(none.train.optimizer.weight_decay == 0);
  BOOST_TEST((some.model.dropout > 0.2 && some.model.dropout < 0.3));  // those of 12 readings and of 20
  BOOST_TEST((some.train.input_noise > 0.05 && some.train.input_noise < 0.1));
  BOOST_TEST(all.model.dropout == 0.3);
  BOOST_TEST(all.train.input_noise == 0.1);
  // Of each reading, 27,000/512 steps at a learning rate of 3.5e-3: 0.16.
  BOOST_TEST(all.train.optimizer.weight_decay == 0.87);
  BOOST_TEST(some.train.optimizer.weight_decay < all.train.optimizer.weight_decay);
  BOOST_TEST(after(90).train.optimizer.weight_decay == 1);  // at a lower rate, of a larger model; and no more
  // A longer text, of which the model has fewer weights per byte.
  const std::vector<std::string> often{fmt::format("train.steps={:.0f}", 30 * 900'000.0 / 512),
                                       "model.layers=3", "model.hidden=96", "model.ff=384"};
  const Config longer = config_of(plan_for_text(budget_of(1'000'000, 0, kLaptop, often)), often);
  BOOST_TEST((longer.model.dropout > 0.1 && longer.model.dropout < 0.3));
  // What is given stays; a given learning rate changes no decay, and other optimizers have none.
  BOOST_TEST(after(30, {"train.input_noise=0"}).train.input_noise == 0);
  BOOST_TEST(after(30, {"train.optimizer.lr=1e-6"}).train.optimizer.weight_decay == 0.87);
  BOOST_TEST(after(30, {"train.optimizer.kind=adamw"}).train.optimizer.weight_decay == 0.87);
  BOOST_TEST(after(30, {"train.optimizer.kind=adam"}).train.optimizer.weight_decay == 0);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_not_busy_gets_a_larger_batch) {
  const Config gpu = config_of(plan_for_text(budget_of(100'000'000, 10, kGpu)));
  BOOST_TEST(gpu.train.batch > config_of(plan_for_text(budget_of(100'000'000, 10, kLaptop))).train.batch);
}

BOOST_AUTO_TEST_CASE(given_settings_stay_and_are_reckoned_with) {
  const std::vector<std::string> given{"train.steps=70", "model.hidden=32", "train.batch=4",
                                       "model.block=16"};
  TextBudget budget = budget_of(1'000'000, 0, kLaptop, given);
  budget.speed = [](const Config&) -> double { throw Error("the steps are known"); };
  const TextPlan plan = plan_for_text(budget);
  BOOST_TEST(plan.steps == 70);
  BOOST_TEST(plan.minutes == 0);
  BOOST_TEST(plan.epochs == 70 * 4 * 16 / 0.9e6, boost::test_tools::tolerance(1e-9));
  const Config c = config_of(plan, given);
  BOOST_TEST(c.model.hidden == 32);
  BOOST_TEST(c.train.steps == 70);
  BOOST_TEST(c.train.max_steps == 0);
  BOOST_TEST(c.train.eval_every <= 70);
}

BOOST_AUTO_TEST_CASE(a_model_of_given_size_gets_the_learning_rate_that_goes_with_it) {
  const auto chosen = [](const std::vector<std::string>& given) {
    TextBudget budget = budget_of(1'000'000, 10, kLaptop, given);
    int timed = 0;
    budget.speed = [&, speed = budget.speed](const Config& c) { return ++timed, speed(c); };
    const Config c = config_of(plan_for_text(budget), given);
    BOOST_TEST(timed <= 4);  // its batch, its size, its dropout
    return c;
  };
  BOOST_TEST(chosen({"model.layers=2", "model.hidden=64"}).train.optimizer.lr == 4e-3);
  BOOST_TEST(chosen({"model.layers=3", "model.hidden=96"}).train.optimizer.lr == 3.5e-3);
  BOOST_TEST(chosen({"model.layers=4", "model.hidden=128"}).train.optimizer.lr == 3e-3);  // as 3 of 128
  BOOST_TEST(chosen({"model.layers=12", "model.hidden=512"}).train.optimizer.lr == 7e-4);
  BOOST_TEST(chosen({"model.layers=3", "model.hidden=96"}).model.ff == 4 * 96);
  BOOST_TEST(chosen({"model.hidden=192"}).model.ff == 4 * 192);
}

BOOST_AUTO_TEST_CASE(no_more_steps_than_are_given_are_taken) {
  const std::vector<std::string> given{"train.max_steps=50"};
  const TextPlan plan = plan_for_text(budget_of(1'000'000, 10, kLaptop, given));
  BOOST_TEST(plan.steps == 50);
  BOOST_TEST(plan.notes.back() == "50 steps (train.max_steps); 3 % of the text is read");
}

BOOST_AUTO_TEST_CASE(with_no_limit_the_time_decides_how_often_a_text_is_read) {
  const TextPlan plan = plan_for_text(budget_of(30'000, 10, kLaptop, {"train.max_steps=0"}));
  BOOST_TEST(plan.epochs > 100);
  BOOST_TEST(plan.notes.back().starts_with("about "));
}

BOOST_AUTO_TEST_CASE(sizes_that_a_text_is_too_short_for_are_not_timed) {
  for (const std::string given : {"train.batch=1000", "train.turns=1000"}) {
    TextBudget budget = budget_of(5000, 1, kLaptop, {given});
    budget.speed = [](const Config&) -> double { throw Error("the trainer refuses it"); };
    BOOST_CHECK_NO_THROW(plan_for_text(budget));
  }
}

BOOST_AUTO_TEST_CASE(a_long_text_has_a_larger_batch_where_enough_steps_remain) {
  const auto batch = [](int64_t bytes, double minutes, const std::vector<std::string>& given = {}) {
    return config_of(plan_for_text(budget_of(bytes, minutes, kLaptop, given)), given).train.batch;
  };
  BOOST_TEST(batch(100'000'000, 10) == 16);
  BOOST_TEST(batch(100'000'000, 0.05) == 8);
  BOOST_TEST(batch(2'000'000, 100) == 8);  // it is read often
  BOOST_TEST(batch(100'000'000, 10, {"train.batch=4"}) == 4);
  BOOST_TEST(batch(100'000'000, 0, {"train.steps=100000"}) == 8);
  BOOST_TEST(batch(100'000'000, 10, {"train.max_steps=100000"}) == 8);
}

BOOST_AUTO_TEST_CASE(streams_fit_into_the_text_in_as_many_turns_as_are_given) {
  const std::vector<std::string> given{"train.turns=16"};
  const Config c = config_of(plan_for_text(budget_of(20'000, 0.01, kLaptop, given)), given);
  BOOST_TEST(c.train.turns == 16);
  BOOST_TEST(16 * c.train.batch * 8 * (c.model.block + 1) <= 18'000);
}

BOOST_AUTO_TEST_CASE(a_chunk_is_long_beside_given_blocks_and_spans) {
  const auto chunk = [](const std::vector<std::string>& given) {
    return config_of(plan_for_text(budget_of(100'000'000, 1, kLaptop, given)), given).train.chunk_bytes;
  };
  BOOST_TEST(chunk({"model.max_span=4096"}) == 4 * 4096);
  BOOST_TEST(chunk({"model.block=256"}) == 32 * 256);
}

BOOST_AUTO_TEST_CASE(a_text_of_unknown_length_is_taken_for_a_long_one) {
  const TextPlan unknown = plan_for_text(budget_of({}, 10, kLaptop));
  BOOST_TEST(unknown.minutes == 10);
  BOOST_TEST(config_of(unknown).train.turns == 1);  // should it be short after all
  BOOST_TEST(config_of(unknown).train.chunk_bytes == 0);
  BOOST_TEST(unknown.epochs == 0);
  BOOST_TEST(config_of(unknown).model.dropout == 0);
  BOOST_TEST(config_of(unknown).train.optimizer.weight_decay == 0);
  BOOST_TEST(config_of(unknown).train.max_steps == 0);
  BOOST_TEST(weight_count(config_of(unknown).model) ==
             weight_count(config_of(plan_for_text(budget_of(100'000'000, 10, kLaptop))).model));
}

BOOST_AUTO_TEST_CASE(ranks_divide_the_streams_evenly) {
  for (const int64_t bytes : kLengths)
    for (const int ranks : {2, 3, 12})
      for (const double machine : {kLaptop, kGpu}) {
        TextBudget budget = budget_of(bytes, 10, machine);
        budget.ranks = ranks;
        BOOST_TEST(config_of(plan_for_text(budget)).train.batch % ranks == 0);
      }
}

BOOST_AUTO_TEST_CASE(splits_may_be_empty) {
  for (const std::optional<int64_t> bytes : {std::optional<int64_t>(1'000'000), std::optional<int64_t>()})
    for (const std::string split : {"[95,0,5]", "[100,0,0]"}) {
      const std::vector<std::string> given{"data.split=" + split};
      const Config c = config_of(plan_for_text(budget_of(bytes, 10, kLaptop, given)), given);
      BOOST_TEST(c.train.eval_bytes == 0);
      BOOST_TEST(c.train.eval_every >= 1);
      BOOST_TEST(c.train.patience >= 3);
      BOOST_TEST(c.train.patience <= 100);
    }
}

BOOST_AUTO_TEST_CASE(any_time_gives_a_number_of_steps_that_is_allowed) {
  const TextPlan plan = plan_for_text(budget_of({}, 1e6, kGpu));
  BOOST_TEST(config_of(plan).train.steps == plan.steps);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
