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
  cosine     ///< falls along half a cosine
};

/// A schedule of the learning rate.
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;  ///< after warm-up
  int64_t warmup = 0;                          ///< steps of linear warm-up from 0
  int64_t steps = 0;                           ///< length of the run (cosine)
  double final = 0;                            ///< cosine: the factor reached at the last step

  /// Factor on the learning rate at step 1, 2, ..., steps: linear to 1 at step `warmup`; then constant, or
  /// half a cosine from 1 down to `final` (Loshchilov and Hutter 2017, without restarts).
  double factor(int64_t step) const {
    if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
    if (kind == ScheduleKind::constant || steps <= warmup) return 1;
    const double done =
        static_cast<double>(std::min(step, steps) - warmup) / static_cast<double>(steps - warmup);
    return final + (1 - final) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
};

}  // namespace fade
