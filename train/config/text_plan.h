// How a text is trained on: the sizes of the model and the settings of its training that go with the text's length, the time,
// and the speed of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace fade {

/// Minutes of training where none are given.
constexpr double kDefaultMinutes = 10;

/// What there is to train with.
struct TextBudget {
  std::optional<int64_t> bytes;  ///< of the text; none: not known, taken for a long text
  double minutes = 0;            ///< of training; 0, always with given train.steps: these, or kDefaultMinutes
  std::function<double(const Config&)> speed;  ///< measures the bytes per second that training reads; above 0
  std::vector<std::string> given = {};         ///< settings that stay, as "key=value"
  int ranks = 1;                               ///< that divide the streams evenly
};

/// What is made of it.
struct TextPlan {
  std::vector<std::string> settings;  ///< of the laptop preset's keys, as "key=value"
  double minutes = 0;                 ///< of training (RunOptions::minutes); 0: given train.steps end it
  int64_t steps = 0;                  ///< train.steps; an estimate where there are minutes
  double epochs = 0;                  ///< how often the training split is then read; 0: not known
  std::vector<std::string> notes;     ///< for people: the model; the steps and epochs
};

/// Chooses, in this order:
/// - block and batch: a stream of a short text has eight blocks where that is possible; on a device that then reads
///   markedly more bytes per second, the batch is larger;
/// - the model: the largest of a ladder that still reads some bytes per weight, which the time limits, and the number of
///   times that a text is worth reading; with the learning rate of the nearest size of the ladder;
/// - dropout and input noise, by the number of times that the text is read;
/// - turns, chunks and, where no steps are given, a larger batch, for a text of known length that is not read often;
/// - steps: those of the minutes, or of that number of times, when it is reached before; or given ones;
/// - weight decay, for muon and adamw, by the number of times that the text is read;
/// - warm-up, validations and checkpoints: shares of the steps.
/// Calls `speed` for some rungs of the ladder, from the smallest on. Throws as parse_config does on what is given.
TextPlan plan_for_text(const TextBudget& budget);

}  // namespace fade
