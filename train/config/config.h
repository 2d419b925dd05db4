// The configuration of a run: the model, its data and its training. train/config/file.h reads and checks it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/config.h"
#include "models/kinds.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"

namespace fade {

enum class DataKind { file, recall };
enum class DeviceChoice { automatic, cpu, cuda };
enum class Precision { f32, f64, bf16 };
enum class OnNonfinite { stop, skip };

// The names of an enum's values as configurations spell them, in the enum's order.
inline auto spellings(Kind) {
  std::array<std::string_view, kKindCount> names;
  std::ranges::transform(kKinds, names.begin(), &KindInfo::name);
  return names;
}
constexpr auto spellings(AttentionPath) { return std::to_array<std::string_view>({"fused", "composed"}); }
constexpr auto spellings(CompressKind) { return std::to_array<std::string_view>({"mean", "conv"}); }
constexpr auto spellings(DataKind) { return std::to_array<std::string_view>({"file", "recall"}); }
constexpr auto spellings(OptimizerKind) {
  return std::to_array<std::string_view>({"sgd", "adam", "adamw", "adagrad"});
}
constexpr auto spellings(ScheduleKind) { return std::to_array<std::string_view>({"constant", "cosine"}); }
constexpr auto spellings(DeviceChoice) { return std::to_array<std::string_view>({"auto", "cpu", "cuda"}); }
constexpr auto spellings(Precision) { return std::to_array<std::string_view>({"f32", "f64", "bf16"}); }
constexpr auto spellings(OnNonfinite) { return std::to_array<std::string_view>({"stop", "skip"}); }

template <class E>
inline const auto names_of = spellings(E{});

/// The name of one value, as configurations spell it: name_of(Kind::expire_span) is "expire_span".
template <class E>
std::string_view name_of(E value) {
  return names_of<E>[static_cast<size_t>(value)];
}

/// The built-in corpus of facts, noise and questions (train/data/recall.md).
struct RecallConfig {
  int64_t bytes = 4'000'000;  ///< length of the whole corpus, split like a file
  uint64_t seed = 1;          ///< of its random draws
  int keys = 4;               ///< letters K, L, ..
  int values = 8;             ///< hexadecimal digits 0, 1, ..
  int noise = 16;             ///< letters a, b, ..
  int facts = 2;              ///< facts per round: how many must be remembered at a time
  int gap = 2;                ///< noise bytes between two facts or two questions: uniform on 0..gap
  int wait_min = 4;           ///< noise bytes between a round's facts and its questions: from wait_min
  int wait_max = 150;         ///< to wait_max, the probability of w proportional to w^(-3/2)
};

struct DataConfig {
  DataKind kind = DataKind::file;
  std::string path;                       ///< kind file: its bytes are the tokens
  std::array<int, 3> split = {90, 5, 5};  ///< percent: training, validation, test
  int vocab = 256;                        ///< V: bytes from 0 to V - 1 may occur
  RecallConfig recall;                    ///< kind recall
  std::string folder = {};  ///< of the configuration file (train/config/corpus_path.h); not a key
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::constant;
  int warmup = 8000;   ///< steps over which the learning rate rises linearly to lr
  double final = 0.0;  ///< cosine: the last step's learning rate as a fraction of lr
};

struct TrainConfig {
  int batch = 64;  ///< B: streams
  int steps = 100'000;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  double clip = 0.3;            ///< global gradient norm; 0: off
  int accumulate = 1;           ///< blocks whose gradients are averaged into one update
  int eval_every = 1000;        ///< steps; 0: only at the end
  int64_t eval_bytes = 0;       ///< of the validation split, at most; 0: all
  int checkpoint_every = 1000;  ///< steps; 0: only at the end
  int keep_checkpoints = 3;     ///< this many of the newest; 0: all
  int keep_every = 0;           ///< and those whose steps are multiples of this; 0: no others
  OnNonfinite on_nonfinite = OnNonfinite::stop;
  int log_every = 50;        ///< steps
  bool tensorboard = false;  ///< write a file of events, too
};

struct Config {
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
  DeviceChoice device = DeviceChoice::automatic;
  Precision dtype = Precision::f32;
  int threads = 0;  ///< 0: all cores of the machine
  uint64_t seed = 1;
};

}  // namespace fade
