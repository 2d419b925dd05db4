// The learning rate as a function of the step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace fade {

/// The learning rate after warm-up.
enum class ScheduleKind {
  constant,  ///< stays
  cosine     ///< falls along half a cosine, in the last of the steps
};

/// A schedule of the learning rate.
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;  ///< after warm-up
  int64_t warmup = 0;                          ///< steps of linear warm-up from 0
  int64_t steps = 0;  ///< length of the run (cosine); 0: not known yet, nothing falls
  double final = 0;   ///< cosine: the factor reached at the last step
  double decay = 1;   ///< cosine: share of the steps after warm-up in which it falls

  /// The last step before the factor falls; `steps` when it never does. Up to there, it is the same for every
  /// larger number of steps.
  int64_t last_full_step() const {
    if (kind == ScheduleKind::constant || steps <= warmup) return steps;
    const int64_t falling = std::llround(decay * static_cast<double>(steps - warmup));
    return steps - std::max(falling, int64_t{1});
  }

  /// Factor on the learning rate at step 1, 2, ..., steps: linear to 1 at step `warmup`; then constant; and for
  /// cosine, after last_full_step(), half a cosine from 1 down to `final` (Loshchilov and Hutter 2017, without
  /// restarts; with decay < 1, the shape of Hägele et al. 2024).
  double factor(int64_t step) const {
    if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
    const int64_t full = last_full_step();
    if (kind == ScheduleKind::constant || step <= full || steps <= full) return 1;
    const double done = static_cast<double>(std::min(step, steps) - full) / static_cast<double>(steps - full);
    return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace fade
