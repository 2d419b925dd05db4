#include "train/time_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "train/config/schema.h"

namespace fade {

void TimeLimit::check(const TrainConfig& config, double minutes) {
  constexpr double kEarly = 0.9;
  if (minutes == 0) {
    if (config.steps == 0)
      refuse("train.steps: found 0, allowed with --minutes only (add --minutes T, or --set train.steps=N)");
    return;
  }
  const ScheduleConfig& schedule = config.schedule;
  if (schedule.kind == ScheduleKind::cosine && schedule.decay > kEarly && schedule.warmup < kFewestSteps)
    refuse(
        "train.schedule.warmup: found {}, allowed with --minutes: at least {} (the speed of the first steps decides how many "
        "there are, and so when the learning rate falls; or set train.schedule.decay to at most {})",
        schedule.warmup, kFewestSteps, kEarly);
}

TimeLimit::TimeLimit(double minutes, int64_t steps, double seconds, int max_steps)
    : seconds_(60 * minutes),
      max_steps_(max_steps ? max_steps : static_cast<int64_t>(find_key("train.steps")->range.high)),
      earlier_{0, 0},
      later_{steps, seconds} {}

void TimeLimit::add(int64_t done, double seconds) {
  if (done >= 2 * later_.steps) earlier_ = std::exchange(later_, {done, seconds});
  const double per_step = (seconds - earlier_.seconds) / static_cast<double>(done - earlier_.steps);
  const auto most = static_cast<double>(std::max(max_steps_ - done, int64_t{0}));
  done_ = done;
  share_ = seconds / seconds_;
  left_ = share_ >= 1 ? 0 : std::llround(std::min((seconds_ - seconds) / per_step, most));
}

std::optional<int64_t> TimeLimit::choice(Schedule schedule, bool now) const {
  schedule.steps = fitting();
  if (!now && share_ < 1 && done_ < schedule.last_full_step()) return {};
  if (schedule.decay == 1) return fitting();
  int64_t fewest = fitting(), enough = static_cast<int64_t>(find_key("train.steps")->range.high);
  while (fewest < enough) {  // last_full_step() never falls
    schedule.steps = fewest + (enough - fewest) / 2;
    if (schedule.last_full_step() < done_)
      fewest = schedule.steps + 1;
    else
      enough = schedule.steps;
  }
  return enough;
}

}  // namespace fade
