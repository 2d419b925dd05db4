// The time that training takes, by two clocks.
#pragma once

#include <ctime>

#include "engine/parallel.h"

namespace fade {

/// Seconds of training.
struct TrainingTime {
  double wall = 0;  ///< by the clock on the wall
  double cpu =
      0;  ///< of this process's CPU time, divided by its threads: what other programs take does not count

  /// That of both clocks, since some moment in the past.
  static TrainingTime now() {
    const auto seconds = [](clockid_t clock) {
      timespec t{};
      ::clock_gettime(clock, &t);
      return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
    };
    return {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID) / threads()};
  }
  /// Of both clocks.
  TrainingTime operator+(const TrainingTime& o) const { return {wall + o.wall, cpu + o.cpu}; }
  /// Of both clocks.
  TrainingTime operator-(const TrainingTime& o) const { return {wall - o.wall, cpu - o.cpu}; }
};

}  // namespace fade
