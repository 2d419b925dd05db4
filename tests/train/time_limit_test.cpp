// The number of steps of a run that is given a time: it fits the time, and the steps before it was known do not depend on it.
#include "train/time_limit.h"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "tests/support.h"

namespace fade {
namespace {

/// The number that a limit of ten minutes chooses, and after which step, when step s takes step_seconds(s).
struct Choice {
  int64_t steps, after;
  double seconds;  ///< that all of them take
};

Choice choose(const Schedule& schedule, const std::function<double(int64_t)>& step_seconds) {
  TimeLimit limit(10, 0, 0);
  double seconds = 0;
  std::optional<int64_t> steps;
  int64_t step = 0;
  while (!steps) {
    seconds += step_seconds(++step);
    limit.add(step, seconds);
    steps = limit.choice(schedule);
  }
  const int64_t after = step;
  while (step < *steps) seconds += step_seconds(++step);
  return {*steps, after, seconds};
}

const Schedule kConstant{.kind = ScheduleKind::constant, .warmup = 20};
const Schedule kCosine{.kind = ScheduleKind::cosine, .warmup = 20, .steps = 50};
const Schedule kLate{.kind = ScheduleKind::cosine, .warmup = 20, .steps = 50, .decay = 0.4};

}  // namespace

BOOST_AUTO_TEST_SUITE(time_limit)

BOOST_AUTO_TEST_CASE(steps_of_one_speed_fill_the_time) {
  for (const Schedule& schedule : {kConstant, kCosine, kLate}) {
    const Choice choice = choose(schedule, [](int64_t) { return 0.5; });
    BOOST_TEST(std::abs(choice.steps - 1200) <= 3);
  }
}

BOOST_AUTO_TEST_CASE(the_number_is_chosen_as_late_as_the_schedule_permits) {
  const auto speed = [](int64_t) { return 0.5; };
  BOOST_TEST(choose(kConstant, speed).after == 1200);
  BOOST_TEST(choose(kCosine, speed).after == 20);
  BOOST_TEST(std::abs(choose(kLate, speed).after - (20 + 0.6 * 1180)) <= 3);
}

BOOST_AUTO_TEST_CASE(slow_first_steps_do_not_count) {
  const Choice choice = choose(kCosine, [](int64_t step) { return step <= 3 ? 20 : 0.5; });
  BOOST_TEST(choice.steps == 3 + 1080);
}

// With a schedule that falls late, a run whose steps become slower takes little longer than its time.
BOOST_AUTO_TEST_CASE(a_late_choice_follows_the_speed) {
  const auto slower = [](int64_t step) { return step <= 400 ? 0.5 : 1; };
  BOOST_TEST(choose(kCosine, slower).seconds > 1.5 * 600);
  BOOST_TEST(choose(kLate, slower).seconds < 1.2 * 600);
  BOOST_TEST(choose(kLate, slower).seconds > 0.95 * 600);
  BOOST_TEST(choose(kConstant, slower).seconds == 600);
}

// Whatever the speed: a run that knows the number from the start does the same, bit for bit.
BOOST_AUTO_TEST_CASE(steps_before_the_choice_do_not_depend_on_it) {
  const std::function<double(int64_t)> speeds[] = {[](int64_t) { return 0.2; },
                                                   [](int64_t step) { return step % 7 ? 0.1 : 3; },
                                                   [](int64_t) { return 25; },
                                                   [](int64_t step) { return step == 100 ? 700 : 1; },
                                                   [](int64_t) { return 1000; },
                                                   [](int64_t step) { return step <= 500 ? 1e-3 : 1; },
                                                   [](int64_t step) { return 30.0 / step + 0.1; }};
  for (Schedule schedule : {kConstant, kCosine, kLate})
    for (const int64_t warmup : {0, 5, 20, 2000})
      for (const auto& speed : speeds) {
        schedule.warmup = warmup;
        if (schedule.decay > 0.9 && warmup < TimeLimit::kFewestSteps) continue;
        const Choice choice = choose(schedule, speed);
        BOOST_TEST(choice.after <= choice.steps);
        Schedule open = schedule, known = schedule;
        open.steps = 0;
        known.steps = choice.steps;
        for (int64_t step = 1; step <= choice.after; ++step)
          BOOST_REQUIRE(open.factor(step) == known.factor(step));
      }
}

// A run may end before: with the number that it would have chosen, it repeats that, too.
BOOST_AUTO_TEST_CASE(a_number_that_is_needed_at_once) {
  for (const Schedule& schedule : {kConstant, kCosine, kLate}) {
    TimeLimit limit(10, 0, 0);
    limit.add(1, 1);
    limit.add(2, 2);
    BOOST_TEST(!limit.choice(schedule));
    BOOST_TEST(limit.choice(schedule, true).value() == 600);
  }
}

// However soon the learning rate falls, and however few steps fit.
BOOST_AUTO_TEST_CASE(no_more_are_chosen_than_fit) {
  for (const double decay : {0.5, 0.8, 0.9, 0.99, 1 - 1e-9})
    for (const double seconds : {100.0, 6.0, 0.5}) {
      const Schedule schedule{
          .kind = ScheduleKind::cosine, .warmup = decay > 0.9 ? TimeLimit::kFewestSteps : 0, .decay = decay};
      const Choice choice = choose(schedule, [=](int64_t) { return seconds; });
      BOOST_TEST(std::abs(static_cast<double>(choice.steps) - 600 / seconds) <= 1);
    }
}

BOOST_AUTO_TEST_CASE(no_more_than_the_limit_are_chosen) {
  for (const int most : {100, 2000}) {
    TimeLimit limit(10, 0, 0, most);
    for (int64_t step = 1; step <= 20; ++step) limit.add(step, 0.5 * step);
    BOOST_TEST(limit.choice(kCosine).value() == std::min(most, 1200));
  }
}

// A run that is resumed before the number is chosen knows the speed of the steps before.
BOOST_AUTO_TEST_CASE(a_resumed_run_goes_on_counting) {
  TimeLimit limit(10, 19, 38);
  limit.add(20, 50);
  BOOST_TEST(limit.choice(kCosine).value() == 20 + 220);
}

BOOST_AUTO_TEST_CASE(a_learning_rate_that_falls_at_once_is_refused) {
  TrainConfig config;
  const auto refused = [&] { return test::refusal([&] { TimeLimit::check(config, 1); }); };
  config.schedule = {.kind = ScheduleKind::cosine, .warmup = 4};
  BOOST_TEST(test::contains(refused(), "train.schedule.warmup: found 4, allowed with --minutes: at least 5"));
  config.schedule.decay = 0.99;
  BOOST_TEST(test::contains(refused(), "found 4, allowed"));
  config.schedule.warmup = 5;
  TimeLimit::check(config, 1);
  config.schedule = {.kind = ScheduleKind::cosine, .warmup = 0, .decay = 0.9};
  TimeLimit::check(config, 1);
  config.schedule = {.kind = ScheduleKind::constant, .warmup = 0};
  TimeLimit::check(config, 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
