// The number of steps of a run that is given a time (RunOptions::minutes).
#pragma once

#include <cstdint>
#include <optional>

#include "nn/schedule.h"
#include "train/config/config.h"

namespace fade {

/// Chooses the number of steps so that the schedule ends with the time, by the speed of the steps done. It does
/// so once, and as late as the schedule permits: after the last step that would have been the same with any
/// larger number. A run with that number from the start then repeats it bit for bit, without the clock.
class TimeLimit {
 public:
  /// A run that takes longer than its time ends all the same when it has taken this many times as long: the steps have
  /// become slower since their number was chosen.
  static constexpr double kMost = 2;

  /// Steps of warm-up, where the learning rate falls soon after: the first are slower, until caches and the
  /// memory pool are filled.
  static constexpr int64_t kFewestSteps = 5;

  /// Throws InputError when the learning rate of `config` falls from the first steps on, before their speed is
  /// known; and when there are no minutes (0), and no number of steps either.
  static void check(const TrainConfig& config, double minutes);

  /// `minutes`: of training, for the whole run. It goes on after `steps` steps, which have taken so many seconds.
  /// `max_steps`: that are chosen, at most, unless more are done; 0: no limit.
  TimeLimit(double minutes, int64_t steps, double seconds, int max_steps = 0);

  /// Takes note of a step, the `done`-th; all steps so far have taken `seconds`.
  void add(int64_t done, double seconds);

  /// The number of steps that fit into the time at the speed of the last steps; at least those done, and at
  /// most the limit.
  int64_t fitting() const { return done_ + left_; }

  /// True when that is more than a first guess: after a hundredth of the time.
  bool knows_speed() const { return done_ >= kFewestSteps && share_ >= 0.01; }

  /// The number of steps, once it has to be chosen, or with `now`; before, none. More than fitting() when with
  /// fewer the learning rate would already have fallen. schedule.steps does not count.
  std::optional<int64_t> choice(Schedule schedule, bool now = false) const;

  double seconds() const { return seconds_; }  ///< of training, for the whole run

 private:
  /// After a step.
  struct Mark {
    int64_t steps;
    double seconds;
  };
  double seconds_;
  int64_t max_steps_;
  Mark earlier_;  ///< the speed is that of the steps since then: of the later half of them, or more
  Mark later_;    ///< the next earlier one
  int64_t done_ = 0, left_ = 0;
  double share_ = 0;  ///< of the time that is over
};

}  // namespace fade
