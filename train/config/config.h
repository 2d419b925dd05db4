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

/// What a corpus is made from.
enum class DataKind {
  file,   ///< the bytes of DataConfig::path
  recall  ///< the built-in recall corpus
};
/// Where a model computes; device_for() resolves it.
enum class DeviceChoice {
  automatic,  ///< cuda where there is one, else cpu
  cpu,        ///< Device::cpu
  cuda        ///< Device::cuda
};
/// The type of a model's weights and of its computation; types_for() resolves it.
enum class Precision {
  f32,  ///< DType::f32
  f64   ///< DType::f64
};
/// What a CUDA device multiplies where dtype is f32, as types_for() and set_up_process() apply it. A CPU
/// multiplies f32 all the same.
enum class ProductChoice {
  f32,   ///< ProductPrecision::f32
  tf32,  ///< ProductPrecision::tf32
  bf16   ///< activations of bf16; ProductPrecision::tf32 where factors are f32 all the same
};
/// What follows a training step whose loss or gradient is not finite (Trainer::step).
enum class OnNonfinite {
  stop,  ///< the run ends with an error
  skip   ///< the weights stay, and training goes on with the next bytes
};

/// The names of an enum's values as configurations spell them, in the enum's order: a std::array of
/// std::string_view, here of Kind. The argument only chooses the enum.
inline auto spellings(Kind) {
  std::array<std::string_view, kKindCount> names;
  std::ranges::transform(kKinds, names.begin(), &KindInfo::name);
  return names;
}
/// Those of AttentionPath.
constexpr auto spellings(AttentionPath) { return std::to_array<std::string_view>({"fused", "composed"}); }
/// Those of CompressKind.
constexpr auto spellings(CompressKind) { return std::to_array<std::string_view>({"mean", "conv"}); }
/// Those of DataKind.
constexpr auto spellings(DataKind) { return std::to_array<std::string_view>({"file", "recall"}); }
/// Those of OptimizerKind.
constexpr auto spellings(OptimizerKind) {
  return std::to_array<std::string_view>({"sgd", "adam", "adamw", "adagrad", "muon"});
}
/// Those of ScheduleKind.
constexpr auto spellings(ScheduleKind) { return std::to_array<std::string_view>({"constant", "cosine"}); }
/// Those of DeviceChoice.
constexpr auto spellings(DeviceChoice) { return std::to_array<std::string_view>({"auto", "cpu", "cuda"}); }
/// Those of Precision.
constexpr auto spellings(Precision) { return std::to_array<std::string_view>({"f32", "f64"}); }
/// Those of ProductChoice.
constexpr auto spellings(ProductChoice) { return std::to_array<std::string_view>({"f32", "tf32", "bf16"}); }
/// Those of OnNonfinite.
constexpr auto spellings(OnNonfinite) { return std::to_array<std::string_view>({"stop", "skip"}); }

/// spellings() of the enum E.
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

/// The corpus, and its parts (section `data`).
struct DataConfig {
  DataKind kind = DataKind::file;         ///< a file, or the recall corpus
  std::string path;                       ///< kind file: its bytes are the tokens
  std::array<int, 3> split = {90, 5, 5};  ///< percent: training, validation, test
  int vocab = 256;                        ///< V: bytes from 0 to V - 1 may occur
  RecallConfig recall;                    ///< kind recall
  std::string folder = {};  ///< of the configuration file (train/config/corpus_path.h); not a key
};

/// The learning rate as a function of the step (section `train.schedule`); nn/schedule.h has the formula.
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::constant;  ///< after warm-up
  int warmup = 8000;                           ///< steps over which the learning rate rises linearly to lr
  double final = 0.0;                          ///< cosine: the last step's learning rate as a fraction of lr
  double decay = 1.0;                          ///< cosine: share of the steps after warm-up in which it falls
};

/// How a model is trained, and what a run logs and keeps (section `train`).
struct TrainConfig {
  int batch = 64;               ///< B: streams
  int turns = 1;                ///< sets of `batch` streams that take turns (train/data/streams.h)
  int64_t chunk_bytes = 0;      ///< that a stream reads before it goes elsewhere, in whole blocks; 0: all
  int steps = 100'000;          ///< updates of the weights; 0: a time decides (RunOptions::minutes)
  int max_steps = 0;            ///< where a time decides: no more than these; 0: any number
  bool unigram_init = false;    ///< a new model predicts each byte by its frequency (train/unigram_init.h)
  double input_noise = 0;       ///< probability that a byte is misread (train/data/input_noise.h)
  OptimizerConfig optimizer;    ///< the rule of an update
  ScheduleConfig schedule;      ///< the learning rate
  double clip = 0.3;            ///< largest global gradient norm; 0: no limit
  int accumulate = 1;           ///< blocks whose gradients are averaged into one update
  int eval_every = 1000;        ///< steps; 0: only at the end
  int64_t eval_bytes = 0;       ///< of the validation split, at most; 0: all
  int patience = 0;             ///< validations in a row without a new best that end the run; 0: none do
  int checkpoint_every = 1000;  ///< steps; 0: only at the end
  int keep_checkpoints = 3;     ///< this many of the newest; 0: all
  int keep_every = 0;           ///< and those whose steps are multiples of this; 0: no others
  OnNonfinite on_nonfinite = OnNonfinite::stop;  ///< after a step that is not finite
  int log_every = 50;                            ///< steps between lines in the metrics
  bool tensorboard = false;                      ///< write a file of events, too
};

/// A whole configuration. Its defaults are those of the keys that a file leaves out (docs/configuration.md).
struct Config {
  ModelConfig model;                              ///< section `model`
  DataConfig data;                                ///< section `data`
  TrainConfig train;                              ///< section `train`
  DeviceChoice device = DeviceChoice::automatic;  ///< where the model computes
  Precision dtype = Precision::f32;               ///< in which type
  ProductChoice precision = ProductChoice::f32;   ///< of products on CUDA, and of what is kept for them
  int threads = 0;    ///< on the CPU; 0: one for each core that the process may use (set_threads)
  uint64_t seed = 1;  ///< of initial weights, dropout, noise and the offsets of epochs
};

}  // namespace fade
